//! Incidents: opened and closed by what windows show, told by mail ([`telling`]), taken on and silenced by people, here or from the letter
//! ([`by_mail`]).

mod by_mail;
mod letter;
mod telling;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::monitor::incident::{Cause, InARow, Incident, LONGEST_SILENCE, Seen, State};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::view::{IncidentEvent, IncidentLine, IncidentView, IncidentsView, Permission};
use millrace_storage::incident::{self, About, Kept};
use millrace_storage::{Transaction, event, problem};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Note;
use crate::runs::visible_problems;
use crate::{Result, Services, commit, fault, page_size};

/// Incidents on one page.
const PAGE: u32 = 100;
/// Incidents in one file.
const MOST_EXPORTED: u32 = 10_000;

/// What one look found of a cause.
pub(crate) struct Look {
    pub cause: Cause,
    pub seen: Seen,
    /// Looks in a row that make an alarm, and end it.
    pub in_a_row: InARow,
    pub title: String,
    pub facts: Vec<(String, String)>,
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// What somebody does about an incident.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Handling {
    /// They take it on.
    Acknowledge,
    /// Nobody is written to for so many hours; at once again when it is none.
    Silence {
        /// Hours.
        hours: u32,
        /// Why.
        reason: String,
    },
}

/// Why an alert ends whose rule is gone.
pub(crate) const UNWATCHED: &str = "it is not watched any more";

impl Services {
    /// Takes a look into account, under the problem's lock. Letters are written by [`Self::tell_incidents`].
    pub(crate) async fn look_at_incident(&self, tx: &Transaction, problem: ProblemId, look: &Look) -> Result<()> {
        let newest = incident::newest(tx, problem, look.cause).await.map_err(fault)?;
        self.take_look_in(tx, problem, look, newest).await
    }

    /// Takes a look into account where the newest incident of its cause is known.
    pub(crate) async fn take_look_in(
        &self,
        tx: &Transaction,
        problem: ProblemId,
        look: &Look,
        newest: Option<Kept>,
    ) -> Result<()> {
        let now = self.now();
        // A silence is of the cause: the next incident of it does not break it.
        let silenced = newest.as_ref().and_then(|known| known.incident.silenced_until).filter(|until| *until > now);
        let known = newest.filter(|known| known.incident.takes_up(now));
        let about = About { title: &look.title, facts: &look.facts, window: look.window };
        let (id, before, after) = match known {
            None if look.seen != Seen::Breach => return Ok(()),
            None => {
                let begun = Incident { silenced_until: silenced, ..Incident::begin(look.in_a_row.fires, now) };
                let id = incident::insert(tx, problem, look.cause, &begun, &about, now).await.map_err(fault)?;
                (id, None, begun)
            }
            Some(known) => {
                let after = known.incident.after_look(look.seen, look.in_a_row, now);
                let about = match look.seen {
                    Seen::Breach => Some(&about),
                    // What it was about is still told, and why it ended.
                    Seen::Unwatched => Some(&About { title: &known.title, ..about }),
                    Seen::Fine | Seen::Unknown => None,
                };
                if after == known.incident && about.is_none() {
                    return Ok(());
                }
                incident::update(tx, known.id, &after, about).await.map_err(fault)?;
                (known.id, Some(known.incident.state), after)
            }
        };
        if before == Some(after.state) {
            return Ok(());
        }
        let (kind, words) = match (before, after.state) {
            (Some(State::Resolved), State::Firing) => ("reopened", format!("it is back: {}", look.title)),
            (_, State::Firing) => ("fired", look.title.clone()),
            (_, State::Pending) => {
                ("opened", format!("{}; it fires after {} windows in a row", look.title, look.in_a_row.fires))
            }
            (_, State::Resolved) if look.seen == Seen::Unwatched => ("resolved", UNWATCHED.to_owned()),
            (_, State::Resolved) => ("resolved", "it is as it should be again".to_owned()),
            (_, State::Over) => ("over", "it was over before it fired".to_owned()),
        };
        incident::note(tx, id, kind, &words, None, now).await.map_err(fault)?;
        let payload = json!({ "kind": "incident", "state": after.state });
        event::insert(tx, "deployment", problem.0, "change", payload).await.map_err(fault)
    }

    /// Alerts that the reader may see, open ones first, a page at a time.
    ///
    /// # Errors
    /// For callers without a role; 400 for a place that no page ends at.
    pub async fn list_alerts(
        &self,
        actor: &Actor,
        slug: Option<&str>,
        only_open: bool,
        after: Option<&str>,
        size: Option<u32>,
    ) -> Result<IncidentsView> {
        let (items, next) = self.alerts(actor, slug, only_open, after, page_size(size, PAGE)?).await?;
        let next = next.map(|(rank, id)| format!("{rank}-{id}"));
        Ok(IncidentsView { items, standing_still: self.standing_still().await?, next })
    }

    /// The same whole, up to [`MOST_EXPORTED`] alerts.
    ///
    /// # Errors
    /// As [`Self::list_alerts`].
    pub async fn export_alerts(&self, actor: &Actor, slug: Option<&str>, only_open: bool) -> Result<Vec<IncidentLine>> {
        Ok(self.alerts(actor, slug, only_open, None, MOST_EXPORTED).await?.0)
    }

    /// Alerts that come after a place, and the place of the last one if there are more.
    async fn alerts(
        &self,
        actor: &Actor,
        slug: Option<&str>,
        only_open: bool,
        after: Option<&str>,
        most: u32,
    ) -> Result<(Vec<IncidentLine>, Option<(i32, i64)>)> {
        self.authorise(actor, Action::ReadWorkspace, "alerts").await?;
        let after = after.filter(|after| !after.is_empty());
        let after = after.map(|text| {
            let place = text.split_once('-').and_then(|(rank, id)| Some((rank.parse().ok()?, id.parse().ok()?)));
            place.ok_or_else(|| Fault::field("/page_token", "must be where a page of this list ended"))
        });
        let of = match slug {
            Some(slug) if !actor.sees(slug) => return Ok((Vec::new(), None)),
            Some(slug) => Some(vec![slug]),
            None => visible_problems(actor),
        };
        let mut found = incident::list(self.db.pool(), of.as_deref(), only_open, after.transpose()?, most + 1)
            .await
            .map_err(fault)?;
        let has_more = found.len() > most as usize;
        found.truncate(most as usize);
        let next = found.last().filter(|_| has_more).map(Kept::place);
        let now = self.now();
        let seen = found.iter().filter(|kept| actor.sees(&kept.slug));
        Ok((seen.map(|kept| line(kept, now)).collect(), next))
    }

    /// One alert with what happened to it.
    ///
    /// # Errors
    /// 404 when there is none, or none for the reader.
    pub async fn alert(&self, actor: &Actor, id: &str) -> Result<IncidentView> {
        let kept = self.alert_for(actor, Action::ReadWorkspace, id).await?;
        let mut view = self.present_incident(&kept).await?;
        let may = actor.may_on(Action::HandleIncident, &kept.slug).map_err(|refused| refused.to_string());
        view.may_act = Permission::from_result(may.and_then(|()| still_open(&kept)));
        let may = actor.may_on(Action::RollBack, &kept.slug).map_err(|refused| refused.to_string());
        view.may_roll_back = Permission::from_result(may);
        Ok(view)
    }

    async fn alert_for(&self, actor: &Actor, action: Action, id: &str) -> Result<Kept> {
        let object = format!("alert/{id}");
        self.authorise(actor, action, &object).await?;
        let kept = self.find_alert(id).await?;
        self.authorise_on(actor, action, &kept.slug, &object).await?;
        Ok(kept)
    }

    async fn find_alert(&self, id: &str) -> Result<Kept> {
        let missing = || Fault::not_found("alert");
        let id: i64 = id.parse().map_err(|_| missing())?;
        incident::find(self.db.pool(), id).await.map_err(fault)?.ok_or_else(missing)
    }

    async fn present_incident(&self, kept: &Kept) -> Result<IncidentView> {
        let events = incident::events(self.db.pool(), kept.id).await.map_err(fault)?;
        let events = events.into_iter().map(|happened| IncidentEvent {
            at: happened.at,
            kind: happened.kind,
            text: happened.words,
            by: happened.by,
        });
        let document = self.document_of(&kept.slug).await?;
        Ok(IncidentView {
            line: line(kept, self.now()),
            facts: kept.facts.clone(),
            window: kept.window,
            events: events.collect(),
            runbook: document.and_then(|document| document.notify.runbook),
            may_act: Permission::from_result(still_open(kept)),
            may_roll_back: Permission::refused("sign in for that"),
        })
    }

    /// Takes an alert on, or silences it.
    ///
    /// # Errors
    /// 404 when there is none; 409 when it is not open; 400 for a silence without a reason or of too many hours.
    pub async fn handle_alert(&self, actor: &Actor, id: &str, handling: &Handling) -> Result<()> {
        let kept = self.alert_for(actor, Action::HandleIncident, id).await?;
        let object = format!("alert/{}", kept.id);
        let outcome = async {
            let tx = self.begin_as(actor, Action::HandleIncident, Some(&kept.slug), &object).await?;
            let details = self.handle(&tx, kept.id, kept.problem, handling, actor.account).await?;
            self.note(&tx, actor, Note::new(handling.action(), object.clone()).details(details)).await?;
            commit(tx).await
        };
        let outcome = outcome.await;
        self.note_if_refused(actor, handling.action(), object, outcome).await
    }

    async fn handle(
        &self,
        tx: &Transaction,
        id: i64,
        problem: ProblemId,
        handling: &Handling,
        by: AccountId,
    ) -> Result<serde_json::Value> {
        problem::lock(tx, problem).await.map_err(fault)?;
        let now = self.now();
        let over = |_| not_open();
        let (kind, words, details) = match handling {
            Handling::Acknowledge => {
                incident::acknowledge(tx, id, by, now).await.map_err(over)?;
                ("acknowledged", "acknowledged; no more reminders".to_owned(), json!({}))
            }
            Handling::Silence { hours: 0, .. } => {
                incident::silence(tx, id, None, now).await.map_err(over)?;
                ("unsilenced", "the silence is ended".to_owned(), json!({ "hours": 0 }))
            }
            Handling::Silence { hours, reason } => {
                let reason = reason.trim();
                let length = TimeDelta::hours(i64::from(*hours));
                if length > LONGEST_SILENCE {
                    let message =
                        format!("must be at most {}: nothing is silenced for good", LONGEST_SILENCE.num_hours());
                    return Err(Fault::field("/hours", message));
                }
                if !(1..=500).contains(&reason.chars().count()) || reason.contains(char::is_control) {
                    return Err(Fault::field("/reason", "must say why, in 1 to 500 characters on one line"));
                }
                incident::silence(tx, id, Some(now + length), now).await.map_err(over)?;
                let until = (now + length).format("%Y-%m-%d %H:%M UTC");
                let details = json!({ "hours": hours, "reason": reason });
                ("silenced", format!("silenced until {until}: {reason}"), details)
            }
        };
        incident::note(tx, id, kind, &words, Some(by), now).await.map_err(fault)?;
        let payload = json!({ "kind": "incident", "state": kind });
        event::insert(tx, "deployment", problem.0, "change", payload).await.map_err(fault)?;
        Ok(details)
    }

    /// The document that is in force or, of a problem that has none, the newest.
    pub(crate) async fn document_to_show(&self, slug: &str) -> Result<ProblemDocument> {
        if let Some(document) = self.document_of(slug).await? {
            return Ok(document);
        }
        let newest = problem::newest(self.db.pool(), slug).await.map_err(fault)?;
        Ok(newest.ok_or_else(|| Fault::not_found("deployment"))?.document)
    }

    /// The document that is in force: the one signed last, or that of the live version.
    pub(crate) async fn document_of(&self, slug: &str) -> Result<Option<ProblemDocument>> {
        let pool = self.db.pool();
        let signed = match problem::approved(pool, slug).await.map_err(fault)? {
            Some(signed) => Some(signed),
            None => problem::of_live_model(pool, slug).await.map_err(fault)?,
        };
        Ok(signed.map(|signed| signed.document))
    }
}

impl Handling {
    const fn action(&self) -> &'static str {
        match self {
            Self::Acknowledge => "alert.acknowledge",
            Self::Silence { .. } => "alert.silence",
        }
    }

    /// Whether it can be done about an incident as it stands.
    const fn fits(&self, incident: &Incident) -> bool {
        match self {
            Self::Acknowledge => matches!(incident.state, State::Firing) && !incident.acknowledged,
            Self::Silence { .. } => incident.state.is_open(),
        }
    }

    /// Whether it would end a silence sooner than it would end by itself.
    fn shortens(&self, incident: &Incident, now: DateTime<Utc>) -> bool {
        match self {
            Self::Acknowledge | Self::Silence { hours: 0, .. } => false,
            Self::Silence { hours, .. } => {
                let until = now + TimeDelta::hours(i64::from(*hours));
                incident.silenced_until.is_some_and(|silenced| silenced > until)
            }
        }
    }
}

fn not_open() -> Fault {
    Fault::conflict("not_open", "the alert is over, or somebody was faster; look again")
}

fn still_open(kept: &Kept) -> std::result::Result<(), String> {
    if kept.incident.state.is_open() { Ok(()) } else { Err("the alert is over".to_owned()) }
}

pub(crate) fn line(kept: &Kept, now: DateTime<Utc>) -> IncidentLine {
    IncidentLine {
        id: kept.id.to_string(),
        slug: kept.slug.clone(),
        cause: kept.cause.to_string(),
        title: kept.title.clone(),
        state: kept.incident.standing(now).to_owned(),
        opened_at: kept.opened_at,
        fired_at: kept.incident.fired_at,
        resolved_at: kept.incident.resolved_at,
        acknowledged_by: kept.acknowledged_by.clone(),
        silenced_until: kept.incident.silenced_until.filter(|until| *until > now),
        version: kept.version,
        blind_since: kept.incident.blind_since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fires_is_taken_on_once_and_what_is_open_is_silenced() {
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let (firing, pending) = (Incident::begin(1, at), Incident::begin(2, at));
        let taken = Incident { acknowledged: true, ..firing };
        let over = Incident { state: State::Resolved, ..firing };
        let silence = Handling::Silence { hours: 1, reason: "it is known".to_owned() };
        let all = [firing, pending, taken, over];
        assert_eq!(all.map(|incident| Handling::Acknowledge.fits(&incident)), [true, false, false, false]);
        assert_eq!(all.map(|incident| silence.fits(&incident)), [true, true, true, false]);
    }
}
