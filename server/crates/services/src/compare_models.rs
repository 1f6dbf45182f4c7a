//! Two versions of a model side by side: only where they differ.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{ComparedRow, ModelComparison, ModelVersionView};
use millrace_storage::{deployment, model};
use serde_json::Value;

use crate::{Result, Services, fault};

impl Services {
    /// Compares two versions.
    ///
    /// # Errors
    /// 404 when one of them is not there.
    pub async fn compare_versions(&self, actor: &Actor, slug: &str, a: i32, b: i32) -> Result<ModelComparison> {
        let (a, b) = (self.model_version(actor, slug, a).await?, self.model_version(actor, slug, b).await?);
        let (mut rows, mut equal) = (Vec::new(), 0);
        for group in [metrics, gates, inputs, parameters, origin] {
            let (name, of_a, of_b) = (group(&a).0, group(&a).1, group(&b).1);
            let names: BTreeSet<&String> = of_a.keys().chain(of_b.keys()).collect();
            for key in names {
                let (one, other) = (of_a.get(key), of_b.get(key));
                if one == other {
                    equal += 1;
                    continue;
                }
                let delta = one.and_then(Value::as_f64).zip(other.and_then(Value::as_f64));
                rows.push(ComparedRow {
                    group: name.to_owned(),
                    name: key.clone(),
                    a: one.map(text),
                    b: other.map(text),
                    delta: delta.map(|(one, other)| other - one),
                });
            }
        }
        let versions = model::versions(self.db.pool(), slug).await.map_err(fault)?;
        let versions = versions.iter().map(|version| version.number).collect();
        let are_known = !a.inputs.is_empty() && !b.inputs.is_empty();
        let new_inputs = are_known.then(|| new_inputs(&a.inputs, &b.inputs));
        Ok(ModelComparison { a: a.summary, b: b.summary, rows, equal, new_inputs, versions })
    }

    /// A version beside the live one; none where it is live itself, or no version is.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn beside_live(&self, actor: &Actor, slug: &str, number: i32) -> Result<Option<ModelComparison>> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("model/{slug}/v/{number}")).await?;
        let live = deployment::find(self.db.pool(), slug).await.map_err(fault)?;
        match live.and_then(|live| live.champion_number).filter(|live| *live != number) {
            Some(live) => self.compare_versions(actor, slug, live, number).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What one version reads that another one does not. What it does not read may be sent all the same.
fn new_inputs(a: &[(String, String)], b: &[(String, String)]) -> Vec<String> {
    let change = |(name, kind): &(String, String)| match a.iter().find(|(other, _)| other == name) {
        None => Some(format!("{name} ({kind})")),
        Some((_, before)) if before != kind => Some(format!("{name} as {kind}, no longer as {before}")),
        Some(_) => None,
    };
    b.iter().filter_map(change).collect()
}

type Facts = (&'static str, BTreeMap<String, Value>);

fn metrics(version: &ModelVersionView) -> Facts {
    // The floors say nothing of a version.
    let of_model = |name: &str| name.starts_with("test.") || name.starts_with("validation.");
    let finals = version.metrics.iter().filter(|metric| metric.step == 0 && of_model(&metric.name));
    ("metrics", finals.map(|metric| (metric.name.clone(), Value::from(metric.value))).collect())
}

fn gates(version: &ModelVersionView) -> Facts {
    let verdict = |gate: &millrace_domain::gate::Gate| match &gate.overridden {
        Some(given) => format!("{}, overridden by {}", gate.verdict, given.by),
        None => gate.verdict.to_string(),
    };
    ("gates", version.gates.iter().map(|gate| (gate.name.clone(), verdict(gate).into())).collect())
}

fn inputs(version: &ModelVersionView) -> Facts {
    ("inputs", version.inputs.iter().map(|(name, kind)| (name.clone(), kind.clone().into())).collect())
}

fn parameters(version: &ModelVersionView) -> Facts {
    let mut facts = BTreeMap::new();
    flatten("", version.parameters.as_ref().unwrap_or(&Value::Null), &mut facts);
    ("parameters", facts)
}

fn origin(version: &ModelVersionView) -> Facts {
    let mut facts = BTreeMap::new();
    flatten("", &version.provenance, &mut facts);
    let data = &version.dataset;
    facts.insert("dataset".to_owned(), format!("{} v{}", data.name, data.version).into());
    facts.insert("rows".to_owned(), data.rows.into());
    facts.insert("model bytes".to_owned(), version.artifact.clone().into());
    ("data and code", facts)
}

/// Leaves by their path.
fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, member, out);
            }
        }
        leaf => {
            out.insert(path.to_owned(), leaf.clone());
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_is_what_was_not_read_before_or_as_another_type_and_nothing_that_is_gone() {
        let inputs = |all: &[(&str, &str)]| {
            all.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect::<Vec<_>>()
        };
        let before = inputs(&[("miles", "number"), ("zone", "number"), ("tip", "number")]);
        let after = inputs(&[("miles", "number"), ("zone", "text"), ("hour", "number")]);
        assert_eq!(new_inputs(&before, &after), ["zone as text, no longer as number", "hour (number)"]);
        assert!(new_inputs(&before, &before[..1]).is_empty());
    }
}
