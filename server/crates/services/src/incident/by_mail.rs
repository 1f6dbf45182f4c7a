//! What the link of a letter about alerts lets its reader do without signing in: see them, take them on, silence them, and take no more letters
//! about them. The sealed key says which alerts those are, the path only the first of them.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::view::IncidentView;
use millrace_storage::account::Account;
use millrace_storage::incident::{self, Kept};
use millrace_storage::{Transaction, account, problem};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Handling, not_open};
use crate::{Result, Services, commit, fault};

/// How long the link of a letter is good for.
const LINK_LASTS: TimeDelta = TimeDelta::days(7);
/// What the link of a letter is sealed for.
const LINK: &str = "incident link";
/// The same about several: whoever knows of letters about one alone would do a part of it.
const LINK_OF_SEVERAL: &str = "incidents link";

/// Whom the link of a letter lets act, and on what.
#[derive(Serialize, Deserialize)]
struct Linked {
    /// The first alert of the letter.
    incident: i64,
    /// The others; letters about one have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    further: Vec<i64>,
    account: AccountId,
    until: DateTime<Utc>,
}

/// What a link leads to.
struct Opened {
    /// The problem of all alerts.
    problem: ProblemId,
    slug: String,
    /// The alerts of the letter.
    alerts: Vec<Kept>,
    reader: Account,
}

impl Services {
    /// The link of a letter about a first alert and further ones of the same problem.
    pub(super) fn link_to_act(&self, first: i64, further: Vec<i64>, account: AccountId) -> String {
        let purpose = if further.is_empty() { LINK } else { LINK_OF_SEVERAL };
        let linked = Linked { incident: first, further, account, until: self.now() + LINK_LASTS };
        let sealed = self.settings.key.seal(json!(linked).to_string().as_bytes(), purpose, &self.surroundings);
        self.link(&format!("/alerts/{first}/by-mail?key={}", hex(&sealed)))
    }

    /// The alerts that the link of a letter is about, as far as the letter told them.
    ///
    /// # Errors
    /// 404 for a link that is none, has run out, or whose account may not sign in any more or is told of such alerts no more.
    pub async fn alerts_by_mail(&self, id: &str, key: &str) -> Result<Vec<IncidentView>> {
        let Opened { slug, alerts, reader, .. } = self.opened(id, key).await?;
        // What is told later is for those who are told then.
        drop(self.begin_by_letter(&reader, &slug).await?);
        let mut views = Vec::new();
        for kept in &alerts {
            let mut view = self.present_incident(kept).await?;
            // A link may have been passed on: who did what is for those who sign in.
            view.events.clear();
            views.push(view);
        }
        Ok(views)
    }

    /// What the link of a letter lets its reader do, to all of its alerts that it can be done to. What is silenced for longer stays so where
    /// the letter is about several: it may be another one that the reader has in mind.
    ///
    /// # Errors
    /// As [`Self::alerts_by_mail`] and [`Self::handle_alert`]; 409 when it can be done to none.
    pub async fn handle_alert_by_mail(&self, id: &str, key: &str, handling: &Handling) -> Result<()> {
        let Opened { problem, slug, alerts, reader } = self.opened(id, key).await?;
        let tx = self.begin_by_letter(&reader, &slug).await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        let mut is_done = false;
        let (now, is_one) = (self.now(), alerts.len() == 1);
        for seen in alerts {
            let kept = incident::find(&tx, seen.id).await.map_err(fault)?;
            let fits =
                |kept: Kept| handling.fits(&kept.incident) && (is_one || !handling.shortens(&kept.incident, now));
            if kept.is_some_and(fits) {
                let details = self.handle(&tx, seen.id, problem, handling, reader.id).await?;
                self.note_by_letter(&tx, &reader, handling.action(), seen.id, details).await?;
                is_done = true;
            }
        }
        if is_done { commit(tx).await } else { Err(not_open()) }
    }

    /// Writes no more letters about these alerts to the reader of the letter that the link is of; others are told as before. Asking twice
    /// does nothing more.
    ///
    /// # Errors
    /// As [`Self::alerts_by_mail`].
    pub async fn leave_alert_by_mail(&self, id: &str, key: &str) -> Result<()> {
        let Opened { problem, slug, alerts, reader } = self.opened(id, key).await?;
        let tx = self.begin_by_letter(&reader, &slug).await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        for kept in alerts {
            if incident::leave(&tx, kept.id, reader.id, self.now()).await.map_err(fault)? {
                let words = "takes no more letters about this alert";
                incident::note(&tx, kept.id, "left", words, Some(reader.id), self.now()).await.map_err(fault)?;
                self.note_by_letter(&tx, &reader, "alert.leave", kept.id, json!({})).await?;
            }
        }
        commit(tx).await
    }

    /// Begins an act of somebody who is told of a problem's alerts; their account is held until its end.
    async fn begin_by_letter(&self, reader: &Account, slug: &str) -> Result<Transaction> {
        let tx = self.begin().await?;
        let held = account::hold(&tx, reader.id).await.map_err(fault)?;
        if held.is_none_or(|held| held.disabled_at.is_some()) || !self.is_told(&tx, slug, reader.id).await? {
            return Err(no_such_link());
        }
        Ok(tx)
    }

    async fn note_by_letter(
        &self,
        tx: &Transaction,
        person: &Account,
        action: &'static str,
        incident: i64,
        details: serde_json::Value,
    ) -> Result<()> {
        let act = millrace_storage::audit::Act {
            actor: &person.email,
            via: "letter",
            action,
            object: format!("alert/{incident}"),
            digest: None,
            outcome: millrace_domain::audit::Outcome::Done,
            origin: &millrace_domain::policy::Origin::default(),
            details,
        };
        millrace_storage::audit::append(tx, act, self.now()).await.map_err(fault).map(|_| ())
    }

    async fn opened(&self, id: &str, key: &str) -> Result<Opened> {
        let opened = |sealed: Vec<u8>| {
            [LINK, LINK_OF_SEVERAL].iter().find_map(|purpose| self.settings.key.open(&sealed, purpose))
        };
        let linked = unhex(key).and_then(opened);
        let linked: Linked = linked.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(no_such_link)?;
        if linked.until <= self.now() || linked.incident.to_string() != id {
            return Err(no_such_link());
        }
        let reader = account::find(self.db.pool(), linked.account).await.map_err(fault)?;
        let reader = reader.filter(|reader| reader.disabled_at.is_none()).ok_or_else(no_such_link)?;
        let first = self.find_alert(id).await?;
        let (problem, slug, mut alerts) = (first.problem, first.slug.clone(), vec![first]);
        for further in linked.further {
            alerts.push(self.find_alert(&further.to_string()).await?);
        }
        Ok(Opened { problem, slug, alerts, reader })
    }
}

fn no_such_link() -> Fault {
    Fault::new(404, "no_such_link", "Not found", "this link is none, or has run out; sign in to see the alert")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len() <= 2_000 && text.len().is_multiple_of(2) && text.bytes().all(|c| c.is_ascii_hexdigit());
    let byte = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).ok();
    is_hex.then(|| (0..text.len()).step_by(2).map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_a_letter_about_one_alert_is_as_it_was_before_letters_told_of_several() {
        let until: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let before = json!({ "incident": 7, "account": "3", "until": until });
        let linked: Linked = serde_json::from_value(before.clone()).unwrap();
        assert_eq!((linked.incident, linked.further.len(), linked.account), (7, 0, AccountId(3)));
        assert_eq!(json!(linked), before);
    }

    #[test]
    fn the_key_of_a_letter_about_alerts_of_every_cause_can_be_read() {
        let (most, until) = (i64::MAX, "2026-11-30T12:00:00.123456789Z".parse().unwrap());
        let linked = Linked { incident: most, further: vec![most; 6], account: AccountId(most), until };
        // What seals it adds 28 bytes.
        let key = hex(&[json!(linked).to_string().as_bytes(), &[0; 28]].concat());
        assert_eq!(unhex(&key).map(|bytes| bytes.len() * 2), Some(key.len()));
    }
}
