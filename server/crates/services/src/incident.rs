//! Incidents: opened and closed by what windows show, told by mail, taken on and silenced by people.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_charts::Figure;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::monitor::incident::{Cause, InARow, Incident, LONGEST_SILENCE, Letter as Due, Seen, State};
use millrace_domain::policy::{Action, Actor, Role};
use millrace_domain::problem::{Notify, ProblemDocument};
use millrace_domain::view::{IncidentEvent, IncidentLine, IncidentView, IncidentsView, Permission};
use millrace_storage::account::Account;
use millrace_storage::incident::{self, About, Kept};
use millrace_storage::{Transaction, account, event, problem};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Note;
use crate::mail::{ABOUT_ALERTS, Act, Letter};
use crate::runs::visible_problems;
use crate::{Result, Services, commit, fault};

/// Incidents on one page.
const PAGE: u32 = 100;
/// Incidents in one file.
const MOST_EXPORTED: u32 = 10_000;
/// How long the link of a letter is good for.
const LINK_LASTS: TimeDelta = TimeDelta::days(7);
/// What the link of a letter is sealed for.
const LINK: &str = "incident link";

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

/// Whom the link of a letter lets act, and on what.
#[derive(Serialize, Deserialize)]
struct Linked {
    incident: i64,
    account: AccountId,
    until: DateTime<Utc>,
}

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

    /// Writes every letter about incidents that is due. Gives the problems where that could not be done, with why.
    ///
    /// # Errors
    /// When the incidents cannot be listed.
    pub async fn tell_incidents(&self) -> Result<Vec<(String, Fault)>> {
        let mut failed = Vec::new();
        for kept in incident::list_unsettled(self.db.pool()).await.map_err(fault)? {
            if let Err(error) = self.tell_incident(&kept).await {
                failed.push((kept.slug, error));
            }
        }
        Ok(failed)
    }

    async fn tell_incident(&self, seen: &Kept) -> Result<()> {
        let document = self.document_of(&seen.slug).await?;
        let notify = document.map(|document| document.notify).unwrap_or_default();
        let now = self.now();
        if seen.incident.letter_due(notify.escalate_after(), now).is_none() {
            return Ok(());
        }
        let chart = self.alert_figure(seen).await;
        let tx = self.begin().await?;
        problem::lock(&tx, seen.problem).await.map_err(fault)?;
        // Another server may have been faster.
        let Some(kept) = incident::find(&tx, seen.id).await.map_err(fault)? else { return Ok(()) };
        let Some(due) = kept.incident.letter_due(notify.escalate_after(), now) else { return Ok(()) };
        let mut people = self.told_of(&tx, &kept.slug, &notify, due == Due::Escalation).await?;
        if due == Due::Resolved && kept.incident.escalated {
            let others = self.told_of(&tx, &kept.slug, &notify, true).await?;
            people.extend(
                others.into_iter().filter(|other| people.iter().all(|known| known.id != other.id)).collect::<Vec<_>>(),
            );
        }
        let left = incident::left(&tx, kept.id).await.map_err(fault)?;
        let told = people.len();
        people.retain(|person| !left.contains(&person.id));
        for person in &people {
            let letter = self.letter_about(&kept, due, &notify, &people, person, chart.as_ref());
            self.write_to(&tx, person, letter).await?;
        }
        let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
        let whom = match (names.is_empty(), told) {
            (true, 0) => "nobody: no account is on call".to_owned(),
            (true, _) => "nobody: whoever would be told takes no more letters about it".to_owned(),
            (false, _) => names.join(", "),
        };
        let hooks = self.tell_webhooks(&tx, &kept, due).await?;
        let hooks = if hooks.is_empty() { String::new() } else { format!("; webhooks {}", hooks.join(", ")) };
        let (kind, what) = match due {
            Due::Firing => ("told", "told that it fires"),
            Due::Reminder => ("reminded", "reminded that it still fires"),
            Due::Escalation => ("escalated", "told since nobody has acknowledged it"),
            Due::Resolved => ("told", "told that it is over"),
            Due::Missed => ("told", "told that it had fired in the silence and is over"),
        };
        incident::note(&tx, kept.id, kind, &format!("{what}: {whom}{hooks}"), None, now).await.map_err(fault)?;
        incident::update(&tx, kept.id, &kept.incident.told(due, now), None).await.map_err(fault)?;
        commit(tx).await
    }

    /// Everybody who is told: who has the role, and who is named in the document and has an account.
    pub(crate) async fn told_of(
        &self,
        tx: &Transaction,
        slug: &str,
        notify: &Notify,
        escalated: bool,
    ) -> Result<Vec<Account>> {
        let named = if escalated { &notify.escalation } else { &notify.on_call };
        let has_role = |person: &Account| {
            person.grants.iter().any(|grant| {
                grant.role == Role::OnCall && grant.problem.as_deref().is_none_or(|problem| problem == slug)
            })
        };
        let mut people = account::list(tx).await.map_err(fault)?;
        people.retain(|person| {
            let is_named = named.iter().any(|address| address.eq_ignore_ascii_case(&person.email));
            person.disabled_at.is_none() && (is_named || !escalated && has_role(person))
        });
        Ok(people)
    }

    /// Whether somebody is still one of those who are told of a problem's alerts.
    async fn is_told(&self, tx: &Transaction, slug: &str, account: AccountId) -> Result<bool> {
        let notify = self.document_of(slug).await?.map(|document| document.notify).unwrap_or_default();
        for escalated in [false, true] {
            if self.told_of(tx, slug, &notify, escalated).await?.iter().any(|person| person.id == account) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Addresses of a document that belong to no account, so that nothing is sent there.
    pub(crate) async fn unreachable(&self, notify: &Notify) -> Result<Vec<String>> {
        let people = account::list(self.db.pool()).await.map_err(fault)?;
        let is_known = |address: &&String| {
            people.iter().any(|person| person.disabled_at.is_none() && person.email.eq_ignore_ascii_case(address))
        };
        Ok(notify.on_call.iter().chain(&notify.escalation).filter(|address| !is_known(address)).cloned().collect())
    }

    fn letter_about(
        &self,
        kept: &Kept,
        due: Due,
        notify: &Notify,
        people: &[Account],
        person: &Account,
        chart: Option<&Figure>,
    ) -> Letter<'static> {
        let is_over = matches!(due, Due::Resolved | Due::Missed);
        let state = if is_over { "resolved" } else { "firing" };
        let since = kept.incident.fired_at.unwrap_or(kept.opened_at).format("%Y-%m-%d %H:%M UTC");
        let first = match due {
            Due::Firing => format!("Firing since {since}: {}.", kept.title),
            Due::Reminder => format!("Still firing, since {since}, and nobody has acknowledged it: {}.", kept.title),
            Due::Escalation => {
                format!("Firing since {since}, and nobody on call has acknowledged it: {}.", kept.title)
            }
            Due::Resolved => format!("Resolved: what had fired on {since} is over: {}.", kept.title),
            Due::Missed => {
                format!("While it was silenced it fired on {since}, and it is over by now: {}.", kept.title)
            }
        };
        let mut paragraphs = vec![first];
        if !is_over {
            paragraphs.push(
                "If nothing is done the model goes on answering, and those on call are reminded every four hours until somebody \
                 acknowledges it."
                    .to_owned(),
            );
        }
        let mut facts: Vec<(String, String)> = kept.facts.clone();
        facts.extend(kept.version.map(|version| ("Model".to_owned(), format!("version {version} of {}", kept.slug))));
        facts.extend(kept.incident.blind_since.map(|since| {
            let since = since.format("%Y-%m-%d %H:%M UTC");
            ("No data".to_owned(), format!("since {since} nothing that was seen says whether it still fires"))
        }));
        if let Some((begins, ends)) = kept.window {
            let (begins, ends) = (begins.format("%Y-%m-%d %H:%M:%S"), ends.format("%H:%M:%S UTC"));
            facts.push(("Window".to_owned(), format!("{begins} to {ends}")));
        }
        let others: Vec<&str> =
            people.iter().filter(|other| other.id != person.id).map(|other| other.name.as_str()).collect();
        facts.push(("Also told".to_owned(), if others.is_empty() { "nobody".to_owned() } else { others.join(", ") }));
        facts.push(("The alert".to_owned(), self.link(&format!("/alerts/{}", kept.id))));
        facts.push(("What was counted".to_owned(), self.link(&self.monitor_path(kept))));
        facts.extend(notify.runbook.clone().map(|runbook| ("What to do".to_owned(), runbook)));
        let linked = Linked { incident: kept.id, account: person.id, until: self.now() + LINK_LASTS };
        let sealed = self.settings.key.seal(json!(linked).to_string().as_bytes(), LINK, &self.surroundings);
        let link = self.link(&format!("/alerts/{}/by-mail?key={}", kept.id, hex(&sealed)));
        Letter {
            kind: ABOUT_ALERTS,
            subject: format!("{} ({state})", kept.title),
            paragraphs,
            act: (!is_over).then_some(Act { label: "Acknowledge or silence", link }),
            secret: true,
            facts,
            why: if due == Due::Escalation {
                "You get this because the problem's document names you for alerts that nobody acknowledges."
            } else {
                "You get this because you are on call."
            },
            thread: Some(format!("incident-{}-{}", kept.id, person.id)),
            chart: chart.cloned(),
        }
    }

    /// The page of a deployment at the window of an incident.
    fn monitor_path(&self, kept: &Kept) -> String {
        let at = kept.window.map(|(_, ends)| format!("?window={}", ends.timestamp())).unwrap_or_default();
        format!("/deployments/{}/monitor{at}", kept.slug)
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
    ) -> Result<IncidentsView> {
        let (items, next) = self.alerts(actor, slug, only_open, after, PAGE).await?;
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
        let over = |_| Fault::conflict("not_open", "the alert is over, or somebody was faster; look again");
        let (kind, words, details) = match handling {
            Handling::Acknowledge => {
                incident::acknowledge(tx, id, by, now).await.map_err(over)?;
                ("acknowledged", "acknowledged; no more reminders".to_owned(), json!({}))
            }
            Handling::Silence { hours: 0, .. } => {
                incident::silence(tx, id, None).await.map_err(over)?;
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
                incident::silence(tx, id, Some(now + length)).await.map_err(over)?;
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

    /// The alert that the link of a letter is about, as far as the letter told it.
    ///
    /// # Errors
    /// 404 for a link that is none, has run out, or whose account may not sign in any more.
    pub async fn alert_by_mail(&self, id: &str, key: &str) -> Result<IncidentView> {
        let (kept, _) = self.linked(id, key).await?;
        let mut view = self.present_incident(&kept).await?;
        // A link may have been passed on: who did what is for those who sign in.
        view.events.clear();
        Ok(view)
    }

    /// What the link of a letter lets its reader do.
    ///
    /// # Errors
    /// As [`Self::alert_by_mail`] and [`Self::handle_alert`].
    pub async fn handle_alert_by_mail(&self, id: &str, key: &str, handling: &Handling) -> Result<()> {
        let (kept, person) = self.linked(id, key).await?;
        let tx = self.begin().await?;
        let held = account::hold(&tx, person.id).await.map_err(fault)?;
        if held.is_none_or(|held| held.disabled_at.is_some()) || !self.is_told(&tx, &kept.slug, person.id).await? {
            return Err(no_such_link());
        }
        let details = self.handle(&tx, kept.id, kept.problem, handling, person.id).await?;
        self.note_by_letter(&tx, &person, handling.action(), kept.id, details).await?;
        commit(tx).await
    }

    /// Writes no more letters about an alert to the reader of the letter that the link is of; others are told as before. Asking twice
    /// does nothing more.
    ///
    /// # Errors
    /// As [`Self::alert_by_mail`].
    pub async fn leave_alert_by_mail(&self, id: &str, key: &str) -> Result<()> {
        let (kept, person) = self.linked(id, key).await?;
        let tx = self.begin().await?;
        let held = account::hold(&tx, person.id).await.map_err(fault)?;
        if held.is_none_or(|held| held.disabled_at.is_some()) || !self.is_told(&tx, &kept.slug, person.id).await? {
            return Err(no_such_link());
        }
        if incident::leave(&tx, kept.id, person.id, self.now()).await.map_err(fault)? {
            let words = "takes no more letters about this alert";
            incident::note(&tx, kept.id, "left", words, Some(person.id), self.now()).await.map_err(fault)?;
            self.note_by_letter(&tx, &person, "alert.leave", kept.id, json!({})).await?;
        }
        commit(tx).await
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

    async fn linked(&self, id: &str, key: &str) -> Result<(Kept, Account)> {
        let linked = unhex(key).and_then(|sealed| self.settings.key.open(&sealed, LINK));
        let linked: Linked = linked.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(no_such_link)?;
        if linked.until <= self.now() || linked.incident.to_string() != id {
            return Err(no_such_link());
        }
        let person = account::find(self.db.pool(), linked.account).await.map_err(fault)?;
        let person = person.filter(|person| person.disabled_at.is_none()).ok_or_else(no_such_link)?;
        Ok((self.find_alert(id).await?, person))
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
}

fn no_such_link() -> Fault {
    Fault::new(404, "no_such_link", "Not found", "this link is none, or has run out; sign in to see the alert")
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len() <= 2_000 && text.len().is_multiple_of(2) && text.bytes().all(|c| c.is_ascii_hexdigit());
    let byte = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).ok();
    is_hex.then(|| (0..text.len()).step_by(2).map(byte).collect()).flatten()
}
