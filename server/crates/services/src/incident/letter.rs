//! What a letter about alerts says: about one, or about several of one model that are told in the same way at the same look.

use std::iter;

use millrace_charts::Figure;
use millrace_domain::monitor::incident::Letter as Due;
use millrace_domain::problem::Notify;
use millrace_storage::account::Account;
use millrace_storage::incident::Kept;

use crate::Services;
use crate::mail::{ABOUT_ALERTS, Act, Letter, RUNBOOK};

/// An alert that is told.
pub(super) struct Telling {
    pub kept: Kept,
    /// Who is written to about it.
    pub people: Vec<Account>,
    /// Whether anybody is on call, whoever takes no more letters about it.
    pub has_anybody: bool,
    pub chart: Option<Figure>,
}

/// Somebody who is written to, and what about: one alert at least.
pub(super) struct Addressed<'t> {
    pub reader: &'t Account,
    first: &'t Telling,
    further: Vec<&'t Telling>,
}

/// Who is written to, each about those alerts that they are told of.
pub(super) fn addressed(told: &[Telling]) -> Vec<Addressed<'_>> {
    let mut letters: Vec<Addressed<'_>> = Vec::new();
    for telling in told {
        for reader in &telling.people {
            match letters.iter_mut().find(|letter| letter.reader.id == reader.id) {
                Some(letter) => letter.further.push(telling),
                None => letters.push(Addressed { reader, first: telling, further: Vec::new() }),
            }
        }
    }
    letters
}

impl Services {
    /// The letter to one reader.
    pub(super) fn letter_about(&self, told: &Addressed<'_>, due: Due, notify: &Notify) -> Letter<'static> {
        let further = told.further.iter().map(|telling| telling.kept.id).collect();
        // Of what is over the link lets its reader take no more letters, should it come back.
        let label = if is_over(due) { "See how it stands" } else { "Acknowledge or silence" };
        let act = Act { label, link: self.link_to_act(told.first.kept.id, further, told.reader.id) };
        Letter {
            kind: ABOUT_ALERTS,
            subject: told.subject(due),
            paragraphs: told.paragraphs(due),
            act: Some(act),
            secret: true,
            facts: told.facts(notify.runbook.as_deref(), |path| self.link(path)),
            why: if due == Due::Escalation {
                "You get this because the problem's document names you for alerts that nobody acknowledges."
            } else {
                "You get this because you are on call."
            },
            thread: Some(format!("incident-{}-{}", told.first.kept.thread(), told.reader.id)),
            chart: told.alerts().find_map(|telling| telling.chart.clone()),
        }
    }
}

impl<'t> Addressed<'t> {
    fn alerts(&self) -> impl Iterator<Item = &'t Telling> {
        iter::once(self.first).chain(self.further.iter().copied())
    }

    fn subject(&self, due: Due) -> String {
        let state = if is_over(due) { "resolved" } else { "firing" };
        let first = &self.first.kept;
        match self.further.len() {
            0 => format!("{} ({state})", first.title),
            more => format!("{}: {} alerts ({state})", first.slug, more + 1),
        }
    }

    fn paragraphs(&self, due: Due) -> Vec<String> {
        let mut paragraphs: Vec<String> = self.alerts().map(|telling| sentence(&telling.kept, due)).collect();
        if !is_over(due) {
            let which = if self.further.is_empty() { "it" } else { "each of them" };
            paragraphs.push(format!(
                "If nothing is done the model goes on answering, and those on call are reminded every four hours until somebody \
                 acknowledges {which}."
            ));
        }
        paragraphs
    }

    /// What is known; of several alerts each under its title.
    fn facts(&self, runbook: Option<&str>, link: impl Fn(&str) -> String) -> Vec<(String, String)> {
        let page = |kept: &Kept| link(&format!("/alerts/{}", kept.id));
        let mut facts = Vec::new();
        let is_one = self.further.is_empty();
        for Telling { kept, .. } in self.alerts() {
            if !is_one {
                facts.push((kept.title.clone(), page(kept)));
            }
            facts.extend(facts_of(kept));
            facts.extend(window(kept).map(|window| ("Window".to_owned(), window)));
        }
        let only = is_one.then_some(&self.first.kept);
        facts.push(("Also told".to_owned(), self.also_told()));
        facts.extend(only.map(|kept| ("The alert".to_owned(), page(kept))));
        let mut counted: Vec<String> = self.alerts().map(|telling| monitor_path(&telling.kept)).collect();
        counted.sort_unstable();
        counted.dedup();
        facts.extend(counted.iter().map(|path| ("What was counted".to_owned(), link(path))));
        facts.extend(runbook.map(|runbook| (RUNBOOK.to_owned(), runbook.to_owned())));
        facts
    }

    /// Everybody else who is told, and of how many of these alerts where it is not all of them.
    fn also_told(&self) -> String {
        let all = self.further.len() + 1;
        let mut others: Vec<(&Account, usize)> = Vec::new();
        let people = self.alerts().flat_map(|telling| &telling.people);
        for person in people.filter(|person| person.id != self.reader.id) {
            match others.iter_mut().find(|(known, _)| known.id == person.id) {
                Some((_, count)) => *count += 1,
                None => others.push((person, 1)),
            }
        }
        let names = others.iter().map(|(person, count)| match *count == all {
            true => person.name.clone(),
            false => format!("{} ({count} of {all})", person.name),
        });
        let names: Vec<String> = names.collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    }
}

const fn is_over(due: Due) -> bool {
    matches!(due, Due::Resolved | Due::Missed)
}

/// What is told of one alert before anything else.
fn sentence(kept: &Kept, due: Due) -> String {
    let since = kept.incident.fired_at.unwrap_or(kept.opened_at).format("%Y-%m-%d %H:%M UTC");
    match due {
        Due::Firing => format!("Firing since {since}: {}.", kept.title),
        Due::Reminder => format!("Still firing, since {since}, and nobody has acknowledged it: {}.", kept.title),
        Due::Escalation => {
            format!("Firing since {since}, and nobody on call has acknowledged it: {}.", kept.title)
        }
        Due::Resolved => format!("Resolved: what had fired on {since} is over: {}.", kept.title),
        Due::Missed => format!("It fired on {since} and was over before it could be told: {}.", kept.title),
    }
}

/// What is known of one alert.
fn facts_of(kept: &Kept) -> Vec<(String, String)> {
    let mut facts = kept.facts.clone();
    facts.extend(kept.version.map(|version| ("Model".to_owned(), format!("version {version} of {}", kept.slug))));
    facts.extend(kept.incident.blind_since.map(|since| {
        let since = since.format("%Y-%m-%d %H:%M UTC");
        ("No data".to_owned(), format!("since {since} nothing that was seen says whether it still fires"))
    }));
    facts
}

/// The window that an alert was seen in.
fn window(kept: &Kept) -> Option<String> {
    kept.window.map(|(begins, ends)| {
        let (begins, ends) = (begins.format("%Y-%m-%d %H:%M:%S"), ends.format("%H:%M:%S UTC"));
        format!("{begins} to {ends}")
    })
}

/// The page of a deployment at the window of an alert.
fn monitor_path(kept: &Kept) -> String {
    let at = kept.window.map(|(_, ends)| format!("?window={}", ends.timestamp())).unwrap_or_default();
    format!("/deployments/{}/monitor{at}", kept.slug)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use millrace_domain::ids::{AccountId, ProblemId};
    use millrace_domain::monitor::incident::{Cause, Incident};

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn person(id: i64, name: &str) -> Account {
        Account {
            id: AccountId(id),
            email: format!("{name}@example.org"),
            name: name.to_owned(),
            password_hash: None,
            grants: Vec::new(),
            totp_sealed: None,
            totp_since: None,
            totp_step: 0,
            generation: 0,
            disabled_at: None,
            created_at: noon(),
        }
    }

    /// An alert of the hour before noon.
    fn telling(id: i64, cause: Cause, people: &[(i64, &str)]) -> Telling {
        let kept = Kept {
            id,
            problem: ProblemId(1),
            slug: "tips".to_owned(),
            cause,
            incident: Incident::begin(1, noon()),
            title: format!("{}: tips", cause.title()),
            facts: vec![("What".to_owned(), cause.to_string())],
            window: Some((noon() - TimeDelta::hours(1), noon())),
            opened_at: noon(),
            acknowledged_by: None,
            version: Some(3),
            told_with: None,
        };
        let people: Vec<Account> = people.iter().map(|(id, name)| person(*id, name)).collect();
        Telling { kept, people, has_anybody: true, chart: None }
    }

    /// Facts as lines of the letter.
    fn lines(letter: &Addressed<'_>) -> Vec<String> {
        let facts = letter.facts(Some("https://example.org/runbook"), |path| format!("https://m{path}"));
        facts.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn one_alert_is_told_by_its_title_and_its_facts() {
        let told = [telling(7, Cause::Drift, &[(1, "Ann"), (2, "Ben")])];
        let letters = addressed(&told);
        assert_eq!(letters.len(), 2);
        let letter = &letters[0];
        assert_eq!(letter.subject(Due::Reminder), "Drift: tips (firing)");
        let over = ["Resolved: what had fired on 2026-11-23 12:00 UTC is over: Drift: tips."];
        assert_eq!(letter.paragraphs(Due::Resolved), over);
        let expected = [
            "What: drift",
            "Model: version 3 of tips",
            "Window: 2026-11-23 11:00:00 to 12:00:00 UTC",
            "Also told: Ben",
            "The alert: https://m/alerts/7",
            "What was counted: https://m/deployments/tips/monitor?window=1795435200",
            "What to do: https://example.org/runbook",
        ];
        assert_eq!(lines(letter), expected);
    }

    #[test]
    fn several_alerts_are_one_letter_to_each_reader_with_what_is_known_of_each_under_its_title() {
        let (both, on_call) = ([(1, "Ann"), (2, "Ben")], [(1, "Ann"), (2, "Ben"), (3, "Cem")]);
        let told = [telling(7, Cause::Drift, &on_call), telling(8, Cause::Freshness, &both)];
        let letters = addressed(&told);
        let about = |letter: &Addressed<'_>| -> Vec<i64> { letter.alerts().map(|telling| telling.kept.id).collect() };
        let whom: Vec<(&str, Vec<i64>)> =
            letters.iter().map(|letter| (letter.reader.name.as_str(), about(letter))).collect();
        assert_eq!(whom, [("Ann", vec![7, 8]), ("Ben", vec![7, 8]), ("Cem", vec![7])]);
        let letter = &letters[0];
        assert_eq!(letter.subject(Due::Firing), "tips: 2 alerts (firing)");
        let paragraphs = letter.paragraphs(Due::Firing);
        let since = "Firing since 2026-11-23 12:00 UTC";
        assert_eq!(paragraphs[..2], [format!("{since}: Drift: tips."), format!("{since}: Stale data: tips.")]);
        assert_eq!(paragraphs.len(), 3, "what comes of doing nothing stands there once");
        let expected = [
            "Drift: tips: https://m/alerts/7",
            "What: drift",
            "Model: version 3 of tips",
            "Window: 2026-11-23 11:00:00 to 12:00:00 UTC",
            "Stale data: tips: https://m/alerts/8",
            "What: freshness",
            "Model: version 3 of tips",
            "Window: 2026-11-23 11:00:00 to 12:00:00 UTC",
            "Also told: Ben, Cem (1 of 2)",
            "What was counted: https://m/deployments/tips/monitor?window=1795435200",
            "What to do: https://example.org/runbook",
        ];
        assert_eq!(lines(letter), expected);
        assert_eq!(
            letters[2].subject(Due::Resolved),
            "Drift: tips (resolved)",
            "who left one is told of the other alone"
        );
    }
}
