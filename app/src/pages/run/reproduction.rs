//! Whether a run gives the same when it is computed once more.

use leptos::prelude::*;
use millrace_domain::view::{Compared, Reproduction};

use crate::components::{Moment, ShortDigest, StateBadge, TableRegion};

/// The newest repetition, in a few words beside the run's title.
#[component]
pub fn ReproductionBadge(
    /// The newest repetition.
    newest: Reproduction,
) -> impl IntoView {
    let href = format!("/runs/{}", newest.run);
    let (words, state) = verdict(&newest);
    view! { <span><a class="badge" data-state=state href=href>{words} " " <Moment at=newest.at/></a></span> }
}

/// What came of a repetition, in words and as a badge's state.
fn verdict(reproduction: &Reproduction) -> (&'static str, &'static str) {
    match (reproduction.state.as_str(), reproduction.differing.is_empty()) {
        ("succeeded", _) => ("Reproduced", "pass"),
        (_, false) => ("Not reproduced", "fail"),
        ("queued" | "running", true) => ("Being reproduced since", "running"),
        (_, true) => ("Reproduction did not end", "warning"),
    }
}

/// Every repetition of a run; nothing when there is none.
#[component]
pub fn Reproductions(
    /// The repetitions, newest first.
    reproductions: Vec<Reproduction>,
) -> impl IntoView {
    (!reproductions.is_empty()).then(|| {
        let rows = reproductions.into_iter().map(reproduction_row).collect_view();
        view! {
            <section class="section" aria-labelledby="reproductions">
                <div class="section-header"><h2 id="reproductions">"Computed once more"</h2></div>
                <TableRegion label="Repetitions">
                    <table class="table" data-stack>
                        <caption class="visually-hidden">"Repetitions of this run, newest first"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Run"</th>
                                <th scope="col">"State"</th>
                                <th scope="col">"Digests"</th>
                                <th scope="col">"Program"</th>
                                <th scope="col">"When"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </TableRegion>
            </section>
        }
    })
}

fn reproduction_row(reproduction: Reproduction) -> impl IntoView {
    let digests = match (reproduction.state.as_str(), reproduction.differing.as_slice()) {
        ("succeeded", _) => "all equal".to_owned(),
        (_, []) => "not compared".to_owned(),
        (_, differing) => format!("others in {}", differing.join(", ")),
    };
    view! {
        <tr>
            <th scope="row" data-label="Run">
                <a href=format!("/runs/{}", reproduction.run)>{format!("#{}", reproduction.run)}</a>
            </th>
            <td data-label="State"><StateBadge state=reproduction.state/></td>
            <td data-label="Digests">{digests}</td>
            <td data-label="Program">{reproduction.program_version}</td>
            <td data-label="When"><Moment at=reproduction.at/></td>
        </tr>
    }
}

/// What a repetition compared; nothing for other runs, and until it did.
#[component]
pub fn StepsCompared(
    /// Each step, then and now.
    compared: Vec<Compared>,
) -> impl IntoView {
    (!compared.is_empty()).then(|| {
        let equal = compared.iter().filter(|compared| compared.is_equal()).count();
        let heading = format!("{equal} of {} steps made the same again", compared.len());
        let rows = compared.into_iter().map(compared_row).collect_view();
        view! {
            <section class="section" aria-labelledby="compared">
                <div class="section-header"><h2 id="compared">{heading}</h2></div>
                <TableRegion label="Steps compared">
                    <table class="table" data-stack>
                        <caption class="visually-hidden">"Digest of what each step made, then and now"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Step"</th>
                                <th scope="col">"Verdict"</th>
                                <th scope="col">"First"</th>
                                <th scope="col">"Again"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </TableRegion>
            </section>
        }
    })
}

fn compared_row(compared: Compared) -> impl IntoView {
    let (words, state) = if compared.is_equal() { ("equal", "pass") } else { ("differs", "fail") };
    view! {
        <tr>
            <th scope="row" data-label="Step">{compared.step}</th>
            <td data-label="Verdict"><span class="badge" data-state=state>{words}</span></td>
            <td data-label="First"><ShortDigest digest=compared.first/></td>
            <td data-label="Again"><ShortDigest digest=compared.again/></td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(state: &str, differing: &[&str]) -> &'static str {
        let differing = differing.iter().map(|step| (*step).to_owned()).collect();
        let (run, at) = ("18".to_owned(), chrono::DateTime::UNIX_EPOCH);
        verdict(&Reproduction { run, state: state.to_owned(), differing, program_version: None, at }).0
    }

    #[test]
    fn a_repetition_that_broke_off_is_not_one_that_differs() {
        assert_eq!(repeated("succeeded", &[]), "Reproduced");
        assert_eq!(repeated("failed", &["train"]), "Not reproduced");
        assert_eq!(repeated("failed", &[]), "Reproduction did not end");
        assert_eq!(repeated("running", &[]), "Being reproduced since");
    }
}
