//! One prediction: what was asked, joined and answered, what another version answered, what came true; and the way to keep it as a case.

use leptos::prelude::*;
use millrace_charts::duration;
use millrace_domain::metric::TargetKind;
use millrace_domain::view::{JoinedView, PredictionView};
use serde_json::Value;

use crate::components::{
    FaultNotice, Field, GatedButton, JsonFacts, KeyValue, KeyValues, Load, Moment, PageHeader, TableRegion,
};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::query_text;

use super::expected::ExpectedFields;

/// A prediction with all that is kept of it; none for an empty id.
#[server(name = FetchPrediction, prefix = "/fn", endpoint = "prediction")]
pub async fn fetch_prediction(id: String) -> Result<Option<PredictionView>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    if id.is_empty() {
        return Ok(None);
    }
    Ok(Some(services.prediction(&actor, crate::pages::address::id(id.trim(), "prediction")?).await?))
}

/// Keeps a case of what a prediction was asked.
#[server(name = KeepPrediction, prefix = "/fn", endpoint = "keep_prediction")]
pub async fn keep_prediction(
    id: String,
    name: String,
    #[server(default)] label: String,
    #[server(default)] at_least: String,
    #[server(default)] at_most: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("name", name.as_str()), ("label", &label), ("at_least", &at_least), ("at_most", &at_most)];
    let kept = async {
        let prediction = crate::pages::address::id(&id, "prediction")?;
        let expect = super::expected::expected(&label, &at_least, &at_most)?;
        services.keep_prediction(&actor, prediction, &name, &expect).await?;
        services.receipt(&actor, prediction).await
    };
    let receipt = crate::caller::submitted(&typed, kept).await?;
    leptos_axum::redirect(&format!("/problems/{}/cases", receipt.slug));
    Ok(())
}

/// `/predictions?id=`.
#[component]
pub fn PredictionPage() -> impl IntoView {
    let id = query_text("id");
    let form = PageForm::<KeepPrediction>::new();
    let prediction = Resource::new(move || id.get(), fetch_prediction);
    view! {
        <Load resource=prediction above=("Predictions", "/predictions") let:prediction>
            {match prediction {
                Some(prediction) => view! { <Prediction prediction form/> }.into_any(),
                None => view! { <LookUp/> }.into_any(),
            }}
        </Load>
    }
}

#[component]
fn LookUp() -> impl IntoView {
    view! {
        <PageHeader title="Predictions"/>
        <p class="lede">"Every answer carries an id. With it, everything that is kept of a prediction is found again."</p>
        <form method="get" action="/predictions" class="form">
            <Field name="id" label="Id of a prediction"/>
            <div class="form-actions"><button class="button button-primary" type="submit">"Look it up"</button></div>
        </form>
    }
}

#[component]
fn Prediction(prediction: PredictionView, form: PageForm<KeepPrediction>) -> impl IntoView {
    let version = format!("/models/{}/v/{}", prediction.slug, prediction.model_version);
    let change = format!("/deployments/{}/changes/{}", prediction.slug, prediction.generation);
    let replay = format!("/api/v1/predictions/{}/replay", prediction.id);
    let (slug, number) = (prediction.slug.clone(), prediction.model_version);
    let deployment = format!("/deployments/{slug}");
    let (id, predicted_at) = (prediction.id.clone(), prediction.predicted_at);
    let asked = prediction.clone();
    let outcome = match (&prediction.label, prediction.observed_at) {
        (Some(label), Some(at)) => {
            let label = text(label);
            view! { <KeyValue name="Came true">{label} ", observed " <Moment at/></KeyValue> }.into_any()
        }
        _ => view! { <KeyValue name="Came true"><span class="muted">"not known yet"</span></KeyValue> }.into_any(),
    };
    let other = prediction.counterpart.clone().map(|other| {
        let href = format!("/models/{}/v/{}", prediction.slug, other.model_version);
        let said = match (other.output, other.failure) {
            (Some(output), _) => view! { <JsonFacts document=output label="Other answer"/> }.into_any(),
            (None, failure) => {
                view! { <p>"No answer: " {failure.unwrap_or_else(|| "it is not known why".to_owned())}</p> }.into_any()
            }
        };
        view! {
            <section class="card">
                <div class="card-header">
                    <h2>"Unseen answer of " <a href=href>{format!("version {}", other.model_version)}</a></h2>
                </div>
                <div class="card-body">{said}</div>
            </section>
        }
    });
    let joined = prediction.joined.clone().map(|joined| view! { <Joined joined/> });
    view! {
        <PageHeader
            title="Prediction"
            crumbs=vec![("Predictions".to_owned(), "/predictions".to_owned())]
            meta=move || {
                view! {
                    <span><code>{id}</code></span>
                    <span><a href=deployment>{slug}</a></span>
                    <span>"answered by " <a href=version>{format!("version {number}")}</a></span>
                    <span><Moment at=predicted_at/></span>
                }
            }
        />
        <div class="split">
            <div class="split-main stack stack-loose">
                <section class="card">
                    <div class="card-header"><h2>"Answer"</h2></div>
                    <div class="card-body stack">
                        <JsonFacts document=prediction.output.clone() label="Answer"/>
                        <KeyValues>
                            {outcome}
                            <KeyValue name="Routing">
                                <a href=change>{format!("generation {}", prediction.generation)}</a>
                                {prediction.arm.clone().map(|arm| format!(", side {arm}"))}
                            </KeyValue>
                            {prediction.entity.clone().map(|entity| view! { <KeyValue name="Entity">{entity}</KeyValue> })}
                            {prediction
                                .event_time
                                .map(|at| view! { <KeyValue name="Event"><Moment at/></KeyValue> })}
                            {prediction
                                .micros
                                .map(|micros| {
                                    view! { <KeyValue name="Took">{format!("{micros} µs, without the way there and back")}</KeyValue> }
                                })}
                        </KeyValues>
                        <p><a href=replay rel="external">"Compute it again and compare every bit"</a></p>
                    </div>
                </section>
                {other}
                <section class="card">
                    <div class="card-header"><h2>"Inputs"</h2></div>
                    <div class="card-body"><JsonFacts document=prediction.inputs.clone() label="Inputs"/></div>
                </section>
                {joined}
            </div>
            <aside class="split-side stack"><KeepCard prediction=asked form/></aside>
        </div>
    }
}

/// What it was joined to, each column with its age.
#[component]
fn Joined(joined: JoinedView) -> impl IntoView {
    let rows: Vec<_> = joined
        .cells
        .into_iter()
        .map(|cell| {
            let value = if cell.value.is_null() { "missing".to_owned() } else { text(&cell.value) };
            let age = match (cell.as_of, cell.age_seconds) {
                (Some(at), Some(age)) => view! { {duration(age)} <div class="muted"><Moment at/></div> }.into_any(),
                _ => view! { <span class="muted">"no row with a time"</span> }.into_any(),
            };
            view! {
                <tr>
                    <th scope="row"><code>{cell.name}</code></th>
                    <td class="num" data-label="Value">{value}</td>
                    <td data-label="Age of its newest row"><div>{age}</div></td>
                </tr>
            }
        })
        .collect();
    view! {
        <section class="card" aria-labelledby="joined">
            <div class="card-header"><h2 id="joined">"Joined"</h2></div>
            <TableRegion label="What it was joined to">
                <table class="table" data-stack>
                    <thead>
                        <tr>
                            <th scope="col">"Column"</th>
                            <th scope="col" class="num">"Value"</th>
                            <th scope="col">"Age of its newest row"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            <div class="card-body"><JsonFacts document=joined.loads label="Loads that it came from"/></div>
        </section>
    }
}

#[component]
fn KeepCard(prediction: PredictionView, form: PageForm<KeepPrediction>) -> impl IntoView {
    let kind = kind_of(&prediction.output);
    let typed = move |name: &str| form.typed(name).unwrap_or_default();
    // What came true must be answered, if anything is known of it.
    let truth = prediction.label.as_ref().map(text).unwrap_or_default();
    let label = form.typed("label").unwrap_or(truth);
    let permission = prediction.may_keep;
    view! {
        <section class="card" aria-labelledby="keep">
            <div class="card-header"><h2 id="keep">"Keep as a regression case"</h2></div>
            <div class="card-body stack">
                <p class="muted">"Every version from now on has to answer what you expect here."</p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="id" value=prediction.id/>
                    <Field name="name" label="Name" value=typed("name") hint="What it is about, in one line."/>
                    <ExpectedFields kind label at_least=typed("at_least") at_most=typed("at_most")/>
                    <div class="form-actions">
                        <GatedButton permission label="Keep the case" kind="primary"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// What kind of target an answer is of.
fn kind_of(output: &Value) -> TargetKind {
    match (output.get("value"), output.get("probabilities")) {
        (Some(_), _) => TargetKind::Regression,
        (None, Some(_)) => TargetKind::Multiclass,
        (None, None) => TargetKind::Binary,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{prediction, rendered};

    #[test]
    fn what_came_true_is_what_is_expected() {
        let html =
            rendered("/predictions?id=1", || view! { <Prediction prediction=prediction() form=PageForm::new()/> });
        assert!(html.contains("Unseen answer of") && html.contains("value=\"true\""), "{html}");
    }

    #[test]
    fn what_was_joined_is_told_by_name_with_its_age() {
        let html =
            rendered("/predictions?id=1", || view! { <Prediction prediction=prediction() form=PageForm::new()/> });
        assert!(html.contains("<code>trips_1d</code>") && html.contains("2 h"), "{html}");
        assert!(html.contains("no row with a time"), "{html}");
    }

    #[test]
    fn without_an_id_it_is_asked_for() {
        let html = rendered("/predictions", || view! { <LookUp/> });
        assert!(html.contains("Id of a prediction"), "{html}");
    }
}
