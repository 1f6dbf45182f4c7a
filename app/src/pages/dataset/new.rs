//! Uploading data: a plain multipart form, so that a file of any size goes straight to the server and nothing needs WASM.

use leptos::prelude::*;
use millrace_domain::view::ProblemSummary;

use crate::components::{Empty, Field, GatedLink, Load, NotAllowed, PageHeader};
use crate::form::kept_for;
use crate::pages::address::query_text;
use crate::pages::problem::list_problems;
use crate::visit::visit;
use crate::wording::sentence;

/// `/datasets/new`, with `?problem=` and `?name=` to begin with.
#[component]
pub fn UploadDatasetPage() -> impl IntoView {
    let problems = Resource::new(|| (), |()| list_problems());
    view! {
        <PageHeader title="Upload data" crumbs=vec![("Datasets".to_owned(), "/datasets".to_owned())]/>
        <Load resource=problems let:problems>
            {if !visit().acts.upload.allowed {
                view! { <NotAllowed title="You may not upload data" permission=visit().acts.upload/> }.into_any()
            } else if problems.is_empty() {
                view! { <NoProblems/> }.into_any()
            } else {
                view! { <UploadForm problems/> }.into_any()
            }}
        </Load>
    }
}

#[component]
fn NoProblems() -> impl IntoView {
    view! {
        <Empty
            title="No problem to bring data for"
            text="Data is checked against a problem's document. Define the problem first."
        >
            <GatedLink
                permission=visit().acts.write
                href="/problems/new"
                label="Define a problem"
                kind="primary"
                icon="plus"
            />
        </Empty>
    }
}

#[component]
fn UploadForm(problems: Vec<ProblemSummary>) -> impl IntoView {
    let chosen = query_text("problem");
    let name = query_text("name");
    let refused = kept_for("/fn/upload_dataset").and_then(|kept| kept.refusal());
    let options = problems
        .into_iter()
        .map(|problem| {
            let selected = problem.slug == chosen.get_untracked();
            let label = format!("{} ({})", problem.title, problem.slug);
            view! { <option value=problem.slug selected=selected>{label}</option> }
        })
        .collect_view();
    view! {
        <form class="form" method="post" action="/fn/upload_dataset" enctype="multipart/form-data">
            {refused
                .map(|fault| {
                    view! {
                        <div class="callout" data-kind="error" role="alert" tabindex="-1">
                            <p class="callout-title">"The file was not taken"</p>
                            <p>{sentence(&fault.detail)}</p>
                        </div>
                    }
                })}
            <div class="field">
                <label class="label" for="problem">"Problem"</label>
                <p class="hint" id="problem-hint">"Its document says which columns are needed and what they may hold."</p>
                <select class="input" id="problem" name="problem" required aria-describedby="problem-hint">
                    {options}
                </select>
            </div>
            <Field
                name="name"
                label="Name of the dataset"
                hint="An existing name of the same problem gets a new version; versions are never changed."
                value=name.get_untracked()
            />
            <fieldset class="fieldset">
                <legend>"These rows"</legend>
                <label class="check">
                    <input type="radio" name="mode" value="replace" checked/>
                    <span>"are all there is: the new version holds them alone"</span>
                </label>
                <label class="check">
                    <input type="radio" name="mode" value="append"/>
                    <span>"come after those of the newest version, which stay as they are"</span>
                </label>
            </fieldset>
            <div class="field">
                <label class="label" for="file">"File"</label>
                <p class="hint" id="file-hint">
                    "CSV or lines of JSON, packed with gzip or zstd or not, or Parquet, told apart by content; at most 2 GiB. \
                     Column types are inferred from every row and shown afterwards; the problem may declare how CSV is written."
                </p>
                <input
                    class="input"
                    id="file"
                    name="file"
                    type="file"
                    required
                    accept=".csv,.ndjson,.jsonl,.gz,.zst,.parquet,text/csv,application/gzip,application/vnd.apache.parquet"
                    aria-describedby="file-hint"
                />
            </div>
            <div class="form-actions">
                <button class="button button-primary" type="submit" data-icon="upload">"Upload and check"</button>
                <a class="button button-quiet" href="/datasets">"Back to datasets"</a>
            </div>
        </form>
    }
}
