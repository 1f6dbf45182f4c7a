use leptos::prelude::*;
use millrace_domain::view::ProblemVersionView;

use crate::components::{KeyValue, KeyValues, Moment, ShortDigest};
use crate::wording::counted;

/// Who wrote a version, when it was signed and what stands where, beside its summary.
#[component]
pub fn Facts(version: ProblemVersionView) -> impl IntoView {
    let ProblemVersionView {
        slug,
        version: number,
        digest,
        author,
        created_at,
        submitted_at,
        approved_at,
        sign_off_ends_at,
        review,
        ..
    } = version;
    let approvals = format!("{} of {}", review.given, counted(u64::from(review.needed), "approval", "approvals"));
    let review_href = format!("/problems/{slug}/v/{number}?tab=review");
    let elsewhere = [
        ("Data", format!("/datasets?problem={slug}")),
        ("Runs", format!("/runs?problem={slug}")),
        ("Models", format!("/models/{slug}")),
        ("Deployment", format!("/deployments/{slug}")),
    ];
    let elsewhere = elsewhere.map(|(name, href)| view! { <a href=href>{name}</a> }).collect_view();
    view! {
        <section class="card" aria-label="Facts">
            <div class="card-body stack">
                <KeyValues stacked=true>
                    <KeyValue name="Slug"><code>{slug}</code></KeyValue>
                    <KeyValue name="Digest"><ShortDigest digest/></KeyValue>
                    <KeyValue name="Author">{author}</KeyValue>
                    <KeyValue name="Written"><Moment at=created_at/></KeyValue>
                    <KeyValue name="Submitted">
                        {submitted_at.map(|at| view! { <Moment at/> }.into_any()).unwrap_or_else(not_yet)}
                    </KeyValue>
                    <KeyValue name="Signed off">
                        {approved_at.map(|at| view! { <Moment at/> }.into_any()).unwrap_or_else(not_yet)}
                    </KeyValue>
                    {sign_off_ends_at.map(|at| view! { <KeyValue name="Holds until"><Moment at/></KeyValue> })}
                    <KeyValue name="Review">
                        <a href=review_href>{approvals}</a>
                    </KeyValue>
                    <KeyValue name="Elsewhere">
                        <span class="cluster">{elsewhere}</span>
                    </KeyValue>
                </KeyValues>
            </div>
        </section>
    }
}

fn not_yet() -> AnyView {
    view! { <span class="muted">"not yet"</span> }.into_any()
}
