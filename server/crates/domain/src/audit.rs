//! The audit chain: each entry's hash covers the entry and the hash before it, so any edit, deletion, swap or insertion
//! shows.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What happened to an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// The rules refused it.
    Refused,
}

impl Outcome {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// One act: who did what to which object, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the chain, from 1 without gaps.
    pub sequence: i64,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// Who: an account's mail address, `host` or `system`.
    pub actor: String,
    /// How they were recognised: `session`, `token`, `host`, `system`.
    pub via: String,
    /// What, for example `problem.approve`.
    pub action: String,
    /// On what, for example `problem/taxi-tips/v/3`.
    pub object: String,
    /// Digest of the object as it was seen, if it has one.
    pub digest: Option<Digest>,
    /// How it ended.
    pub outcome: Outcome,
    /// Network address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Id of the request it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What else is worth keeping; never a secret, never a data row.
    pub details: serde_json::Value,
}

/// Hash before the first entry.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

impl Entry {
    /// The entry's hash, given the hash of the entry before it.
    pub fn hash(&self, previous: &Digest) -> Digest {
        let mut content = serde_json::json!({
            "previous": previous,
            "sequence": self.sequence,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "actor": self.actor,
            "via": self.via,
            "action": self.action,
            "object": self.object,
            "digest": self.digest,
            "outcome": self.outcome,
            "details": self.details,
        });
        // Only where there is one: entries from before places were recorded keep their hashes.
        for (name, place) in [("address", &self.address), ("request", &self.request)] {
            if let Some(place) = place {
                content[name] = serde_json::json!(place);
            }
        }
        Digest::of_canonical(&content)
    }
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An entry is missing or out of place.
    #[error("entry {expected} is missing: the chain goes on with entry {found}")]
    Gap {
        /// The sequence number that should follow.
        expected: i64,
        /// The one that does.
        found: i64,
    },
    /// An entry does not have the hash that was recorded.
    #[error("entry {0} was changed: its recorded hash does not fit its content and the entry before it")]
    Changed(i64),
}

/// Follows a chain link by link; feed it entries in order.
#[derive(Debug, Clone)]
pub struct Verifier {
    next: i64,
    head: Digest,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { next: 1, head: GENESIS }
    }
}

impl Verifier {
    /// Checks the next entry against its recorded hash.
    ///
    /// # Errors
    /// The first place at which the chain breaks.
    pub fn accept(&mut self, entry: &Entry, recorded: &Digest) -> Result<(), BrokenChain> {
        if entry.sequence != self.next {
            return Err(BrokenChain::Gap { expected: self.next, found: entry.sequence });
        }
        if entry.hash(&self.head) != *recorded {
            return Err(BrokenChain::Changed(entry.sequence));
        }
        self.next += 1;
        self.head = *recorded;
        Ok(())
    }

    /// The hash of the last accepted entry.
    pub const fn head(&self) -> &Digest {
        &self.head
    }

    /// How many entries were accepted.
    pub const fn length(&self) -> i64 {
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: i64) -> Vec<(Entry, Digest)> {
        let mut head = GENESIS;
        (1..=length)
            .map(|sequence| {
                let entry = Entry {
                    sequence,
                    at: DateTime::from_timestamp(1_700_000_000 + sequence, 0).unwrap(),
                    actor: "a@example.org".into(),
                    via: "session".into(),
                    action: "problem.approve".into(),
                    object: format!("problem/{sequence}"),
                    digest: None,
                    outcome: Outcome::Done,
                    address: Some("192.0.2.1".into()),
                    request: None,
                    details: serde_json::json!({}),
                };
                head = entry.hash(&head);
                (entry, head)
            })
            .collect()
    }

    fn verify(chain: &[(Entry, Digest)]) -> Result<i64, BrokenChain> {
        let mut verifier = Verifier::default();
        chain.iter().try_for_each(|(entry, hash)| verifier.accept(entry, hash))?;
        Ok(verifier.length())
    }

    #[test]
    fn an_untouched_chain_verifies() {
        assert_eq!(verify(&chain(5)), Ok(5));
    }

    #[test]
    fn an_edited_entry_is_named() {
        let mut chain = chain(5);
        chain[2].0.actor = "b@example.org".into();
        assert_eq!(verify(&chain), Err(BrokenChain::Changed(3)));
    }

    #[test]
    fn an_edit_with_a_recomputed_hash_shows_in_the_next_entry() {
        let mut chain = chain(5);
        chain[2].0.actor = "b@example.org".into();
        chain[2].1 = chain[2].0.hash(&chain[1].1);
        assert_eq!(verify(&chain), Err(BrokenChain::Changed(4)));
    }

    #[test]
    fn a_deleted_entry_is_named() {
        let mut chain = chain(5);
        chain.remove(1);
        assert_eq!(verify(&chain), Err(BrokenChain::Gap { expected: 2, found: 3 }));
    }

    #[test]
    fn an_entry_moved_to_another_address_shows() {
        let mut chain = chain(3);
        chain[1].0.address = None;
        assert_eq!(verify(&chain), Err(BrokenChain::Changed(2)));
    }

    #[test]
    fn swapped_entries_show() {
        let mut chain = chain(5);
        chain.swap(1, 2);
        assert!(verify(&chain).is_err());
    }
}
