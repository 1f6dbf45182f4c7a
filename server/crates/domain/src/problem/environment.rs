//! Environments: where rows come from that are not trained on, such as what a model is asked with.
//!
//! The dataset that has an environment's name is checked by the same rules as the data, but for the columns that are not there:
//! a label, above all. What is compared with what it was trained on shows whether training and serving differ.

use serde::{Deserialize, Serialize};

use super::ProblemDocument;
use crate::run::DatasetRole;

/// Rows that are not trained on: the dataset of the problem that has its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Columns that need not be there: no feature reads them, and they are no key of a join. Those that only the label is computed
    /// from, when nothing is said.
    pub without: Vec<String>,
    /// The dataset whose newest valid version its distributions are compared with; its own version before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
}

impl Environment {
    /// Whether the label need not be there.
    pub fn lacks_label(&self, document: &ProblemDocument) -> bool {
        document.target.columns().iter().any(|column| self.lacks(column))
    }

    /// Whether a column need not be there.
    pub fn lacks(&self, column: &str) -> bool {
        self.without.iter().any(|one| one == column)
    }
}

impl ProblemDocument {
    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// What the rows of the dataset of that name are.
    pub fn role_of(&self, dataset: &str) -> DatasetRole {
        if self.table(dataset).is_some() {
            DatasetRole::Table
        } else if self.environment(dataset).is_some() {
            DatasetRole::Environment
        } else {
            DatasetRole::Examples
        }
    }
}

#[cfg(feature = "parse")]
mod read {
    use std::collections::BTreeMap;

    use super::Environment;
    use crate::problem::walk::Table;
    use crate::problem::{Data, Feature, SourceTable, Target};

    /// More than this are refused.
    const MOST: usize = 20;

    /// What a document says besides that its environments must agree with, as far as it could be read.
    pub(in crate::problem) struct Read<'a> {
        pub data: Option<&'a Data>,
        pub target: Option<&'a Target>,
        pub features: &'a [Feature],
        pub tables: &'a [SourceTable],
        /// Columns that say which rows are joined.
        pub keys: Vec<&'a str>,
    }

    impl<'a> Read<'a> {
        /// The columns that an answer takes, each with who reads it.
        fn needed(&self) -> BTreeMap<&'a str, String> {
            let mut needed = BTreeMap::new();
            for feature in self.features {
                for column in feature.expression.columns() {
                    needed.entry(column).or_insert_with(|| format!("the feature {}", feature.name));
                }
            }
            for column in &self.keys {
                needed.entry(*column).or_insert_with(|| "a join as its key".to_owned());
            }
            let data = self.data;
            let own = [
                ("the entity", data.and_then(|data| data.entity.as_deref())),
                ("the event time", data.and_then(|data| data.event_time.as_deref())),
            ];
            for (role, column) in own.into_iter().filter_map(|(role, column)| Some((role, column?))) {
                needed.entry(column).or_insert_with(|| role.to_owned());
            }
            needed
        }
    }

    /// The environments of a document.
    pub(in crate::problem) fn environments(table: &Table<'_>, read: &Read<'_>) -> Vec<Environment> {
        let entries = table.tables("environments");
        if entries.len() > MOST {
            table.mistake("environments", format!("are {}; at most {MOST} are allowed", entries.len()));
            return Vec::new();
        }
        let needed = read.needed();
        let names: Vec<Option<&str>> = entries.iter().map(|entry| entry.optional_text("name")).collect();
        let mut environments: Vec<Environment> = Vec::with_capacity(entries.len());
        for entry in &entries {
            let Some(environment) = environment(entry, read, &needed) else { continue };
            if environments.iter().any(|other| other.name == environment.name) {
                entry.mistake("name", format!("{:?} comes twice; names must differ", environment.name));
            }
            if let Some(other) = &environment.compared_to
                && names.contains(&Some(other.as_str()))
            {
                entry.mistake("compared_to", format!("{other:?} is an environment; name a dataset that is trained on"));
            }
            environments.push(environment);
        }
        environments
    }

    fn environment(table: &Table<'_>, read: &Read<'_>, needed: &BTreeMap<&str, String>) -> Option<Environment> {
        let name = table.line("name", 100);
        let is_table = |name: &str| read.tables.iter().any(|table| table.name == name);
        if let Some(name) = name.as_deref().filter(|name| is_table(name)) {
            table.mistake("name", format!("{name:?} is one of [[tables]]; a dataset is one of both"));
        }
        let without = if table.has("without") { Some(table.optional_texts("without")?) } else { None };
        for column in without.iter().flatten() {
            if let Some(reader) = needed.get(column.as_str()) {
                let message = format!("{column:?} is read by {reader}, which could not be computed without it");
                table.mistake("without", message);
            }
        }
        let compared_to = if table.has("compared_to") { Some(table.line("compared_to", 100)?) } else { None };
        if let Some(other) = compared_to.as_deref().filter(|other| is_table(other)) {
            table.mistake("compared_to", format!("{other:?} is one of [[tables]]; name a dataset that is trained on"));
        }
        table.close();
        let without = without.unwrap_or_else(|| {
            let label = read.target.map(Target::columns).unwrap_or_default();
            label.into_iter().filter(|column| !needed.contains_key(column)).map(str::to_owned).collect()
        });
        Some(Environment { name: name?, without, compared_to })
    }
}

#[cfg(feature = "parse")]
pub(super) use read::{Read, environments};

#[cfg(all(test, feature = "parse"))]
mod tests {
    use super::Environment;
    use crate::problem::{Mistake, ProblemDocument};
    use crate::run::DatasetRole;

    fn read(environments: &str) -> Result<ProblemDocument, Vec<Mistake>> {
        ProblemDocument::parse(&format!(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\n\
             target = {{ name = \"y\", kind = \"binary\", expression = \"tips > fare * 0.2\" }}\n\
             data = {{ entity = \"id\", split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n\
             success = {{ metric = \"roc_auc\", at_least = 0.6 }}\nfeatures = [{{ name = \"fare\" }}]\n\
             tables = [{{ name = \"drivers\", key = [\"id\"] }}]\n{environments}"
        ))
    }

    fn mistakes(environments: &str) -> Vec<String> {
        read(environments).expect_err("they are mistaken").into_iter().map(|mistake| mistake.pointer).collect()
    }

    #[test]
    fn an_environment_lacks_what_only_the_label_is_computed_from() {
        let document = read("environments = [{ name = \"requests\", compared_to = \"trips\" }]").unwrap();
        assert_eq!(document.environment("requests").unwrap().without, ["tips"]);
        let roles = ["trips", "drivers", "requests"].map(|name| document.role_of(name));
        assert_eq!(roles, [DatasetRole::Examples, DatasetRole::Table, DatasetRole::Environment]);
        assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
    }

    #[test]
    fn what_an_answer_takes_cannot_be_absent() {
        for column in ["fare", "id"] {
            let found = mistakes(&format!("environments = [{{ name = \"requests\", without = [\"{column}\"] }}]"));
            assert_eq!(found, ["/environments/0/without"], "{column}");
        }
        let lacking = read("environments = [{ name = \"requests\", without = [\"tips\", \"paid\"] }]").unwrap();
        assert_eq!(
            lacking.environments,
            [Environment {
                name: "requests".to_owned(),
                without: ["tips", "paid"].map(str::to_owned).to_vec(),
                compared_to: None,
            }]
        );
    }

    #[test]
    fn what_is_only_remembered_of_earlier_rows_can_be_absent() {
        let document = ProblemDocument::parse(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\n\
             target = { name = \"y\", kind = \"binary\", expression = \"tips > fare * 0.2\" }\n\
             data = { entity = \"id\", event_time = \"at\" }\n\
             success = { metric = \"roc_auc\", at_least = 0.6 }\nfeatures = [{ name = \"fare\" }]\n\
             environments = [{ name = \"requests\" }, { name = \"labelled\", without = [] }]\n\
             [[aggregates]]\nname = \"tips_7d\"\nover = \"id\"\nfunction = \"mean\"\nof = \"tips\"\nwindow = \"7d\"\n",
        );
        let document = document.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        assert_eq!(document.environment("requests").unwrap().without, ["tips"]);
        assert!(document.environment("requests").unwrap().lacks_label(&document));
        assert!(!document.environment("labelled").unwrap().lacks_label(&document));
    }

    #[test]
    fn a_dataset_is_one_thing() {
        assert_eq!(mistakes("environments = [{ name = \"drivers\" }]"), ["/environments/0/name"]);
        assert_eq!(
            mistakes("environments = [{ name = \"a\" }, { name = \"a\", compared_to = \"drivers\" }]"),
            ["/environments/1/compared_to", "/environments/1/name"]
        );
        assert_eq!(
            mistakes("environments = [{ name = \"a\" }, { name = \"b\", compared_to = \"a\" }]"),
            ["/environments/1/compared_to"]
        );
    }

    #[test]
    fn a_document_without_environments_keeps_its_digest() {
        assert!(!read("").unwrap().to_json().to_string().contains("environments"));
    }
}
