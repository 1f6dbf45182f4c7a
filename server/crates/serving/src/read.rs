//! Reading what was sent: each instance as the model's inputs, whom and when it is about, and everything that is wrong at once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::problem::{Mistake, TimeFormat};
use millrace_ml::model::{AsOf, Instance, InstanceProblem, micros};
use serde_json::{Map, Value};

use crate::online::State;
use crate::routes::Live;
use crate::threads::in_parts;

/// An instance that was understood.
pub(crate) struct Asked {
    pub instance: Instance,
    pub entity: Option<String>,
    pub event_time: Option<DateTime<Utc>>,
}

/// An instance that may have been sent to another model, and the place up to which the log was known that it is joined to.
pub(crate) fn read_one(
    live: &Live,
    sent: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<(Asked, Option<String>), String> {
    let state = live.online.as_ref().map(|online| online.state());
    let known = |name: &str| {
        let extra = [Some("entity"), Some("event_time"), live.data.entity.as_deref(), live.data.event_time.as_deref()];
        live.is_input(name) || extra.contains(&Some(name))
    };
    let sent = sent.iter().filter(|(name, _)| known(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    let read = read_all(live, None, std::slice::from_ref(&sent), now, state.as_deref());
    let read = read.map_err(|fault| fault.detail)?.pop().ok_or("nothing was asked")?;
    Ok((read, state.map(|state| state.seen.clone())))
}

/// Reads all instances, or names everything that is wrong with any of them.
pub(crate) fn read_all(
    live: &Live,
    known: Option<&HashSet<String>>,
    instances: &[Map<String, Value>],
    now: DateTime<Utc>,
    state: Option<&State>,
) -> Result<Vec<Asked>, Fault> {
    read_each(live, known, instances, now, state, |sent, is_known, as_of, event_time| {
        let instance = live.model.instance_among(sent, is_known, as_of)?;
        Ok(Asked { instance, entity: entity(live, sent), event_time })
    })
}

/// Reads each instance by `read`, which is given what was sent, what of it is no input and may be there all the same, and the time it is
/// about. What other versions read may be sent as well.
pub(crate) fn read_each<T: Send>(
    live: &Live,
    known: Option<&HashSet<String>>,
    instances: &[Map<String, Value>],
    now: DateTime<Utc>,
    state: Option<&State>,
    read: impl Fn(
        &Map<String, Value>,
        &dyn Fn(&str) -> bool,
        Option<AsOf<'_>>,
        Option<DateTime<Utc>>,
    ) -> Result<T, Vec<InstanceProblem>>
    + Sync,
) -> Result<Vec<T>, Fault> {
    let extra = [Some("entity"), Some("event_time"), live.data.entity.as_deref(), live.data.event_time.as_deref()];
    let is_known = |name: &str| extra.contains(&Some(name)) || known.is_some_and(|known| known.contains(name));
    let some = |first: usize, instances: &[Map<String, Value>]| {
        let mut mistakes = Vec::new();
        let mut asked = Vec::with_capacity(instances.len());
        for (position, sent) in instances.iter().enumerate() {
            let mut note = |name: &str, message: String| {
                let name = name.replace('~', "~0").replace('/', "~1");
                mistakes.push(Mistake { pointer: format!("/instances/{}/{name}", first + position), message });
            };
            for (name, _) in sent.iter().filter(|(_, value)| holds_nul(value)) {
                note(name, format!("{name:?} {NUL}"));
            }
            let event_time = event_time(live, sent).unwrap_or_else(|(name, message)| {
                note(name, message);
                None
            });
            let time = event_time.unwrap_or(now).timestamp_micros();
            let as_of = state.map(|state| AsOf { history: &state.history, time });
            match read(sent, &is_known, as_of, event_time) {
                Ok(one) => asked.push(one),
                Err(problems) => {
                    for problem in problems {
                        note(&problem.input, problem.to_string());
                    }
                }
            }
        }
        (asked, mistakes)
    };
    let parts = in_parts(instances, &some);
    let (asked, mistakes): (Vec<Vec<T>>, Vec<Vec<Mistake>>) = parts.into_iter().unzip();
    let mistakes: Vec<Mistake> = mistakes.into_iter().flatten().collect();
    if mistakes.is_empty() {
        return Ok(asked.into_iter().flatten().collect());
    }
    let listed: Vec<String> = mistakes.iter().map(|mistake| mistake.message.clone()).take(20).collect();
    Err(Fault { code: "invalid_instances".to_owned(), ..Fault::invalid(listed.join("; "), mistakes) })
}

/// What is wrong with a value that the log cannot keep.
pub(crate) const NUL: &str = "must not hold a NUL character (\\u0000), which cannot be kept";

pub(crate) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// `event_time` if it was sent, else the value of the document's column of the event's time.
fn event_time<'l>(live: &'l Live, sent: &Map<String, Value>) -> Result<Option<DateTime<Utc>>, (&'l str, String)> {
    let is_input = |name: &str| live.is_input(name);
    let column = live.data.event_time.as_deref().unwrap_or_default();
    let (name, format, json) = match (sent.get("event_time").filter(|_| !is_input("event_time")), sent.get(column)) {
        (Some(json), _) => ("event_time", TimeFormat::Iso, json),
        (None, Some(json)) => (column, live.data.time_format, json),
        (None, None) => return Ok(None),
    };
    if json.is_null() {
        return Ok(None);
    }
    let wanted = match format {
        TimeFormat::Iso => "a time as in \"2026-05-01T12:30:00Z\"",
        TimeFormat::UnixS => "a time in seconds since 1970",
        TimeFormat::UnixMs => "a time in milliseconds since 1970",
    };
    match micros(format, json).and_then(DateTime::from_timestamp_micros) {
        Some(time) => Ok(Some(time)),
        // What the model itself reads is judged with its inputs.
        None if is_input(name) => Ok(None),
        None => Err((name, format!("must be {wanted}"))),
    }
}

/// `entity` if it was sent, else the value of the document's entity column.
fn entity(live: &Live, sent: &Map<String, Value>) -> Option<String> {
    let named = sent.get("entity").or_else(|| sent.get(live.data.entity.as_ref()?))?;
    match named {
        Value::Null => None,
        Value::String(text) => Some(text.chars().take(200).collect()),
        other => Some(other.to_string().chars().take(200).collect()),
    }
}
