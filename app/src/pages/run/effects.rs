//! What a run owes to newer data and what to other settings, beside the live version of its time.

use leptos::prelude::*;
use millrace_charts::{Bar, Figure, HorizontalBars, count, horizontal_bars, number, signed};
use millrace_domain::effects::{Effect, Effects, MeasuredEffects};

use crate::components::{ChartFigure, TableRegion};

/// Three models on the same test rows, and what lies between them.
#[component]
pub fn DataAndSettings(
    /// What was measured.
    effects: Effects,
    /// The problem.
    problem: String,
) -> impl IntoView {
    let live = format!("version {}", effects.champion);
    let href = format!("/models/{problem}/v/{}", effects.champion);
    let rows = count(effects.rows);
    let metric = effects.metric.title();
    let measured = effects.measured.map(|measured| {
        let MeasuredEffects { before, refitted, after, data, settings } = measured;
        let (as_live, refit) = (format!("Live {live}"), format!("Settings of {live} on this data"));
        let told = format!("{} {}", said("The data", metric, data), said("The settings", metric, Some(settings)));
        view! {
            <p>{told}</p>
            {figure(metric, &measured).map(|figure| view! { <ChartFigure figure/> })}
            <TableRegion label="Three models">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Three models on the same test rows"</caption>
                    <thead>
                        <tr><th scope="col">"Model"</th><th scope="col" class="num">{metric}</th></tr>
                    </thead>
                    <tbody>
                        <Model name=as_live metric value=before/>
                        <Model name=refit metric value=refitted/>
                        <Model name="This run".to_owned() metric value=after/>
                    </tbody>
                </table>
            </TableRegion>
        }
    });
    let note = effects.note.map(|note| view! { <p class="hint">{sentence(&note)}</p> });
    view! {
        <section class="section" aria-labelledby="effects">
            <div class="section-header"><h2 id="effects">"Data and settings"</h2></div>
            <p class="hint">"Beside " <a href=href>{live}</a> {format!(", which was live when this was judged, on the same {rows} test rows.")}</p>
            {measured}
            {note}
        </section>
    }
}

#[component]
fn Model(name: String, metric: &'static str, value: f64) -> impl IntoView {
    view! {
        <tr>
            <th scope="row" data-label="Model">{name}</th>
            <td class="num" data-label=metric>{number(value)}</td>
        </tr>
    }
}

/// What one of the two did, in words.
fn said(what: &str, metric: &str, effect: Option<Effect>) -> String {
    let Some(Effect { improvement, interval, is_same }) = effect else {
        return format!("{what}: not told, see below.");
    };
    let way = if improvement < 0.0 { "worse" } else { "better" };
    match interval {
        _ if is_same => format!("{what} are the same."),
        None => format!(
            "{what}: {metric} is {} {way}, and these rows do not say how much of that is chance.",
            number(improvement.abs())
        ),
        Some((low, high)) if low <= 0.0 && high >= 0.0 => format!(
            "{what} made no difference to {metric} that these rows tell from chance ({} to {}).",
            signed(low),
            signed(high)
        ),
        Some((low, high)) => {
            format!("{what} made {metric} {} {way} ({} to {}).", number(improvement.abs()), signed(low), signed(high))
        }
    }
}

/// Nothing of what is the same.
fn figure(metric: &str, measured: &MeasuredEffects) -> Option<Figure> {
    let effects = [("the data", measured.data), ("the settings", Some(measured.settings))];
    let bar = |(label, effect): (&str, Option<Effect>)| {
        let effect = effect.filter(|effect| !effect.is_same)?;
        Some(Bar { label: label.to_owned(), value: effect.improvement, interval: effect.interval })
    };
    let values = HorizontalBars {
        title: "What made the difference".to_owned(),
        quantity: format!("improvement of {metric}"),
        bars: effects.into_iter().filter_map(bar).collect(),
        is_signed: true,
    };
    (!values.bars.is_empty()).then(|| horizontal_bars(&values, "effects-figure"))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_called_one_only_where_the_rows_tell_it_from_chance() {
        let effect = |improvement, interval| Some(Effect { improvement, interval, is_same: false });
        let said = |own| said("The data", "ROC AUC", own);
        assert_eq!(said(Some(Effect { improvement: 0.0, interval: None, is_same: true })), "The data are the same.");
        assert!(said(effect(0.02, Some((0.01, 0.03)))).contains("ROC AUC 0.02 better"));
        assert!(said(effect(-0.02, Some((-0.03, -0.01)))).contains("ROC AUC 0.02 worse"));
        assert!(said(effect(0.02, Some((-0.01, 0.05)))).contains("no difference"));
        for few in [0.1, 0.0] {
            assert!(said(effect(few, None)).contains("do not say how much of that is chance"));
        }
        assert!(said(None).contains("not told"));
    }
}
