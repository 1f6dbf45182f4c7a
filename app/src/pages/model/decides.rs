//! How a version decides: what its run's evaluation measured of the model, as it is drawn there.

use leptos::prelude::*;
use serde_json::Value;

use crate::components::{Load, TitledFigures};
use crate::fault::PageFault;
use crate::pages::address::address;
use crate::pages::run::deciding_figures;

/// What the evaluation of a version left for figures.
#[server(name = FetchFigures, prefix = "/fn", endpoint = "model_figures")]
pub async fn fetch_figures(slug: String, number: i32) -> Result<Value, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.model_figures(&actor, &slug, number).await?)
}

/// What each feature is worth, contributes and does to the answer; nothing where none of it was measured.
#[component]
pub fn Decides(
    /// What was measured.
    kept: Resource<Result<Value, PageFault>>,
    /// The run that made the version.
    run: String,
) -> impl IntoView {
    let plots = address(&format!("/runs/{run}"), [("tab", "plots")]);
    view! {
        <Load resource=kept let:kept>
            <Figures kept plots=plots.clone()/>
        </Load>
    }
}

#[component]
fn Figures(kept: Value, plots: String) -> impl IntoView {
    let figures = deciding_figures(&kept);
    (!figures.is_empty()).then(|| {
        view! {
            <section class="section stack" aria-labelledby="decides">
                <div class="section-header">
                    <h2 id="decides">"How it decides"</h2>
                    <a href=plots>"All plots of its run"</a>
                </div>
                <TitledFigures figures/>
            </section>
        }
    })
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pages::samples::rendered;

    #[test]
    fn what_contributes_and_how_answers_depend_on_it_is_drawn_with_a_way_to_the_rest() {
        let kept = json!({
            "importance": [["fare", 0.6]],
            "contributions": {"unit": "log-odds", "rows": 2, "features": [{"name": "fare", "mean": 0.8, "points": [[0.9, 0.9], [-0.7, 0.1]]}]},
            "dependence": [{"feature": "fare", "points": [[1.0, 0.2, 0.1, 0.3, 0.5], [9.0, 0.6, 0.4, 0.7, 0.5]]}],
        });
        let html =
            rendered("/models/taxi-tips/v/4", move || view! { <Figures kept plots="/runs/17?tab=plots".to_owned()/> });
        assert_eq!(html.matches("<figure").count(), 3, "{html}");
        assert!(html.contains("href=\"/runs/17?tab=plots\""), "{html}");
    }

    #[test]
    fn nothing_is_promised_where_nothing_was_measured() {
        let html = rendered("/models/taxi-tips/v/4", || view! { <Figures kept=json!({}) plots=String::new()/> });
        assert!(!html.contains("How it decides"), "{html}");
    }
}
