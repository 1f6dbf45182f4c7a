//! Switching the model off and on, and measuring how long a change takes.

use leptos::prelude::*;
use millrace_charts::duration;
use millrace_domain::view::{DeploymentView, SpreadView};
use serde_json::{Map, Value};

use crate::components::{FaultNotice, GatedButton, ReasonField, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::counted;

/// Lets every caller get the fallback, or the model's answers again.
#[server(name = SwitchModel, prefix = "/fn", endpoint = "switch_model")]
pub async fn switch_model(slug: String, off: bool, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    let done = crate::caller::submitted(&typed, services.switch_model(&actor, &slug, off, &reason)).await?;
    leptos_axum::redirect(&format!("/deployments/{slug}?done={}&took_ms={}", done.generation, done.took_ms));
    Ok(())
}

/// Measures how long a change takes, and leads to what was measured.
#[server(name = Drill, prefix = "/fn", endpoint = "drill")]
pub async fn drill(slug: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let done = crate::caller::submitted(&[], services.drill(&actor, &slug)).await?;
    leptos_axum::redirect(&format!("/deployments/{slug}/changes/{}", done.generation));
    Ok(())
}

/// Says that callers do not get the model's answers.
#[component]
pub fn SwitchedOff(
    /// What they get.
    answer: Value,
) -> impl IntoView {
    view! {
        <div class="callout" data-kind="error" role="status">
            <p class="callout-title">"The model is switched off"</p>
            <p>{if has_rules(&answer) { "Callers get what was signed." } else { "Every caller gets what was signed, whatever they ask." }} " Nothing of it is kept as a prediction."</p>
            <Signed fallback=answer/>
        </div>
    }
}

fn has_rules(fallback: &Value) -> bool {
    fallback["rules"].as_array().is_some_and(|rules| !rules.is_empty())
}

/// What a document says is answered without a model, in the order in which it is asked.
#[component]
fn Signed(
    /// Its `serving.fallback`.
    fallback: Value,
) -> impl IntoView {
    let with_rules = has_rules(&fallback);
    let Value::Object(mut otherwise) = fallback else { return ().into_any() };
    let rules =
        otherwise.remove("rules").and_then(|rules| serde_json::from_value::<Vec<Map<String, Value>>>(rules).ok());
    let rules = rules.unwrap_or_default().into_iter().map(|mut rule| {
        let when = rule.remove("when").and_then(|when| when.as_str().map(str::to_owned)).unwrap_or_default();
        view! { <li>"where " <code>{when}</code> ": " <code>{Value::Object(rule).to_string()}</code></li> }
    });
    let rules = rules.collect_view();
    let otherwise = Value::Object(otherwise).to_string();
    match with_rules {
        false => view! { <p><code>{otherwise}</code></p> }.into_any(),
        true => view! { <ol class="signed">{rules} <li>"else " <code>{otherwise}</code></li></ol> }.into_any(),
    }
}

/// The confirmation for either way.
#[component]
pub fn SwitchCard(
    /// The deployment.
    deployment: DeploymentView,
    /// The page's form.
    form: PageForm<SwitchModel>,
) -> impl IntoView {
    let is_off = deployment.fallback.is_some();
    let (title, label, kind) = match is_off {
        false => ("Switch the model off?", "Switch off", "danger"),
        true => ("Switch the model on again?", "Switch on", "primary"),
    };
    let effect = match (&deployment.fallback_answer, deployment.champion) {
        (_, Some(live)) if is_off => format!("From then on version {live} answers again."),
        (_, None) if is_off => "From then on callers are told that no model is live.".to_owned(),
        (Some(_), _) => {
            "From then on callers get what the document says. A version on its way is taken back.".to_owned()
        }
        (None, _) => "The document can name what callers get then (serving.fallback).".to_owned(),
    };
    let signed = deployment.fallback_answer.filter(|_| !is_off);
    let permission = deployment.may_switch;
    let disabled = !permission.allowed;
    let text = form.typed("reason").unwrap_or_default();
    let body = view! {
        <div class="card-header"><h2 id="switch">{title}</h2></div>
        <div class="card-body stack">
            <p>{effect}</p>
            {signed.map(|fallback| view! { <Signed fallback/> })}
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <ActionForm action=form.action attr:class="form">
                <input type="hidden" name="slug" value=deployment.slug/>
                <input type="hidden" name="off" value=(!is_off).to_string()/>
                <ReasonField id="switch-reason" hint="Stands in the history." text disabled/>
                <div class="form-actions"><GatedButton permission label kind/></div>
            </ActionForm>
        </div>
    };
    // Elements of their own, so that the reason for the one way does not stand in the form for the other.
    match is_off {
        false => view! { <section class="card confirm" aria-labelledby="switch">{body}</section> }.into_any(),
        true => view! { <article class="card confirm" aria-labelledby="switch">{body}</article> }.into_any(),
    }
}

/// Measures how long a rollback would take now.
#[component]
pub fn DrillCard(
    /// The deployment.
    deployment: DeploymentView,
    /// The page's form.
    form: PageForm<Drill>,
) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="drill">
            <div class="card-header"><h2 id="drill">"How long would it take?"</h2></div>
            <div class="card-body stack">
                <p class="muted">
                    "A change that changes nothing goes to every server as a rollback would, and is timed."
                </p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action>
                    <input type="hidden" name="slug" value=deployment.slug/>
                    <GatedButton permission=deployment.may_drill label="Measure it"/>
                </ActionForm>
            </div>
        </section>
    }
}

/// How a change reached the servers.
#[component]
pub fn Spread(
    /// What was seen.
    spread: SpreadView,
) -> impl IntoView {
    let took = |after_ms: f64| duration(after_ms / 1e3);
    let words = in_words(&spread);
    let placed = spread.servers.into_iter().map(|server| (server.name, took(server.after_ms)));
    let waiting = spread.waiting.into_iter().map(|name| (name, "not yet".to_owned()));
    let rows = placed
        .chain(waiting)
        .map(|(name, after)| {
            view! {
                <tr>
                    <th scope="row" data-label="Server">{name}</th>
                    <td class="num" data-label="In place after">{after}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="spread">
            <div class="section-header"><h2 id="spread">"On the servers"</h2></div>
            <p>{words}</p>
            <TableRegion label="Servers">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Servers and when each had the change in place"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Server"</th>
                            <th scope="col" class="num">"In place after"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

/// "In place on 2 servers, on the last one after 210 ms. The last answer of the version that was taken back came after 9 ms."
pub(super) fn in_words(spread: &SpreadView) -> String {
    let took = |after_ms: f64| duration(after_ms / 1e3);
    let placed = match (spread.servers.last(), spread.waiting.len()) {
        (None, 0) => "No server was seen in the last seconds.".to_owned(),
        (None, waiting) => format!("{} not have it yet.", counted(waiting as u64, "server does", "servers do")),
        (Some(last), 0) => match spread.servers.len() {
            1 => format!("In place on 1 server after {}.", took(last.after_ms)),
            servers => format!("In place on {servers} servers, on the last one after {}.", took(last.after_ms)),
        },
        (Some(_), waiting) => format!(
            "In place on {}; {} not have it yet.",
            counted(spread.servers.len() as u64, "server", "servers"),
            counted(waiting as u64, "does", "do")
        ),
    };
    match spread.last_answer_ms {
        Some(last) => format!("{placed} The last answer of the version that was taken back came after {}.", took(last)),
        None => placed,
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::view::ServerView;

    use super::*;

    #[test]
    fn what_waits_is_not_told_as_done() {
        let server = |name: &str, after_ms: f64| ServerView { name: name.to_owned(), after_ms };
        let mut spread = SpreadView {
            servers: vec![server("a", 12.0), server("b", 210.0)],
            waiting: Vec::new(),
            last_answer_ms: Some(9.0),
        };
        let all = "In place on 2 servers, on the last one after 210 ms. The last answer of the version that was taken back came after 9 ms.";
        assert_eq!(in_words(&spread), all);
        (spread.waiting, spread.last_answer_ms) = (vec!["c".to_owned()], None);
        assert_eq!(in_words(&spread), "In place on 2 servers; 1 does not have it yet.");
    }
}
