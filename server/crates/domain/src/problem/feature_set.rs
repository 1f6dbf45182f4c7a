//! The feature set of a document: how a model's inputs are computed, in training and in serving.
//!
//! It is versioned by its digest: two documents that differ only in goals, rollout or words have the same feature set.

use serde::{Deserialize, Serialize};

use super::{ProblemDocument, SourceTable};
use crate::digest::Digest;
use crate::expr::Expression;

/// What people should know of a feature set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutFeatures {
    /// Who answers for it: a person, a team, a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for, in a few sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl ProblemDocument {
    /// Identity of the feature set: over everything that says how inputs are computed, and no words about it.
    pub fn feature_set_digest(&self) -> Digest {
        let mut features = serde_json::json!(self.features);
        for feature in features.as_array_mut().into_iter().flatten() {
            if let Some(fields) = feature.as_object_mut() {
                fields.remove("description");
                fields.remove("known_before_label");
            }
        }
        let data = &self.data;
        Digest::of_canonical(&serde_json::json!({
            "entity": data.entity, "event_time": data.event_time, "known_time": data.known_time,
            "time_format": data.time_format, "features": features,
            "joins": [self.tables, self.lookups, self.aggregates],
        }))
    }

    /// What a model of this document would lose if `next` were signed off while it is live: the tables and columns that it is joined
    /// to are read and checked as the signed-off document says.
    pub fn broken_by(&self, next: &Self) -> Vec<String> {
        let mut broken = Vec::new();
        for name in self.joined_tables() {
            let (Some(before), after) = (self.table(name), next.table(name)) else { continue };
            let readers = self.readers_of(name);
            match after {
                None => broken.push(format!("{readers} of table {name}, which is no longer a table")),
                Some(after) => {
                    let changed = changed(before, after);
                    if !changed.is_empty() {
                        broken.push(format!("{readers} of table {name}, of which {} changes", changed.join(" and ")));
                    }
                }
            }
        }
        let past: Vec<&str> =
            self.aggregates.iter().filter(|one| one.table.is_none()).map(|one| one.name.as_str()).collect();
        if !past.is_empty() && self.data.event_time != next.data.event_time {
            broken.push(format!("{} of earlier rows, of which the event time changes", past.join(", ")));
        }
        broken
    }

    /// The lookups and aggregates that read a table, in words.
    fn readers_of(&self, table: &str) -> String {
        let lookups = self.lookups.iter().filter(|lookup| lookup.table == table).map(|lookup| lookup.name.as_str());
        let aggregates = self.aggregates.iter().filter(|one| one.table.as_deref() == Some(table));
        lookups.chain(aggregates.map(|one| one.name.as_str())).collect::<Vec<_>>().join(", ")
    }

    /// The columns of a table that joins read, each once.
    pub fn columns_of_table(&self, table: &SourceTable) -> std::collections::BTreeSet<String> {
        let mut names: std::collections::BTreeSet<String> = table.key.iter().cloned().collect();
        names.extend(table.event_time.clone());
        names.extend(table.known_time.clone());
        let read = self.features.iter().flat_map(|feature| feature.expression.columns());
        let read: Vec<&str> = read.chain(self.slices.iter().map(|slice| slice.by.as_str())).collect();
        for lookup in self.lookups.iter().filter(|lookup| lookup.table == table.name) {
            names.extend(read.iter().filter_map(|name| lookup.column(name)).map(str::to_owned));
        }
        let aggregates = self.aggregates.iter().filter(|aggregate| aggregate.table.as_ref() == Some(&table.name));
        let values = aggregates.filter_map(|aggregate| aggregate.of.as_ref()).flat_map(Expression::columns);
        names.extend(values.map(str::to_owned));
        names
    }

    /// The columns of the data's own rows that windowed aggregates read while a model is live.
    pub fn columns_of_past(&self) -> std::collections::BTreeSet<String> {
        let own: Vec<_> = self.aggregates.iter().filter(|one| one.table.is_none()).collect();
        if own.is_empty() {
            return std::collections::BTreeSet::new();
        }
        let values = own.iter().filter_map(|one| one.of.as_ref()).flat_map(Expression::columns).map(str::to_owned);
        let entities = own.iter().flat_map(|one| one.over.iter().cloned());
        values.chain(entities).chain(self.data.event_time.clone()).collect()
    }
}

/// What of a table's definition changes so that rows are found otherwise.
fn changed(before: &SourceTable, after: &SourceTable) -> Vec<&'static str> {
    let parts = [
        ("the key", before.key == after.key),
        ("the event time", before.event_time == after.event_time),
        ("the known time", before.known_time == after.known_time),
        ("the format of times", before.time_format == after.time_format),
    ];
    parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

#[cfg(all(test, feature = "parse"))]
mod tests {
    use serde_json::{Value, json};

    use crate::problem::ProblemDocument;

    fn document(change: impl FnOnce(&mut Value)) -> ProblemDocument {
        let mut document = json!({
            "slug": "loans", "title": "T", "decision": "D",
            "target": { "name": "y", "kind": "binary", "column": "y" },
            "data": { "event_time": "at", "entity": "id" },
            "tables": [
                { "name": "zips", "key": ["zip"], "event_time": "since" },
                { "name": "spare", "key": ["zip"] },
            ],
            "lookups": [{ "name": "home", "table": "zips", "on": ["zip"] }],
            "aggregates": [{ "name": "loans_30d", "over": ["id"], "function": "count", "window": "30d" }],
            "features": [{ "name": "income" }, { "name": "city", "type": "category", "expression": "\"home.city\"" }],
            "success": { "metric": "roc_auc", "at_least": 0.6 },
        });
        change(&mut document);
        ProblemDocument::from_json(&document).expect("the document is valid")
    }

    #[test]
    fn words_and_goals_leave_the_feature_set_as_it_is() {
        let changed = document(|document| {
            document["title"] = json!("another");
            document["success"]["at_least"] = json!(0.9);
            document["features"][0]["description"] = json!("a year, in dollars");
            document["feature_set"] =
                json!({ "owner": "risk@example.org", "description": "what is known of a person" });
        });
        assert_eq!(changed.feature_set_digest(), document(|_| ()).feature_set_digest());
        assert_eq!(ProblemDocument::from_json(&changed.to_json()), Ok(changed));
    }

    #[test]
    fn another_expression_is_another_feature_set() {
        let changed = document(|document| document["features"][0]["expression"] = json!("income * 2"));
        assert_ne!(changed.feature_set_digest(), document(|_| ()).feature_set_digest());
    }

    #[test]
    fn what_a_live_model_would_lose_is_listed() {
        let live = document(|_| ());
        let broken = |change: fn(&mut Value)| live.broken_by(&document(change));
        assert_eq!(broken(|_| ()), Vec::<String>::new());
        assert_eq!(
            broken(|document| {
                document["tables"][0]["name"] = json!("zip_codes");
                document["lookups"][0]["table"] = json!("zip_codes");
            }),
            ["home of table zips, which is no longer a table"]
        );
        assert_eq!(
            broken(|document| document["tables"][0]["event_time"] = json!("valid_from")),
            ["home of table zips, of which the event time changes"]
        );
        assert_eq!(
            broken(|document| document["data"]["event_time"] = json!("moment")),
            ["loans_30d of earlier rows, of which the event time changes"]
        );
        // A table that nothing reads may go.
        assert_eq!(broken(|document| drop(document["tables"].as_array_mut().unwrap().pop())), Vec::<String>::new());
    }
}
