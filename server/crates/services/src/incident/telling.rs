//! Who is told of alerts, and when. Those of one problem that are due to be told in the same way at the same look go out together, one letter to
//! each reader, and the next letters about that problem follow after an interval; every alert keeps its own history, and programs get a
//! message of each at the same time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use millrace_charts::Figure;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::monitor::incident::{Letter as Due, Pace, letters_due};
use millrace_domain::policy::Role;
use millrace_domain::problem::Notify;
use millrace_storage::account::Account;
use millrace_storage::incident::{self, Kept};
use millrace_storage::{Connection, Transaction, account, problem};

use super::letter::{Telling, addressed};
use crate::{Result, Services, commit, fault};

impl Services {
    /// Writes every letter about incidents that is due. Gives the problems where that could not be done, with why.
    ///
    /// # Errors
    /// When the incidents cannot be listed.
    pub async fn tell_incidents(&self) -> Result<Vec<(String, Fault)>> {
        let mut of_problems: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for kept in incident::list_unsettled(self.db.pool()).await.map_err(fault)? {
            of_problems.entry(kept.slug.clone()).or_default().push(kept);
        }
        let mut failed = Vec::new();
        for (slug, unsettled) in of_problems {
            if let Err(error) = self.tell_of(&slug, unsettled).await {
                failed.push((slug, error));
            }
        }
        Ok(failed)
    }

    /// Writes what is due about incidents of one problem: to others first, which waits for nothing, and then the rest, all of it or nothing.
    async fn tell_of(&self, slug: &str, unsettled: Vec<Kept>) -> Result<()> {
        let Some(problem) = unsettled.first().map(|kept| kept.problem) else { return Ok(()) };
        let notify = self.notify_of(slug).await?;
        let pace = pace_of(self.db.pool(), problem, &notify).await?;
        let unsettled = unsettled.into_iter().map(|kept| (kept.incident, kept));
        let letters = letters_due(unsettled, pace, self.now());
        let (to_others, rest): (Vec<_>, Vec<_>) = letters.into_iter().partition(|(due, _)| *due == Due::Escalation);
        self.tell_all(slug, problem, &notify, to_others).await?;
        self.tell_all(slug, problem, &notify, rest).await
    }

    /// Writes letters about incidents of one problem in one transaction.
    async fn tell_all(
        &self,
        slug: &str,
        problem: ProblemId,
        notify: &Notify,
        letters: Vec<(Due, Vec<Kept>)>,
    ) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut drawn = Vec::new();
        for (due, seen) in letters {
            let chart = self.first_chart(&seen).await;
            drawn.push((due, seen, chart));
        }
        let now = self.now();
        let tx = self.begin().await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        // Another server may have been faster.
        let pace = pace_of(&tx, problem, notify).await?;
        let turn = Turn { slug, notify, now };
        for (due, seen, chart) in drawn {
            if pace.allows(due, now) {
                self.tell_together(&tx, &turn, due, &seen, chart).await?;
            }
        }
        commit(tx).await
    }

    /// The course of the first of these that has one: one is shown, and the letter does not wait for others.
    async fn first_chart(&self, alerts: &[Kept]) -> Option<(i64, Figure)> {
        for kept in alerts {
            if let Some(figure) = self.alert_figure(kept).await {
                return Some((kept.id, figure));
            }
        }
        None
    }

    /// Whom the document in force has told.
    async fn notify_of(&self, slug: &str) -> Result<Notify> {
        Ok(self.document_of(slug).await?.map(|document| document.notify).unwrap_or_default())
    }

    /// Tells of incidents of one problem in the same way: of those that are still to be told so.
    async fn tell_together(
        &self,
        tx: &Transaction,
        turn: &Turn<'_>,
        due: Due,
        seen: &[Kept],
        chart: Option<(i64, Figure)>,
    ) -> Result<()> {
        let Turn { slug, notify, now } = *turn;
        let mut alerts = Vec::new();
        for kept in seen {
            let kept = incident::find(tx, kept.id).await.map_err(fault)?;
            alerts.extend(kept.filter(|kept| kept.incident.letter_due(notify.escalate_after(), now) == Some(due)));
        }
        if alerts.is_empty() {
            return Ok(());
        }
        if due == Due::Firing {
            stand_under_the_first(tx, &mut alerts).await?;
        }
        let mut told = self.with_people(tx, slug, notify, due, alerts).await?;
        if let Some((of, figure)) = chart
            && let Some(telling) = told.iter_mut().find(|telling| telling.kept.id == of)
        {
            telling.chart = Some(figure);
        }
        for letter in addressed(&told) {
            self.write_to(tx, letter.reader, self.letter_about(&letter, due, notify)).await?;
        }
        for telling in &told {
            self.note_told(tx, telling, due, now).await?;
        }
        Ok(())
    }

    /// Alerts with who is written to about each.
    async fn with_people(
        &self,
        tx: &Transaction,
        slug: &str,
        notify: &Notify,
        due: Due,
        alerts: Vec<Kept>,
    ) -> Result<Vec<Telling>> {
        let people = self.told_of(tx, slug, notify, due == Due::Escalation).await?;
        // Who was told since nobody had acknowledged one is told that it is over, too.
        let mut others = Vec::new();
        if due == Due::Resolved && alerts.iter().any(|kept| kept.incident.escalated) {
            others = self.told_of(tx, slug, notify, true).await?;
            others.retain(|other| people.iter().all(|known| known.id != other.id));
        }
        let mut told = Vec::new();
        for kept in alerts {
            let left = incident::left(tx, kept.id).await.map_err(fault)?;
            let mut people = people.clone();
            if kept.incident.escalated {
                people.extend(others.iter().cloned());
            }
            let has_anybody = !people.is_empty();
            people.retain(|person| !left.contains(&person.id));
            told.push(Telling { kept, people, has_anybody, chart: None });
        }
        Ok(told)
    }

    /// Has programs told of an alert, and notes what was told.
    async fn note_told(&self, tx: &Transaction, telling: &Telling, due: Due, now: DateTime<Utc>) -> Result<()> {
        let kept = &telling.kept;
        let names: Vec<&str> = telling.people.iter().map(|person| person.name.as_str()).collect();
        let whom = match (names.is_empty(), telling.has_anybody) {
            (true, false) => "nobody: no account is on call".to_owned(),
            (true, true) => "nobody: whoever would be told takes no more letters about it".to_owned(),
            (false, _) => names.join(", "),
        };
        let hooks = self.tell_webhooks(tx, kept, due).await?;
        let hooks = if hooks.is_empty() { String::new() } else { format!("; webhooks {}", hooks.join(", ")) };
        let (kind, what) = match due {
            Due::Firing => ("told", "told that it fires"),
            Due::Reminder => ("reminded", "reminded that it still fires"),
            Due::Escalation => ("escalated", "told since nobody has acknowledged it"),
            Due::Resolved => ("told", "told that it is over"),
            Due::Missed => ("told", "told that it had fired and is over"),
        };
        incident::note(tx, kept.id, kind, &format!("{what}: {whom}{hooks}"), None, now).await.map_err(fault)?;
        incident::update(tx, kept.id, &kept.incident.told(due, now), None).await.map_err(fault)
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
    pub(super) async fn is_told(&self, tx: &Transaction, slug: &str, account: AccountId) -> Result<bool> {
        let notify = self.notify_of(slug).await?;
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
}

/// A look at which letters about one problem are written.
#[derive(Clone, Copy)]
struct Turn<'a> {
    slug: &'a str,
    notify: &'a Notify,
    now: DateTime<Utc>,
}

/// How often is written about a problem.
async fn pace_of(db: &impl Connection, problem: ProblemId, notify: &Notify) -> Result<Pace> {
    let last = incident::last_told(db, problem).await.map_err(fault)?;
    Ok(Pace { escalate_after: notify.escalate_after(), interval: notify.group_interval(), last })
}

/// What fires at one look is told in one thread from then on: that of the first.
async fn stand_under_the_first(tx: &Transaction, alerts: &mut [Kept]) -> Result<()> {
    let Some((first, further)) = alerts.split_first_mut() else { return Ok(()) };
    let thread = first.thread();
    for kept in further {
        incident::tell_with(tx, kept.id, thread).await.map_err(fault)?;
        kept.told_with = Some(thread);
    }
    Ok(())
}
