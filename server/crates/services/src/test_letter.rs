//! A letter about nothing, sent the way that letters about alerts go.

use chrono::TimeDelta;
use millrace_charts::duration;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_storage::account::Account;
use millrace_storage::{account, mail};

use crate::access::Note;
use crate::mail::{Act, Letter};
use crate::{Result, Services, commit, fault};

/// The kind of such letters.
const TEST: &str = "test";

impl Services {
    /// Sends the reader a letter about nothing, the way that letters about alerts go, so that it is known before the first alert that they
    /// arrive, and who gets them.
    ///
    /// # Errors
    /// 404 without such a problem; 409 `too_soon` within a minute of the last one.
    pub async fn send_test_letter(&self, actor: &Actor, slug: &str) -> Result<()> {
        let object = format!("deployment/{slug}");
        let tx = self.begin_as(actor, Action::HandleIncident, Some(slug), &object).await?;
        let notify = self.document_to_show(slug).await?.notify;
        let person = account::find(&tx, actor.account).await.map_err(fault)?;
        let person = person.ok_or_else(|| Fault::not_found("account"))?;
        if mail::was_written(&tx, TEST, person.id, self.now() - TimeDelta::minutes(1)).await.map_err(fault)? {
            let detail = format!("a test letter to {} is less than a minute old; see whether it arrives", person.email);
            return Err(Fault::conflict("too_soon", detail));
        }
        let on_call = emails(self.told_of(&tx, slug, &notify, false).await?);
        let mut facts = vec![("Told of alerts".to_owned(), on_call)];
        if let Some(after) = notify.escalate_after() {
            let others = emails(self.told_of(&tx, slug, &notify, true).await?);
            facts.push((
                format!("Told when nobody has acknowledged one for {}", duration(after.num_seconds() as f64)),
                others,
            ));
        }
        let letter = Letter {
            kind: TEST,
            subject: format!("Test: letters about alerts of {slug} arrive"),
            paragraphs: vec![
                "Nothing is wrong. You asked for this letter to see that letters about alerts reach you.".to_owned(),
                "It went the way they go; those who are told of alerts did not get it.".to_owned(),
            ],
            act: Some(Act { label: "Open monitoring", link: self.link(&format!("/deployments/{slug}/monitor")) }),
            secret: false,
            facts,
            why: "You get this because you asked for it.",
            thread: None,
            chart: None,
        };
        self.write_to(&tx, &person, letter).await?;
        self.note(&tx, actor, Note::new("alert.test_letter", object)).await?;
        commit(tx).await
    }
}

fn emails(people: Vec<Account>) -> String {
    match people.is_empty() {
        true => "nobody: no account is on call".to_owned(),
        false => people.into_iter().map(|person| person.email).collect::<Vec<_>>().join(", "),
    }
}
