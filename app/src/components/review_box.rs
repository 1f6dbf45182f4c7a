use leptos::prelude::*;
use millrace_domain::view::{DecisionView, Permission, ReviewView};

use super::{FaultNotice, Moment, ShortDigest, StateBadge, TextArea};
use crate::form::kept_for;
use crate::wording::{counted, sentence};

/// A review: what was decided so far, how many approvals are missing, and the form to decide.
///
/// The form is posted plainly, with and without WASM, so that the page that follows shows the new state of everything on it.
/// The server function takes `slug`, `number`, `digest`, `comment` and `decision` (`approve`, `request_changes`, `comment`)
/// and runs in [`submitted`](crate::caller::submitted).
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
    let comment = kept.as_ref().and_then(|kept| kept.typed("comment")).unwrap_or_default().to_owned();
    let fault = kept.and_then(|kept| kept.refusal());
    let complete = review.given >= review.needed;
    let state = match (complete, review.may_decide.allowed) {
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
                {review.decisions.into_iter().map(|decision| view! { <Decision decision/> }).collect_view()}
                <DecisionForm permission=review.may_decide action slug number digest comment/>
            </div>
        </section>
    }
}

#[component]
fn Decision(decision: DecisionView) -> impl IntoView {
    let state = match decision.decision.as_str() {
        "approve" => Some("approved"),
        "request_changes" => Some("changes_requested"),
        _ => None,
    };
    view! {
        <article class="comment">
            <header class="comment-head">
                <span class="person">{decision.by}</span>
                {state.map(|state| view! { <StateBadge state/> })}
                <Moment at=decision.at/>
                <ShortDigest digest=decision.digest/>
            </header>
            {(!decision.comment.is_empty())
                .then(|| view! { <div class="comment-body prose">{decision.comment}</div> })}
        </article>
    }
}

#[component]
fn DecisionForm(
    permission: Permission,
    action: &'static str,
    slug: String,
    number: i32,
    digest: String,
    comment: String,
) -> impl IntoView {
    let allowed = permission.allowed;
    view! {
        <form class="form" method="post" action=action>
            <input type="hidden" name="slug" value=slug/>
            <input type="hidden" name="number" value=number/>
            <input type="hidden" name="digest" value=digest/>
            <div class="field">
                <label class="label" for="comment">"Comment"</label>
                <p class="hint" id="comment-hint">
                    "Needed to request changes; with an approval it says what you looked at."
                </p>
                <TextArea name="comment" text=comment disabled=!allowed described_by="comment-hint"/>
            </div>
            <div class="form-actions">
                <Decide label="Approve" word="approve" kind="button button-primary" allowed/>
                <Decide label="Request changes" word="request_changes" kind="button" allowed/>
                <Decide label="Comment only" word="comment" kind="button button-quiet" allowed/>
            </div>
            {permission
                .refusal
                .map(|reason| view! { <p class="reason" id="review-refusal">{sentence(&reason)}</p> })}
        </form>
    }
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
