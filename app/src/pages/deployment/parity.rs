//! Whether answers, computed again as training computes, come to the same bits, and what requests are joined to.

use leptos::prelude::*;
use millrace_charts::count;
use millrace_domain::view::{JoinedLoad, ParityView};

use crate::components::{Moment, TableRegion};

/// How many answers were compared, among the numbers of a deployment.
#[component]
pub fn ParityStat(
    /// What was compared.
    parity: ParityView,
) -> impl IntoView {
    let (value, note) = if parity.compared == 0 {
        ("none yet".to_owned(), "answers are computed again as training does, every ten seconds".to_owned())
    } else {
        let compared = count(parity.compared.unsigned_abs());
        (count(parity.differing.unsigned_abs()), format!("of {compared} computed again as training does"))
    };
    view! {
        <div class="stat">
            <span class="stat-label">"Answers that differ"</span>
            <span class="stat-value">{value}</span>
            <span class="stat-note">{note}</span>
        </div>
    }
}

/// What differed, if anything did.
#[component]
pub fn ParityBroken(
    /// What was compared.
    parity: ParityView,
) -> impl IntoView {
    (parity.differing > 0).then(|| {
        let rows = parity
            .examples
            .into_iter()
            .map(|difference| {
                view! {
                    <tr>
                        <th scope="row"><code>{difference.what}</code></th>
                        <td data-label="Served" class="number">{difference.served}</td>
                        <td data-label="As in training" class="number">{difference.recomputed}</td>
                        <td data-label="Prediction"><code>{difference.prediction}</code></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <div class="callout" data-kind="error" role="alert">
                <p>
                    "Answers differ from what training computes. The version stays live until somebody takes it back; it cannot be \
                     put live again."
                </p>
            </div>
            <section class="section" aria-labelledby="parity">
                <div class="section-header"><h2 id="parity">"What differed"</h2></div>
                <TableRegion label="Parity">
                    <table class="table" data-stack>
                        <thead>
                            <tr>
                                <th scope="col">"What"</th>
                                <th scope="col" class="number">"Served"</th>
                                <th scope="col" class="number">"As in training"</th>
                                <th scope="col">"Prediction"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </TableRegion>
            </section>
        }
    })
}

/// The loads that requests are joined to, each with its age.
#[component]
pub fn JoinedLoads(
    /// The loads.
    loads: Vec<JoinedLoad>,
) -> impl IntoView {
    (!loads.is_empty()).then(|| {
        let rows = loads
            .into_iter()
            .map(|load| {
                let name = load.table.unwrap_or_else(|| "the data's own rows, and the requests since".to_owned());
                view! {
                    <tr>
                        <th scope="row">{name}</th>
                        <td data-label="Version" class="number">{format!("v{}", load.version)}</td>
                        <td data-label="Loaded"><Moment at=load.loaded_at/></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="section" aria-labelledby="joined">
                <div class="section-header"><h2 id="joined">"Requests are joined to"</h2></div>
                <TableRegion label="Joined cells">
                    <table class="table" data-stack>
                        <thead>
                            <tr>
                                <th scope="col">"Table"</th>
                                <th scope="col" class="number">"Version"</th>
                                <th scope="col">"Loaded"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </TableRegion>
            </section>
        }
    })
}
