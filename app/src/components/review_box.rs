use leptos::prelude::*;
use millrace_domain::problem::Span;
use millrace_domain::view::{DecisionView, DroppedApproval, Permission, RequiredRole, ReviewView};
use serde_json::Value;

use super::{FaultNotice, Moment, ShortDigest, StateBadge, TextArea};
use crate::form::kept_for;
use crate::wording::{counted, role_titles, sentence, state_words};

/// A review: what was decided so far, what is missing, and the form to decide.
///
/// The form is posted plainly, with and without WASM, so that the page that follows shows the new state of everything on it.
/// The server function takes `slug`, `number`, `digest`, `comment`, `waiver` and `decision` (`approve`, `request_changes`,
/// `comment`) and runs in [`submitted`](crate::caller::submitted).
#[component]
pub fn ReviewBox(
    /// Where the review stands.
    review: ReviewView,
    /// Server function that takes the decision, for example `/fn/decide_model`.
    action: &'static str,
    /// Address of what is reviewed.
    #[prop(into)]
    slug: String,
    /// Its version.
    number: i32,
    /// The digest that the reader sees and decides on.
    #[prop(into)]
    digest: String,
) -> impl IntoView {
    let kept = kept_for(action);
    let typed = |name: &str| kept.as_ref().and_then(|kept| kept.typed(name)).unwrap_or_default().to_owned();
    let (comment, waiver) = (typed("comment"), typed("waiver"));
    let fault = kept.as_ref().and_then(|kept| kept.refusal());
    let state = match (review.complete, review.may_decide.allowed) {
        (true, _) => "done",
        (false, true) => "ready",
        (false, false) => "blocked",
    };
    let approvals = counted(u64::from(review.needed), "approval", "approvals");
    view! {
        <section class="card decision" data-state=state aria-labelledby="review-title">
            <div class="card-header">
                <h2 id="review-title">{format!("{} of {approvals}", review.given)}</h2>
                <ShortDigest digest=digest.clone()/>
            </div>
            <div class="card-body stack">
                {fault.map(|fault| view! { <FaultNotice fault/> })}
                <Missing review=review.clone()/>
                <Dropped dropped=review.dropped number/>
                {review.decisions.into_iter().map(|decision| view! { <Decision decision/> }).collect_view()}
                <DecisionForm
                    is_open=review.is_open
                    decide=review.may_decide
                    say=review.may_comment
                    unproven=review.unproven
                    action
                    slug
                    number
                    digest
                    comment
                    waiver
                />
            </div>
        </section>
    }
}

/// What the review still needs: roles with their state, whom it waits for, and until when it holds.
#[component]
fn Missing(review: ReviewView) -> impl IntoView {
    let ReviewView { is_open, complete, needed, given, roles, ends_at, valid_for, waiting_for, .. } = review;
    let still = (needed as usize).saturating_sub(given as usize);
    let short = (is_open && !complete && waiting_for.len() < still.max(1)).then(|| {
        let may = match waiting_for.len() {
            0 => "nobody".to_owned(),
            count => counted(count as u64, "person", "people"),
        };
        view! {
            <p class="callout" data-kind="warning">
                {format!(
                    "{} still needed, and {may} may give one: someone else has to get the role, or the document has to ask for fewer.",
                    counted(still as u64, "approval is", "approvals are"),
                )}
            </p>
        }
    });
    let roles = (!roles.is_empty()).then(|| {
        let items = roles.into_iter().map(|role| view! { <Required role/> }).collect_view();
        view! { <ul class="checks" aria-label="Required roles">{items}</ul> }
    });
    let waiting = (!complete && !waiting_for.is_empty()).then(|| {
        view! { <p class="muted">"Could approve: " {waiting_for.join(", ")} "."</p> }
    });
    let holds = match (ends_at, valid_for) {
        (Some(at), _) => Some(
            view! { <p class="muted">"Holds until " <Moment at/> "; then it has to be given again."</p> }.into_any(),
        ),
        (None, Some(span)) => {
            Some(view! { <p class="muted">{format!("An approval holds for {}.", span_in_words(&span))}</p> }.into_any())
        }
        (None, None) => None,
    };
    view! {
        {short}
        {roles}
        {waiting}
        {holds}
    }
}

/// `180d` as `180 days`.
fn span_in_words(text: &str) -> String {
    text.parse::<Span>().map_or_else(|_| text.to_owned(), Span::in_words)
}

#[component]
fn Required(role: RequiredRole) -> impl IntoView {
    let title = role_titles(std::slice::from_ref(&role.role));
    let (state, note) = match role.given_by {
        Some(name) => ("pass", format!("given by {name}")),
        None => ("waiting", "not given yet".to_owned()),
    };
    view! {
        <li class="check-item" data-state=state>
            <span class="check-name">{format!("An approval by a {title}")}</span>
            <span class="check-note">{note}</span>
        </li>
    }
}

/// Approvals that went with the text they were of.
#[component]
fn Dropped(dropped: Vec<DroppedApproval>, number: i32) -> impl IntoView {
    (!dropped.is_empty()).then(|| {
        let items = dropped
            .into_iter()
            .map(|DroppedApproval { by, version, at }| {
                view! { <li>{by} " approved version " {version} " " <Moment at/></li> }
            })
            .collect_view();
        view! {
            <div class="callout" data-kind="warning">
                <p class="callout-title">{format!("Earlier approvals do not count for version {number}")}</p>
                <ul>{items}</ul>
                <p>"They were of another text. Whoever agrees with this one approves it anew."</p>
            </div>
        }
    })
}

#[component]
fn Decision(decision: DecisionView) -> impl IntoView {
    let state = match decision.decision.as_str() {
        "approve" => Some("approved"),
        "request_changes" => Some("changes_requested"),
        _ => None,
    };
    let fallen = (!decision.stands).then(|| view! { <span class="tag">"no longer counts"</span> });
    let waiver = decision.waiver.map(|reason| {
        view! {
            <div class="callout" data-kind="warning">
                <p class="callout-title">"Signed with a waiver"</p>
                <p>{reason}</p>
            </div>
        }
    });
    view! {
        <article class="comment">
            <header class="comment-head">
                <span class="person">{decision.by}</span>
                {state.map(|state| view! { <StateBadge state/> })}
                {fallen}
                <Moment at=decision.at/>
                <ShortDigest digest=decision.digest/>
            </header>
            {(!decision.comment.is_empty())
                .then(|| view! { <div class="comment-body prose">{decision.comment}</div> })}
            {waiver}
            {decision.shown.map(|shown| view! { <Shown shown/> })}
        </article>
    }
}

/// What the page showed when the decision was made.
#[component]
fn Shown(shown: Value) -> impl IntoView {
    let lines = shown_in_words(&shown);
    (!lines.is_empty()).then(|| {
        view! {
            <details>
                <summary>"What they were shown"</summary>
                <ul class="prose stack stack-tight">
                    {lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}
                </ul>
            </details>
        }
    })
}

fn shown_in_words(shown: &Value) -> Vec<String> {
    let list = |key: &str| shown[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let plain = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut lines: Vec<String> = list("summary").iter().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    lines.extend(shown["power"].as_str().map(str::to_owned));
    let since = shown["changes_since"].as_i64().map(|number| format!(" since version {number}")).unwrap_or_default();
    lines.extend(list("changes").iter().map(|change| {
        let field = text(change, "pointer").trim_start_matches('/').replace('/', ".");
        format!("Changed{since}: {field} from {} to {}", plain(&change["before"]), plain(&change["after"]))
    }));
    lines.extend(list("gates").iter().map(|gate| {
        format!("Gate {}: {}", text(gate, "name").replace('_', " "), state_words(&text(gate, "verdict")).to_lowercase())
    }));
    lines
}

#[component]
fn DecisionForm(
    is_open: bool,
    decide: Permission,
    say: Permission,
    unproven: Option<String>,
    action: &'static str,
    slug: String,
    number: i32,
    digest: String,
    comment: String,
    waiver: String,
) -> impl IntoView {
    let (allowed, speaks) = (decide.allowed, say.allowed);
    let refusal = decide.refusal;
    let unproven = unproven.map(|unproven| {
        view! {
            <div class="callout" data-kind="warning">
                <p class="callout-title">"The data cannot show what this asks for"</p>
                <p>{sentence(&unproven)}</p>
            </div>
        }
    });
    if !is_open {
        return view! { {refusal.map(|reason| view! { <p class="reason">{sentence(&reason)}</p> })} }.into_any();
    }
    let waived = (allowed && unproven.is_some()).then(|| {
        view! {
            <div class="field">
                <label class="label" for="waiver">"Why it is signed all the same"</label>
                <p class="hint" id="waiver-hint">"Needed to approve. It stays with your signature for everybody to read."</p>
                <TextArea name="waiver" text=waiver rows=2 described_by="waiver-hint"/>
            </div>
        }
    });
    view! {
        {unproven}
        <form class="form" method="post" action=action>
            <input type="hidden" name="slug" value=slug/>
            <input type="hidden" name="number" value=number/>
            <input type="hidden" name="digest" value=digest/>
            {waived}
            <div class="field">
                <label class="label" for="comment">"Comment"</label>
                <p class="hint" id="comment-hint">
                    "Needed to request changes; with an approval it says what you looked at."
                </p>
                <TextArea name="comment" text=comment disabled=!speaks described_by="comment-hint"/>
            </div>
            <div class="form-actions">
                <Decide label="Approve" word="approve" kind="button button-primary" allowed/>
                <Decide label="Request changes" word="request_changes" kind="button" allowed/>
                <Decide label="Comment only" word="comment" kind="button button-quiet" allowed=speaks/>
            </div>
            {refusal.map(|reason| view! { <p class="reason" id="review-refusal">{sentence(&reason)}</p> })}
        </form>
    }
    .into_any()
}

#[component]
fn Decide(label: &'static str, word: &'static str, kind: &'static str, allowed: bool) -> impl IntoView {
    view! {
        <button
            class=kind
            type="submit"
            name="decision"
            value=word
            disabled=!allowed
            aria-describedby=(!allowed).then_some("review-refusal")
        >
            {label}
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::shown_in_words;

    #[test]
    fn what_was_shown_reads_as_sentences() {
        let shown = serde_json::json!({
            "summary": ["It asks one thing."], "changes_since": 1, "power": "Little can be shown.",
            "changes": [{ "pointer": "/success/at_least", "before": 0.7, "after": 0.75 }],
        });
        let words = [
            "It asks one thing.",
            "Little can be shown.",
            "Changed since version 1: success.at_least from 0.7 to 0.75",
        ];
        assert_eq!(shown_in_words(&shown), words);
    }
}
