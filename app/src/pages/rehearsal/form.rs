//! Asking for a rehearsal.

#![allow(clippy::too_many_arguments, reason = "the arguments of a server function are the fields of its form")]

use leptos::prelude::*;
use millrace_domain::view::{RehearsalRequest, RehearsalsView, breakage};

use crate::components::{Field, FieldError, GatedButton, TextArea};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Asks for a rehearsal and leads to its page. The fields come as they were typed, so that every mistake can be told at once.
#[server(name = AskForRehearsal, prefix = "/fn", endpoint = "ask_for_rehearsal")]
pub async fn ask_for_rehearsal(
    slug: String,
    version: String,
    dataset: String,
    policy: String,
    trainer: String,
    calibration: String,
    parameters: String,
    from: String,
    trained_on: String,
    schedule: String,
    seed: String,
    #[server(default)] staged: bool,
    drill_column: String,
    drill_how: String,
    drill_by: String,
    drill_from: String,
    drill_until: String,
    #[server(default)] drill_model: bool,
) -> Result<String, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [
        ("version", version.as_str()),
        ("dataset", &dataset),
        ("policy", &policy),
        ("trainer", &trainer),
        ("calibration", &calibration),
        ("parameters", &parameters),
        ("from", &from),
        ("trained_on", &trained_on),
        ("schedule", &schedule),
        ("seed", &seed),
        ("staged", if staged { "true" } else { "" }),
        ("drill_column", &drill_column),
        ("drill_how", &drill_how),
        ("drill_by", &drill_by),
        ("drill_from", &drill_from),
        ("drill_until", &drill_until),
        ("drill_model", if drill_model { "true" } else { "" }),
    ];
    let asked = async { services.rehearse(&actor, &slug, &read(&typed)?).await };
    let id = crate::caller::submitted(&typed, asked).await?;
    leptos_axum::redirect(&format!("/rehearsals/{id}"));
    Ok(id.to_string())
}

/// The request that the fields ask for.
#[cfg(feature = "ssr")]
fn read(typed: &[(&str, &str)]) -> Result<RehearsalRequest, millrace_domain::fault::Fault> {
    use millrace_domain::fault::Fault;
    use millrace_domain::problem::Mistake;
    use millrace_domain::view::DrillRequest;

    use crate::pages::run::{dataset_version, number, object};

    let value = |name: &str| typed.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value.trim());
    let given = |name: &str| Some(value(name).to_owned()).filter(|text| !text.is_empty());
    let mut mistakes = Vec::new();
    let mut note = |pointer: &str, message: &str| {
        mistakes.push(Mistake { pointer: pointer.to_owned(), message: message.to_owned() });
    };
    let (dataset, dataset_version) = match dataset_version(value("dataset")) {
        Ok(chosen) => chosen.unzip(),
        Err(message) => {
            note("/dataset", message);
            (None, None)
        }
    };
    let version = number(value("version")).unwrap_or_else(|()| {
        note("/version", "choose a version from the list");
        None
    });
    let seed = number(value("seed")).unwrap_or_else(|()| {
        note("/seed", "must be a whole number, 0 or more; leave it empty for 0");
        None
    });
    let parameters = object(value("parameters")).unwrap_or_else(|()| {
        note("/parameters", "must be a JSON object such as {\"max_depth\": 6}; leave it empty for the defaults");
        None
    });
    let mut time = |name: &str, pointer: &str| {
        let text = given(name)?;
        // A day is its beginning.
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text };
        let read = whole.parse();
        read.map_err(|_| note(pointer, "must be a day such as 2026-03-01, or a time such as 2026-03-01T06:00:00Z")).ok()
    };
    let (from, drill_from) = (time("from", "/from"), time("drill_from", "/drill/from"));
    let until = time("drill_until", "/drill/until");
    let by = given("drill_by").and_then(|text| {
        let read = text.parse().ok();
        if read.is_none() {
            note("/drill/by", "must be a number; leave it empty for 1");
        }
        read
    });
    let drill = match (given("drill_column"), drill_from) {
        (Some(column), Some(from)) => {
            let (how, model) = (given("drill_how").unwrap_or_default(), given("drill_model").is_some());
            Some(DrillRequest { column, how, by, from, until, model })
        }
        (Some(_), None) if given("drill_from").is_none() => {
            note("/drill/from", "say from when on it breaks");
            None
        }
        _ => None,
    };
    match mistakes.as_slice() {
        [] => {}
        [one] => return Err(Fault::field(&one.pointer, one.message.clone())),
        _ => return Err(Fault::invalid("some fields cannot be read", mistakes)),
    }
    Ok(RehearsalRequest {
        version,
        dataset,
        dataset_version,
        policy: given("policy"),
        trainer: given("trainer"),
        parameters,
        calibration: given("calibration"),
        from,
        trained_on: given("trained_on"),
        schedule: given("schedule"),
        seed,
        staged: given("staged").is_some(),
        drill,
    })
}

/// The form; it begins with what an earlier rehearsal was asked.
#[component]
pub fn RehearsalForm(view: RehearsalsView, begin: RehearsalRequest, form: PageForm<AskForRehearsal>) -> impl IntoView {
    let value = move |name: &str, begun: String| form.typed(name).unwrap_or(begun);
    let error = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let newest = view.versions.first().map_or(0, |(number, _)| *number);
    let version = value("version", begin.version.unwrap_or(newest).to_string());
    let versions: Vec<_> = view
        .versions
        .iter()
        .map(|(number, state)| {
            let words = format!("version {number}, {}", crate::wording::state_words(state).to_lowercase());
            (number.to_string(), words)
        })
        .collect();
    let chosen =
        begin.dataset.clone().zip(begin.dataset_version).map(|(dataset, number)| format!("{dataset}/{number}"));
    let datasets: Vec<_> = view
        .datasets
        .iter()
        .map(|data| {
            let rows = data
                .rows
                .map_or_else(String::new, |rows| format!(", {} rows", millrace_charts::count(rows.unsigned_abs())));
            (format!("{}/{}", data.dataset, data.version), format!("{} version {}{rows}", data.name, data.version))
        })
        .collect();
    let trainers: Vec<_> = view.trainers.iter().map(|trainer| (trainer.clone(), trainer.replace('_', " "))).collect();
    let parameters = begin.parameters.filter(|given| given.as_object().is_some_and(|given| !given.is_empty()));
    let parameters = parameters.map(|given| given.to_string()).unwrap_or_default();
    let columns: Vec<_> = std::iter::once((String::new(), "nothing".to_owned()))
        .chain(view.columns.iter().map(|column| (column.clone(), column.clone())))
        .chain(view.labels.iter().map(|column| (column.clone(), format!("{column} (label)"))))
        .collect();
    let ways =
        ["stuck", "shuffled", "missing", "drifting"].map(|word| (word.to_owned(), breakage(word).to_owned())).to_vec();
    let moment = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let begun = begin.drill.clone();
    let drill = (
        value("drill_column", begun.as_ref().map(|drill| drill.column.clone()).unwrap_or_default()),
        value("drill_how", begun.as_ref().map(|drill| drill.how.clone()).unwrap_or_default()),
        value("drill_from", begun.as_ref().map(|drill| moment(drill.from)).unwrap_or_default()),
        value("drill_until", begun.as_ref().and_then(|drill| drill.until).map(moment).unwrap_or_default()),
        value("drill_by", begun.as_ref().and_then(|drill| drill.by).map(|by| by.to_string()).unwrap_or_default()),
    );
    let goes_out =
        form.typed("drill_model").map_or_else(|| begun.is_some_and(|drill| drill.model), |typed| typed == "true");
    let staged = form.typed("staged").map_or(begin.staged, |typed| typed == "true");
    let policy = value("policy", begin.policy.clone().unwrap_or_default());
    view! {
        <ActionForm action=form.action attr:class="form">
            <input type="hidden" name="slug" value=view.slug.clone()/>
            // A rehearsal that is asked again keeps it.
            <input type="hidden" name="calibration" value=value("calibration", begin.calibration.clone().unwrap_or_default())/>
            <div class="form-row">
                <Choice name="version" label="Document" options=versions chosen=version error=error("/version")/>
                <Choice
                    name="dataset"
                    label="The past"
                    options=datasets
                    chosen=value("dataset", chosen.unwrap_or_default())
                    error=error("/dataset")
                />
            </div>
            <div class="field">
                <label class="label" for="policy">"Another policy" " " <span class="optional">"optional"</span></label>
                <p class="hint" id="policy-hint">
                    "Empty: the document's own. Tables [monitoring] and [retraining] that stand here are tried in its place; nothing is in force \
                     before a document that has them is signed."
                </p>
                <TextArea
                    name="policy"
                    text=policy
                    rows=14
                    code=true
                    described_by="policy-hint policy-error"
                    invalid=Signal::derive(move || form.error_at("/policy").is_some())
                />
                <FieldError name="policy" error=error("/policy")/>
                <details>
                    <summary>{format!("The policy of version {newest}, to begin with")}</summary>
                    <pre class="code" tabindex="0" aria-label="The policy of the newest version"><code>{view.policy.clone()}</code></pre>
                </details>
            </div>
            <div class="form-row">
                <Choice
                    name="trainer"
                    label="Trainer"
                    options=trainers
                    chosen=value("trainer", begin.trainer.clone().unwrap_or_default())
                    error=error("/trainer")
                />
                <Field
                    name="trained_on"
                    label="Trained on the last"
                    hint="For example 16w; empty means all that was known."
                    value=value("trained_on", begin.trained_on.clone().unwrap_or_default())
                    optional=true
                    error=error("/trained_on")
                />
            </div>
            <div class="form-row">
                <Field
                    name="from"
                    label="First model trained at"
                    hint="A day or a time in UTC; empty means after a third of the rows."
                    value=value("from", begin.from.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default())
                    optional=true
                    error=error("/from")
                />
                <Field
                    name="schedule"
                    label="Schedule to compare with"
                    hint="Five-field cron in UTC; empty means Mondays at three."
                    value=value("schedule", begin.schedule.clone().unwrap_or_default())
                    optional=true
                    error=error("/schedule")
                />
            </div>
            <label class="check">
                <input type="checkbox" name="staged" value="true" checked=staged/>
                <span>"Trained models go out step by step, by the document's rollout; else each that passes answers from the next window on"</span>
            </label>
            <fieldset class="fieldset">
                <legend>"Fire drill"</legend>
                <p class="hint">
                    "Optional: a column breaks in the past, or a model of such data goes out by the document's rollout, and it is told how long it \
                     takes until somebody would have been told, the model was taken back or another one went live, and answers were good again."
                </p>
                <div class="form-row">
                    <Choice name="drill_column" label="Breaks" options=columns chosen=drill.0 error=error("/drill/column")/>
                    <Choice name="drill_how" label="How" options=ways chosen=drill.1 error=error("/drill/how")/>
                    <Field
                        name="drill_by"
                        label="By"
                        hint="For drift: standard deviations, or of words a share. Empty means 1."
                        value=drill.4
                        optional=true
                        error=error("/drill/by")
                    />
                </div>
                <label class="check">
                    <input type="checkbox" name="drill_model" value="true" checked=goes_out/>
                    <span>
                        "The data stays whole, and a model that was fitted on such data, or labels, goes out at that time, whatever its gates say"
                    </span>
                </label>
                <div class="form-row">
                    <Field
                        name="drill_from"
                        label="From"
                        hint="A day or a time in UTC, after the first model."
                        value=drill.2
                        optional=true
                        error=error("/drill/from")
                    />
                    <Field
                        name="drill_until"
                        label="Until"
                        hint="Empty means to the end."
                        value=drill.3
                        optional=true
                        error=error("/drill/until")
                    />
                </div>
            </fieldset>
            <details>
                <summary>"Hyperparameters and seed"</summary>
                <div class="stack">
                    <div class="field">
                        <label class="label" for="parameters">"Parameters" " " <span class="optional">"optional"</span></label>
                        <p class="hint" id="parameters-hint">"A JSON object, for example {\"max_depth\": 6}; empty means the defaults."</p>
                        <TextArea
                            name="parameters"
                            text=value("parameters", parameters)
                            rows=3
                            code=true
                            described_by="parameters-hint parameters-error"
                            invalid=Signal::derive(move || form.error_at("/parameters").is_some())
                        />
                        <FieldError name="parameters" error=error("/parameters")/>
                    </div>
                    <Field
                        name="seed"
                        label="Seed"
                        kind="number"
                        hint="Of every training; empty means 0."
                        value=value("seed", begin.seed.map(|seed| seed.to_string()).unwrap_or_default())
                        optional=true
                        error=error("/seed")
                    />
                </div>
            </details>
            <div class="form-actions">
                <GatedButton permission=view.may_rehearse label="Rehearse" kind="primary" icon="play"/>
            </div>
        </ActionForm>
    }
}

#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    chosen: String,
    error: Signal<Option<String>>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(word, words)| {
            let selected = word == chosen;
            view! { <option value=word selected=selected>{words}</option> }
        })
        .collect();
    view! {
        <div class="field">
            <label class="label" for=name>{label}</label>
            <select
                class="input"
                id=name
                name=name
                aria-invalid=move || error.get().map(|_| "true")
                aria-describedby=move || error.get().map(|_| format!("{name}-error"))
            >
                {options}
            </select>
            <FieldError name error/>
        </div>
    }
}
