//! Gates as a review reads them: the rule, what was observed against the limit, on how much evidence, and the verdict.

use leptos::prelude::*;
use millrace_charts::{count, number};
use millrace_domain::gate::{Gate, Verdict};

use super::{Moment, TableRegion};
use crate::wording::sentence;

/// The gates of a run or of a model version, or the checks of a rollout; what did not pass comes first.
#[component]
pub fn GateTable(
    /// The gates.
    gates: Vec<Gate>,
    /// What one is called.
    #[prop(default = "Gate")]
    what: &'static str,
    /// In which sense the bounds hold.
    #[prop(default = "95 %")]
    bounds: &'static str,
) -> impl IntoView {
    let rows: Vec<_> = worst_first(gates).into_iter().map(|gate| gate_row(gate, what, bounds)).collect();
    view! {
        <TableRegion label=format!("{what}s")>
            <table class="table" data-stack>
                <caption class="visually-hidden">{format!("{what}s with what was observed, the limit and the verdict")}</caption>
                <thead>
                    <tr>
                        <th scope="col">{what}</th>
                        <th scope="col" class="num">"Observed"</th>
                        <th scope="col" class="num">"Limit"</th>
                        <th scope="col" class="num">"n"</th>
                        <th scope="col">"Verdict"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

fn gate_row(gate: Gate, what: &'static str, bounds: &'static str) -> impl IntoView {
    let note = gate.note.map(|note| view! { <div class="muted">{note}</div> });
    let interval = gate.interval.map(
        |(low, high)| view! { <div class="muted">{format!("{bounds} {} to {}", number(low), number(high))}</div> },
    );
    let evidence = gate.evidence.map(|href| {
        let label = format!("Evidence: {}", gate.rule);
        view! { <div><a href=href aria-label=label>"Evidence"</a></div> }
    });
    let overridden = gate.overridden.map(|given| {
        view! {
            <div class="override">
                {format!("Overridden by {}: {} ", given.by, sentence(&given.reason))} "Until " <Moment at=given.until/> "."
            </div>
        }
    });
    view! {
        <tr data-tone=tone(gate.verdict)>
            <th scope="row" data-label=what title=gate.name><div>{gate.rule}{note}{evidence}{overridden}</div></th>
            <td class="num" data-label="Observed"><div>{value(gate.observed)}{interval}</div></td>
            <td class="num" data-label="Limit">{value(gate.threshold)}</td>
            <td class="num" data-label="n">{count(gate.n)}</td>
            <td data-label="Verdict">
                <span class="badge" data-state=gate.verdict.as_str()>{verdict_words(gate.verdict)}</span>
            </td>
        </tr>
    }
}

/// "8 of 9 gates passed", with what is open.
pub fn gates_in_words(gates: &[Gate]) -> String {
    verdicts_in_words(gates, "gates")
}

/// The same of the checks of a rollout.
pub fn checks_in_words(checks: &[Gate]) -> String {
    verdicts_in_words(checks, "checks")
}

fn verdicts_in_words(gates: &[Gate], what: &str) -> String {
    let of = |verdict| gates.iter().filter(|gate| gate.verdict == verdict).count();
    let mut words = format!("{} of {} {what} passed", of(Verdict::Pass), gates.len());
    let (failed, insufficient) = (of(Verdict::Fail), of(Verdict::Insufficient));
    if failed > 0 {
        words.push_str(&format!(", {failed} failed"));
    }
    if insufficient > 0 {
        words.push_str(&format!(", {insufficient} without enough evidence"));
    }
    let overridden = gates.iter().filter(|gate| gate.overridden.is_some()).count();
    if overridden > 0 {
        words.push_str(&format!("; {overridden} overridden"));
    }
    words
}

fn worst_first(mut gates: Vec<Gate>) -> Vec<Gate> {
    gates.sort_by_key(|gate| match gate.verdict {
        Verdict::Fail => 0,
        Verdict::Insufficient => 1,
        Verdict::Pass => 2,
    });
    gates
}

const fn tone(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some("bad"),
        Verdict::Insufficient => Some("warn"),
    }
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Fail => "Fail",
        Verdict::Insufficient => "Not enough evidence",
    }
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str, verdict: Verdict) -> Gate {
        Gate { verdict, ..Gate::new(name, format!("{name} holds")) }
    }

    #[test]
    fn what_failed_comes_first_and_equals_keep_their_order() {
        let gates = vec![
            gate("a", Verdict::Pass),
            gate("b", Verdict::Insufficient),
            gate("c", Verdict::Fail),
            gate("d", Verdict::Pass),
        ];
        let names: Vec<_> = worst_first(gates).into_iter().map(|gate| gate.name).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
    }

    #[test]
    fn missing_evidence_is_not_counted_as_passed() {
        let gates = [gate("a", Verdict::Pass), gate("b", Verdict::Insufficient)];
        assert_eq!(gates_in_words(&gates), "1 of 2 gates passed, 1 without enough evidence");
    }
}
