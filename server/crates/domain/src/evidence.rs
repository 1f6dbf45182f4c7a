//! Evidence packs: what a model version rests on, as files that anybody can check without the server that made them.
//!
//! The digests tie them together: the manifest names every file by its content; the version's digest covers artifact, gates
//! and provenance; the provenance names the document that was signed and the data; approvals are of these digests. Who gave them, and
//! who launched the run, stands in the pack as the server told it: nobody signs it, so the version's digest has to be compared with
//! what is known from elsewhere (the server, a letter, the audit trail).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Entry;
use crate::digest::Digest;
use crate::gate::{Gate, Verdict};
use crate::ids::{AccountId, RunId};
use crate::problem::ProblemDocument;
use crate::run::ReviewDecision;

/// The form that packs have.
pub const FORMAT: &str = "millrace-evidence/1";
/// The file that names the others.
pub const MANIFEST: &str = "manifest.json";
/// What people approve: see [`VersionFile`].
pub const VERSION: &str = "version.json";
/// The model's bytes.
pub const MODEL: &str = "model";
/// The signed document: see [`ProblemFile`].
pub const PROBLEM: &str = "problem.json";
/// The run: see [`RunFile`].
pub const RUN: &str = "run.json";
/// The decisions of people: a list of [`DecisionFile`].
pub const DECISIONS: &str = "decisions.json";
/// The data: its `digest` is the one that the version was made of.
pub const DATASET: &str = "dataset.json";
/// The acts on all this: a list of [`ActFile`]; only for those who may read the audit trail.
pub const ACTS: &str = "acts.json";

/// What is in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Model.
    pub model: String,
    /// Version.
    pub version: i32,
    /// Its digest.
    pub digest: Digest,
    /// Digests of all other files by name.
    pub files: BTreeMap<String, Digest>,
}

/// What a version's digest covers, member by member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionFile {
    /// Digest of the model's bytes.
    pub artifact: Digest,
    /// What it proved.
    pub gates: Vec<Gate>,
    /// Code, data and document digests.
    pub provenance: Value,
    /// The run that made it.
    pub run: RunId,
}

impl VersionFile {
    /// The digest that people approve.
    pub fn digest(&self) -> Digest {
        let Self { artifact, gates, provenance, run } = self;
        let value = serde_json::json!({ "artifact": artifact, "gates": gates, "provenance": provenance, "run": run });
        Digest::of_canonical(&value)
    }
}

/// The document that was signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemFile {
    /// Version of the document.
    pub version: i32,
    /// Who wrote it.
    pub author: AccountId,
    /// The document; its canonical form has the digest.
    pub document: Value,
}

/// The run that made the version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// Its id.
    pub id: RunId,
    /// Who launched it.
    pub author: AccountId,
    /// Who started it anew.
    pub retried_by: Vec<AccountId>,
    /// What was asked.
    pub request: Value,
    /// The parameters it was fitted with.
    pub parameters: Option<Value>,
    /// What was measured, by name.
    pub metrics: BTreeMap<String, Value>,
}

/// A decision of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFile {
    /// On which digest.
    pub digest: Digest,
    /// Whose account.
    pub account: AccountId,
    /// Their name.
    pub name: String,
    /// What.
    pub decision: ReviewDecision,
    /// In their words.
    pub comment: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An entry of the audit trail with its place in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActFile {
    /// The entry.
    pub entry: Entry,
    /// Hash of the entry before it.
    pub previous: Digest,
    /// Its own.
    pub hash: Digest,
}

/// Why a pack proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

fn broken<T>(reason: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(reason.into()))
}

/// Checks a pack, file contents by name; gives what holds, a sentence each.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>, Broken> {
    let manifest: Manifest = read(files, MANIFEST)?;
    if manifest.format != FORMAT {
        return broken(format!("{MANIFEST} says the form is {:?}; this reads {FORMAT}", manifest.format));
    }
    let named: BTreeSet<&String> = manifest.files.keys().collect();
    let there: BTreeSet<&String> = files.keys().filter(|name| *name != MANIFEST).collect();
    if let Some(name) = named.symmetric_difference(&there).next() {
        return broken(format!("{name} is in the pack or in its manifest, but not in both"));
    }
    for (name, digest) in &manifest.files {
        if Digest::of(&files[name]) != *digest {
            return broken(format!("{name} does not have the content that the manifest names"));
        }
    }
    let mut holds = vec![format!("{} files have the content that the manifest names", manifest.files.len())];
    let version: VersionFile = read(files, VERSION)?;
    if version.digest() != manifest.digest {
        return broken(format!("{VERSION} does not have the version's digest {}", manifest.digest));
    }
    if Digest::of(content(files, MODEL)?) != version.artifact {
        return broken("the model's bytes are not those of the version");
    }
    holds.push(format!(
        "{} v{} has the digest {}, and the model's bytes are its own",
        manifest.model, manifest.version, manifest.digest
    ));
    let problem: ProblemFile = read(files, PROBLEM)?;
    let signed = Digest::of_canonical(&problem.document);
    if version.provenance["problem_digest"] != signed.to_string() {
        return broken("the document is not the one that the version was made for");
    }
    let Ok(document) = ProblemDocument::from_json(&problem.document) else {
        return broken("the document is not one that could be signed");
    };
    if files.contains_key(DATASET) {
        let data: Value = read(files, DATASET)?;
        if data["digest"] != version.provenance["dataset_digest"] {
            return broken("the data is not what the version was made of");
        }
        holds.push("the data's report names the data that the version was made of".to_owned());
    }
    let run: RunFile = read(files, RUN)?;
    if run.id != version.run {
        return broken("the run is not the one that made the version");
    }
    holds.extend(gates_hold(&version.gates)?);
    let decisions: Vec<DecisionFile> = read(files, DECISIONS)?;
    // Servers' clocks may be apart by a little.
    let is_before = |one: &DecisionFile, other: &DecisionFile| one.at > other.at + chrono::TimeDelta::minutes(1);
    if decisions.windows(2).any(|pair| pair[0].digest == pair[1].digest && is_before(&pair[0], &pair[1])) {
        return broken("decisions on one thing are not in the order of time");
    }
    let needed = document.approvals.specification as usize;
    // Once signed, it was signed, whatever was asked for later.
    let signers = (0..=decisions.len())
        .map(|end| approvers(&decisions[..end], signed, &[problem.author]))
        .find(|given| given.as_ref().map_or(true, |given| given.len() >= needed))
        .unwrap_or_else(|| approvers(&decisions, signed, &[problem.author]))?;
    if signers.len() < needed {
        return broken(format!("the document has {} of {needed} approvals", signers.len()));
    }
    holds.push(format!("version {} of the document was signed by {}", problem.version, signers.join(" and ")));
    let launched = std::iter::once(run.author).chain(run.retried_by.iter().copied());
    let overrode = version.gates.iter().filter_map(|gate| Some(gate.overridden.as_ref()?.account));
    let authors: Vec<AccountId> = launched.chain(overrode).collect();
    let approved_by = approvers(&decisions, manifest.digest, &authors)?;
    let needed = document.approvals.promotion as usize;
    holds.push(match approved_by.len() >= needed {
        true => format!("the version was approved by {}", approved_by.join(" and ")),
        false => format!("the version has {} of {needed} approvals: it may not be used yet", approved_by.len()),
    });
    if files.contains_key(ACTS) {
        let acts: Vec<ActFile> = read(files, ACTS)?;
        if let Some(act) = acts.iter().find(|act| act.entry.hash(&act.previous) != act.hash) {
            return broken(format!("entry {} of the audit trail was changed", act.entry.sequence));
        }
        holds.push(format!("{} entries of the audit trail have their hashes", acts.len()));
    }
    Ok(holds)
}

fn gates_hold(gates: &[Gate]) -> Result<Vec<String>, Broken> {
    let open: Vec<&Gate> = gates.iter().filter(|gate| gate.verdict != Verdict::Pass).collect();
    if gates.is_empty() {
        return broken("no gate was evaluated");
    }
    let mut holds = vec![format!("{} of {} gates passed", gates.len() - open.len(), gates.len())];
    for gate in open {
        match &gate.overridden {
            None => return broken(format!("the gate {} did not pass and nobody overrode it", gate.name)),
            Some(given) => holds.push(format!(
                "the gate {} did not pass and was overridden by {} until {}: {}",
                gate.name,
                given.by,
                given.until.format("%Y-%m-%d"),
                given.reason
            )),
        }
    }
    Ok(holds)
}

/// Names of those who approved a digest after changes of it were last requested; an author among them breaks the pack.
fn approvers(decisions: &[DecisionFile], digest: Digest, authors: &[AccountId]) -> Result<Vec<String>, Broken> {
    let mut given: BTreeMap<AccountId, String> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.digest == digest) {
        match decision.decision {
            ReviewDecision::RequestChanges => given.clear(),
            ReviewDecision::Comment => {}
            ReviewDecision::Approve if authors.contains(&decision.account) => {
                return broken(format!("{} approved their own work", decision.name));
            }
            ReviewDecision::Approve => {
                given.insert(decision.account, decision.name.clone());
            }
        }
    }
    Ok(given.into_values().collect())
}

fn content<'f>(files: &'f BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'f [u8], Broken> {
    files.get(name).map(Vec::as_slice).ok_or_else(|| Broken(format!("{name} is missing")))
}

fn read<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<T, Broken> {
    serde_json::from_slice(content(files, name)?).map_err(|error| Broken(format!("{name} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::tests::TAXI;

    fn decision(digest: Digest, account: i64) -> DecisionFile {
        DecisionFile {
            digest,
            account: AccountId(account),
            name: format!("person {account}"),
            decision: ReviewDecision::Approve,
            comment: String::new(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    struct Pack {
        version: VersionFile,
        decisions: Vec<DecisionFile>,
        files: BTreeMap<String, Vec<u8>>,
    }

    impl Pack {
        /// Account 1 wrote and launched, account 2 signed and approved.
        fn sound() -> Self {
            let document = json!(ProblemDocument::parse(TAXI).unwrap());
            let signed = Digest::of_canonical(&document);
            let version = VersionFile {
                artifact: Digest::of("bytes"),
                gates: vec![Gate { verdict: Verdict::Pass, ..Gate::new("a", "a holds") }],
                provenance: json!({ "problem_digest": signed }),
                run: RunId(7),
            };
            let problem = ProblemFile { version: 3, author: AccountId(1), document };
            let run = RunFile {
                id: RunId(7),
                author: AccountId(1),
                retried_by: Vec::new(),
                request: json!({}),
                parameters: None,
                metrics: BTreeMap::new(),
            };
            let decisions = vec![decision(signed, 2), decision(version.digest(), 2)];
            let files = [
                (MODEL, b"bytes".to_vec()),
                (PROBLEM, serde_json::to_vec(&problem).unwrap()),
                (RUN, serde_json::to_vec(&run).unwrap()),
            ];
            let files = files.into_iter().map(|(name, content)| (name.to_owned(), content)).collect();
            Self { version, decisions, files }
        }

        /// The files with a manifest that names what is in them.
        fn sealed(mut self) -> BTreeMap<String, Vec<u8>> {
            self.files.insert(VERSION.to_owned(), serde_json::to_vec(&self.version).unwrap());
            self.files.insert(DECISIONS.to_owned(), serde_json::to_vec(&self.decisions).unwrap());
            let manifest = Manifest {
                format: FORMAT.to_owned(),
                model: "taxi-tips".to_owned(),
                version: 4,
                digest: self.version.digest(),
                files: self.files.iter().map(|(name, content)| (name.clone(), Digest::of(content))).collect(),
            };
            self.files.insert(MANIFEST.to_owned(), serde_json::to_vec(&manifest).unwrap());
            self.files
        }
    }

    fn reason(files: &BTreeMap<String, Vec<u8>>) -> String {
        check(files).unwrap_err().to_string()
    }

    #[test]
    fn a_sound_pack_says_what_holds() {
        let holds = check(&Pack::sound().sealed()).unwrap().join("\n");
        assert!(holds.contains("1 of 1 gates passed") && holds.contains("approved by person 2"), "{holds}");
    }

    #[test]
    fn one_changed_byte_in_any_file_is_found() {
        for name in Pack::sound().sealed().keys() {
            let mut files = Pack::sound().sealed();
            let content = files.get_mut(name).unwrap();
            let middle = content.len() / 2;
            content[middle] ^= 1;
            assert!(check(&files).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_that_the_manifest_does_not_name_is_found() {
        let mut files = Pack::sound().sealed();
        files.insert("more".to_owned(), Vec::new());
        assert!(reason(&files).contains("not in both"));
    }

    #[test]
    fn another_version_has_another_digest_which_nobody_approved() {
        let mut other_gates = Pack::sound();
        other_gates.version.gates[0].observed = Some(0.99);
        let holds = check(&other_gates.sealed()).unwrap().join("\n");
        assert!(holds.contains("0 of 1 approvals: it may not be used yet"), "{holds}");
    }

    #[test]
    fn gates_that_nobody_overrode_and_approvals_of_own_work_break_a_pack() {
        let mut failed = Pack::sound();
        failed.version.gates[0].verdict = Verdict::Fail;
        assert!(reason(&failed.sealed()).contains("nobody overrode it"));
        let mut own = Pack::sound();
        own.decisions[1].account = AccountId(1);
        assert!(reason(&own.sealed()).contains("approved their own work"));
        let mut unsigned = Pack::sound();
        unsigned.decisions.remove(0);
        assert!(reason(&unsigned.sealed()).contains("0 of 1 approvals"));
    }

    #[test]
    fn a_signature_that_was_given_stays_given_and_an_approval_that_was_taken_back_does_not() {
        let mut later = Pack::sound();
        for place in [0, 1] {
            let mut again = later.decisions[place].clone();
            (again.decision, again.at) = (ReviewDecision::RequestChanges, DateTime::from_timestamp(900, 0).unwrap());
            later.decisions.push(again);
        }
        let holds = check(&later.sealed()).unwrap().join("\n");
        assert!(holds.contains("was signed by person 2") && holds.contains("0 of 1 approvals"), "{holds}");
        let mut turned = Pack::sound();
        let mut before = turned.decisions[1].clone();
        (before.decision, before.at) = (ReviewDecision::RequestChanges, DateTime::from_timestamp(900, 0).unwrap());
        turned.decisions.insert(1, before);
        assert!(reason(&turned.sealed()).contains("order of time"));
    }

    #[test]
    fn data_that_it_was_not_made_of_breaks_a_pack() {
        let mut other = Pack::sound();
        other.files.insert(DATASET.to_owned(), json!({ "digest": Digest::of("other") }).to_string().into_bytes());
        assert!(reason(&other.sealed()).contains("not what the version was made of"));
    }

    #[test]
    fn a_changed_act_is_found() {
        let entry = Entry {
            sequence: 5,
            at: DateTime::UNIX_EPOCH,
            actor: "a".to_owned(),
            via: "session".to_owned(),
            action: "model.approve".to_owned(),
            object: "model/taxi-tips/v/4".to_owned(),
            digest: None,
            outcome: crate::audit::Outcome::Done,
            address: None,
            request: None,
            details: json!({}),
        };
        let previous = crate::audit::GENESIS;
        let act = |actor: &str| {
            let hash = entry.hash(&previous);
            let entry = Entry { actor: actor.to_owned(), ..entry.clone() };
            serde_json::to_vec(&[ActFile { entry, previous, hash }]).unwrap()
        };
        let pack = |actor: &str| {
            let mut pack = Pack::sound();
            pack.files.insert(ACTS.to_owned(), act(actor));
            pack.sealed()
        };
        assert!(check(&pack("a")).is_ok());
        assert!(reason(&pack("b")).contains("entry 5"));
    }
}
