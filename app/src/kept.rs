//! What an act leaves for the next page to show, for browsers that post forms without WASM.

use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use serde::{Deserialize, Serialize};

/// The query parameter that says: this page shows what was kept under this id.
pub const KEPT: &str = "kept";

/// An answer that waits on the server for one page of one browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Names it in the address, so that no other page shows it.
    pub id: String,
    /// The server function it answers, for example `/fn/sign_in`.
    pub form: String,
    /// How the act ended.
    pub outcome: Outcome,
    /// Fields as they were typed: name and value.
    pub typed: Vec<(String, String)>,
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was refused.
    Refused(Fault),
    /// It was done, and this is to be shown once.
    Done(String),
}

impl Kept {
    /// An answer; its id follows from what it says.
    pub fn new(form: String, outcome: Outcome, typed: &[(&str, &str)]) -> Self {
        let typed: Vec<(String, String)> =
            typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let id = Digest::of_canonical(&serde_json::json!([form, outcome, typed])).short();
        Self { id, form, outcome, typed }
    }

    /// A refusal that nobody kept; its id is empty, and it belongs to any address.
    pub fn unasked(form: &str, fault: Fault) -> Self {
        Self { id: String::new(), form: form.to_owned(), outcome: Outcome::Refused(fault), typed: Vec::new() }
    }

    /// Why the act was refused.
    pub fn refusal(&self) -> Option<Fault> {
        match &self.outcome {
            Outcome::Refused(fault) => Some(fault.clone()),
            Outcome::Done(_) => None,
        }
    }

    /// What is shown once after the act was done.
    pub fn done(self) -> Option<String> {
        match self.outcome {
            Outcome::Refused(_) => None,
            Outcome::Done(text) => Some(text),
        }
    }

    /// A field as it was typed.
    pub fn typed(&self, name: &str) -> Option<&str> {
        self.typed.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
