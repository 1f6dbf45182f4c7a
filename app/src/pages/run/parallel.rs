//! Parallel coordinates that lines are picked out of: by dragging along an axis, or by a form where there are no scripts. The address
//! carries what is picked out.

use leptos::ev::PointerEvent;
use leptos::html::Div;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::components::Form;
use leptos_router::hooks::{use_navigate, use_query_map};
use leptos_router::params::ParamsMap;
use millrace_charts::{Brush, BrushRange, Coordinate, ParallelCoordinates, brushed, parallel_coordinates};

use crate::components::ChartFigure;
use crate::pages::address::address;

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Asked {
    brushes: Vec<Brush>,
    best_percent: Option<f64>,
    is_log: bool,
    /// What was typed and is no number, on an axis of numbers.
    mistake: Option<String>,
}

impl Asked {
    /// What was picked out before is in `brush`; what the form adds in `on`, `from` and `to`. What cannot be read changes nothing.
    fn read(query: &ParamsMap, values: &ParallelCoordinates) -> Self {
        let text = |name: &str| query.get(name).unwrap_or_default().trim().to_owned();
        let is_axis = |name: &str| name == values.objective || values.axes.iter().any(|axis| axis.name == name);
        let brushes = query.get_all("brush").unwrap_or_default();
        let brushes =
            brushes.iter().filter_map(|text| text.parse().ok()).filter(|brush: &Brush| is_axis(&brush.axis)).collect();
        let asked = Self {
            brushes,
            best_percent: text("top").parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0),
            is_log: text("scale") == "log",
            mistake: None,
        };
        let axis = text("on");
        if !is_axis(&axis) {
            return asked;
        }
        match typed(values, &axis, &text("from"), &text("to")) {
            Ok(range) => asked.with(&axis, range),
            Err(mistake) => Self { mistake: Some(mistake), ..asked },
        }
    }

    /// The same with another stretch of an axis, or none.
    fn with(mut self, axis: &str, range: Option<BrushRange>) -> Self {
        self.brushes.retain(|brush| brush.axis != axis);
        self.brushes.extend(range.map(|range| Brush { axis: axis.to_owned(), range }));
        self
    }

    fn address(&self, path: &str, kept: &[(&'static str, String)]) -> String {
        let brushes: Vec<String> = self.brushes.iter().map(Brush::to_text).collect();
        let top = self.best_percent.map(|percent| percent.to_string()).unwrap_or_default();
        let kept = kept.iter().map(|(name, value)| (*name, value.as_str()));
        let own = [("top", top.as_str()), ("scale", if self.is_log { "log" } else { "" })];
        address(path, kept.chain(brushes.iter().map(|text| ("brush", text.as_str()))).chain(own))
    }
}

/// What an address says is picked out, to be kept in others of the same page.
pub(super) fn picked(query: &ParamsMap) -> Vec<(&'static str, String)> {
    let brushes = query.get_all("brush").unwrap_or_default().into_iter().map(|text| ("brush", text));
    brushes
        .chain(["on", "from", "to", "top", "scale"].into_iter().filter_map(|name| Some((name, query.get(name)?))))
        .collect()
}

/// The stretch of an axis that was typed; an end that was left empty is that of the axis. None where nothing was typed.
fn typed(values: &ParallelCoordinates, axis: &str, from: &str, to: &str) -> Result<Option<BrushRange>, String> {
    let place = values.axes.iter().position(|known| known.name == axis);
    let on_axis = |place: usize| values.lines.iter().filter_map(move |line| line.values.get(place)?.clone());
    let coordinates: Vec<Coordinate> = match place {
        Some(place) => on_axis(place).collect(),
        None => values.lines.iter().filter_map(|line| line.objective).map(Coordinate::Number).collect(),
    };
    if from.is_empty() && to.is_empty() {
        return Ok(None);
    }
    let numbers: Option<Vec<f64>> = coordinates
        .iter()
        .map(|coordinate| match coordinate {
            Coordinate::Number(number) => Some(*number),
            Coordinate::Word(_) => None,
        })
        .collect();
    let Some(numbers) = numbers else {
        let words = [from, to].into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect();
        return Ok(Some(BrushRange::AnyOf(words)));
    };
    let end = |text: &str, ends: fn(f64, f64) -> f64| match text {
        "" => Ok(numbers.iter().copied().reduce(ends).unwrap_or_default()),
        text => text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| format!("{axis} has numbers, and {text:?} is none: type one, such as 0.01 or 1e-3")),
    };
    let (low, high) = (end(from, f64::min)?, end(to, f64::max)?);
    Ok(Some(BrushRange::Between(low.min(high), low.max(high))))
}

/// The picture, what is picked out of it, and the form that does it without scripts.
#[component]
pub(super) fn ParallelExplorer(
    /// What is drawn; what is picked out comes from the address.
    values: ParallelCoordinates,
    /// Names its parts in the page.
    id: &'static str,
    /// The page.
    path: String,
    /// What else of the page's address stays.
    kept: Vec<(&'static str, String)>,
) -> impl IntoView {
    let axes: Vec<String> =
        values.axes.iter().map(|axis| axis.name.clone()).chain([values.objective.clone()]).collect();
    let values = StoredValue::new(values);
    let page = StoredValue::new((path.clone(), kept.clone()));
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(|query| values.with_value(|values| Asked::read(query, values))));
    let drawn = Memo::new(move |_| {
        let Asked { brushes, best_percent, is_log, .. } = asked.get();
        ParallelCoordinates { brushes, best_percent, is_log, ..values.get_value() }
    });
    let navigate = use_navigate();
    let pick = move |axis: &str, range: Option<BrushRange>| {
        let to = page.with_value(|(path, kept)| asked.get_untracked().with(axis, range).address(path, kept));
        navigate(&to, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    };
    // What is dragged is of use to scripts alone.
    let is_live = RwSignal::new(false);
    Effect::new(move |_| is_live.set(true));
    let picture = NodeRef::<Div>::new();
    // A live page draws itself anew while somebody drags.
    let held = use_context::<Dragging>().unwrap_or_default().0;
    let press = move |event: PointerEvent| {
        // A finger scrolls, and words below the picture can be marked.
        let target: web_sys::Element = event_target(&event);
        let is_picture = target.closest("svg.chart").ok().flatten().is_some();
        if event.pointer_type() == "touch" || event.button() != 0 || !is_picture {
            return;
        }
        let Some(at) = picture.get_untracked().and_then(|div| Place::of(&event, &div)) else { return };
        if let Some(div) = picture.get_untracked() {
            // Where it fails, a drag ends at the edge of the picture.
            let _ = div.set_pointer_capture(event.pointer_id());
        }
        held.set(Some(Held { from: at, to: at }));
    };
    let drag = move |event: PointerEvent| {
        // Let go where nobody told of it.
        if event.buttons() == 0 {
            held.set(None);
        }
        let place = picture.get_untracked().and_then(|div| Place::of(&event, &div));
        if let (Some(Held { from, .. }), Some(to)) = (held.get_untracked(), place) {
            held.set(Some(Held { from, to }));
        }
    };
    let let_go = move |_: PointerEvent| {
        let Some(Held { from, to }) = held.get_untracked() else { return };
        held.set(None);
        if let Some((axis, range)) = drawn.with_untracked(|values| brushed(values, from.drawn, to.drawn)) {
            pick(&axis, range);
        }
    };
    let options =
        axes.into_iter().map(|axis| view! { <option value=axis.clone()>{axis.clone()}</option> }).collect_view();
    let hidden = kept
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <section class="stack stack-tight">
            <div
                class="brushable"
                node_ref=picture
                on:pointerdown=press
                on:pointermove=drag
                on:pointerup=let_go
                on:pointercancel=move |_| held.set(None)
            >
                {move || view! { <ChartFigure figure=parallel_coordinates(&drawn.get(), id)/> }}
                {move || held.get().map(|held| view! { <div class="brush" style:left=held.left() style:top=held.top() style:height=held.height()></div> })}
            </div>
            <p class="hint" hidden=move || !is_live.get()>
                "Drag up or down along an axis to pick lines out; click the axis to let go of it."
            </p>
            {move || {
                let asked = asked.get();
                let tags = asked
                    .brushes
                    .iter()
                    .map(|brush| {
                        let without = asked.clone().with(&brush.axis, None);
                        let href = page.with_value(|(path, kept)| without.address(path, kept));
                        let text = format!("{} {}", brush.axis, brush.range);
                        let label = format!("Let go of {text}");
                        view! { <a class="tag" href=href aria-label=label>{text} " ×"</a> }
                    })
                    .collect_view();
                (!asked.brushes.is_empty()).then(|| view! { <p class="cluster">"Picked out: " {tags}</p> })
            }}
            {move || asked.get().mistake.map(|mistake| view! { <p class="error" role="alert">{mistake}</p> })}
            <details open=move || asked.get().mistake.is_some()>
                <summary>"Pick out by numbers"</summary>
                <Form method="GET" action=path attr:class="filters">
                    {hidden}
                    {move || {
                        let brushes = asked.get().brushes;
                        brushes
                            .iter()
                            .map(|brush| view! { <input type="hidden" name="brush" value=brush.to_text()/> })
                            .collect_view()
                    }}
                    <div class="field">
                        <label class="label" for=format!("{id}-on")>"Axis"</label>
                        <select class="input" id=format!("{id}-on") name="on">
                            <option value="">"none"</option>
                            {options}
                        </select>
                    </div>
                    <div class="field">
                        <label class="label" for=format!("{id}-from")>"From, or a word"</label>
                        <input class="input" id=format!("{id}-from") name="from"/>
                    </div>
                    <div class="field">
                        <label class="label" for=format!("{id}-to")>"To, or another word"</label>
                        <input class="input" id=format!("{id}-to") name="to"/>
                    </div>
                    <div class="field">
                        <label class="label" for=format!("{id}-top")>"Best, % of the lines"</label>
                        <input
                            class="input"
                            id=format!("{id}-top")
                            name="top"
                            type="number"
                            min="1"
                            max="100"
                            step="any"
                            placeholder="10"
                            value=asked.get_untracked().best_percent.map(|percent| percent.to_string())
                        />
                    </div>
                    <div class="field">
                        <label class="label" for=format!("{id}-scale")>"Objective"</label>
                        <select class="input" id=format!("{id}-scale") name="scale">
                            <option value="">"linear"</option>
                            <option value="log" selected=asked.get_untracked().is_log>"logarithmic"</option>
                        </select>
                    </div>
                    <button class="button" type="submit">"Pick out"</button>
                </Form>
            </details>
        </section>
    }
}

/// What is dragged on a page, which outlives the picture that it is dragged on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dragging(RwSignal<Option<Held>>);

/// A pointer that is held down.
#[derive(Debug, Clone, Copy)]
struct Held {
    from: Place,
    to: Place,
}

impl Held {
    fn left(self) -> String {
        format!("{:.1}px", self.from.shown.0 - 7.0)
    }

    fn top(self) -> String {
        format!("{:.1}px", self.from.shown.1.min(self.to.shown.1))
    }

    fn height(self) -> String {
        format!("{:.1}px", (self.from.shown.1 - self.to.shown.1).abs())
    }
}

/// A place on the picture.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// In pixels from the corner of what holds it.
    shown: (f64, f64),
    /// In units of the drawing.
    drawn: (f64, f64),
}

impl Place {
    fn of(event: &PointerEvent, holder: &web_sys::HtmlDivElement) -> Option<Self> {
        let drawing = holder.query_selector("svg.chart").ok().flatten()?;
        let width = drawing.get_attribute("viewBox")?.split(' ').nth(2)?.parse::<f64>().ok()?;
        let (at, of, within) = (drawing.get_bounding_client_rect(), width, holder.get_bounding_client_rect());
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        let unit = of / at.width().max(1.0);
        let drawn = ((x - at.left()) * unit, (y - at.top()) * unit);
        Some(Self { shown: (x - within.left(), y - within.top()), drawn })
    }
}

#[cfg(test)]
mod tests {
    use millrace_charts::{ParallelAxis, ParallelLine};

    use super::*;

    fn values() -> ParallelCoordinates {
        let line = |alpha: f64, kind: &str| ParallelLine {
            label: String::new(),
            values: vec![Some(Coordinate::Number(alpha)), Some(Coordinate::Word(kind.to_owned()))],
            objective: Some(alpha / 10.0),
        };
        ParallelCoordinates {
            objective: "score".to_owned(),
            axes: ["alpha", "kind"].map(|name| ParallelAxis { name: name.to_owned(), is_log: false }).to_vec(),
            lines: vec![line(1.0, "a"), line(2.0, "b"), line(3.0, "a")],
            ..ParallelCoordinates::default()
        }
    }

    fn asked(query: &[(&str, &str)]) -> Asked {
        let query: ParamsMap = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Asked::read(&query, &values())
    }

    #[test]
    fn what_the_form_adds_takes_the_place_of_what_was_picked_out_on_that_axis() {
        let asked = asked(&[("brush", "alpha~1..2"), ("brush", "kind~a"), ("on", "alpha"), ("from", "2"), ("to", "")]);
        assert_eq!(
            asked.address("/runs/7", &[("tab", "trials".to_owned())]),
            "/runs/7?tab=trials&brush=kind~a&brush=alpha~2..3"
        );
    }

    #[test]
    fn a_word_is_picked_out_on_an_axis_of_words_and_nothing_typed_lets_go() {
        let picked = asked(&[("on", "kind"), ("from", "b"), ("top", "25"), ("scale", "log")]);
        assert_eq!(picked.brushes, ["kind~b".parse().unwrap()]);
        assert_eq!((picked.best_percent, picked.is_log), (Some(25.0), true));
        assert_eq!(asked(&[("brush", "kind~b"), ("on", "kind")]).brushes, []);
        assert_eq!(asked(&[("on", "score"), ("from", "0.2")]).brushes, ["score~0.2..0.3".parse().unwrap()]);
        assert_eq!(asked(&[("top", "900")]), Asked::default());
    }

    #[test]
    fn a_word_for_an_axis_of_numbers_is_told_and_lets_nothing_go() {
        let asked = asked(&[("brush", "alpha~1..2"), ("on", "alpha"), ("from", "x")]);
        assert_eq!(asked.brushes, ["alpha~1..2".parse().unwrap()]);
        assert!(asked.mistake.unwrap().starts_with("alpha has numbers, and \"x\" is none"));
    }
}
