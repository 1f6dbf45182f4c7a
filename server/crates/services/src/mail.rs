//! Letters: what is told by mail, to whom, and what became of it.
//!
//! A letter is written in the transaction that gives reason for it and waits in the outbox; `jobs::post` sends it. Its footer
//! carries the head of the audit chain, so that a trail whose end was cut off shows in anybody's mailbox.

use askama::Template;
use chrono::Duration;
use millrace_charts::Figure;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{MailLine, MailListView, MailView};
use millrace_storage::account::Account;
use millrace_storage::mail::{self, Mail, NewMail};
use millrace_storage::{Connection, audit};

use crate::access::Note;
use crate::credentials::random_text;
use crate::{Result, Services, commit, fault};

/// Stands in a stored letter where a one-time link goes.
const LINK_GOES_HERE: &str = "(the link stands in the letter alone)";
/// The kind of letters about alerts, whose link takes a reader off the alert as well.
pub(crate) const ABOUT_ALERTS: &str = "incident";
/// The fact that is the address of a document's runbook.
pub(crate) const RUNBOOK: &str = "What to do";
/// Letters shown on one page.
const PAGE: u32 = 50;

/// What a letter asks its reader to do.
pub(crate) struct Act {
    pub label: &'static str,
    pub link: String,
}

/// A letter before it is written.
pub(crate) struct Letter<'a> {
    /// What it is about, for programs.
    pub kind: &'static str,
    pub subject: String,
    pub paragraphs: Vec<String>,
    pub act: Option<Act>,
    /// Whether the link is a secret: then it is put in only when the letter goes out.
    pub secret: bool,
    pub facts: Vec<(String, String)>,
    /// Why the reader gets it.
    pub why: &'a str,
    /// What letters of one matter to one reader have in common, so that they stand under each other.
    pub thread: Option<String>,
    /// A picture, with what it says.
    pub chart: Option<Figure>,
}

/// A letter as it goes out.
pub struct Outgoing {
    /// As text.
    pub text: String,
    /// As HTML; the picture is `cid:chart`.
    pub html: String,
    /// Where a POST stops further letters about the same.
    pub leave: Option<String>,
}

#[derive(Template)]
#[template(path = "letter.txt", escape = "none")]
struct Text<'a> {
    title: &'a str,
    chart: Option<&'a str>,
    paragraphs: &'a [String],
    act: Option<&'a Act>,
    facts: &'a [(String, String)],
    why: &'a str,
    base_url: &'a str,
    head: Option<(i64, String)>,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    title: &'a str,
    chart: Option<&'a str>,
    paragraphs: &'a [String],
    act: Option<&'a Act>,
    facts: &'a [(String, String)],
    why: &'a str,
    base_url: &'a str,
    head: Option<(i64, String)>,
}

impl Html<'_> {
    /// Whether a fact is the address of a page of ours, or of the document's runbook. Others may be names that somebody gave themselves.
    fn is_link(&self, (name, fact): &(String, String)) -> bool {
        let own =
            !self.base_url.is_empty() && fact.strip_prefix(self.base_url).is_some_and(|path| path.starts_with('/'));
        (own || name == RUNBOOK && fact.starts_with("https://")) && !fact.contains(char::is_whitespace)
    }
}

impl Services {
    /// The address of a page, for letters: from the settings, never from what a request says.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url)
    }

    /// Puts a letter into the outbox, in the transaction that gives reason for it.
    pub(crate) async fn write_to(&self, tx: &impl Connection, to: &Account, mut letter: Letter<'_>) -> Result<()> {
        let message_id = self.message_id();
        let sealed_link = match &mut letter.act {
            Some(act) if letter.secret => {
                let link = std::mem::replace(&mut act.link, LINK_GOES_HERE.to_owned());
                Some(self.settings.key.seal(link.as_bytes(), &purpose(&message_id), &self.surroundings))
            }
            _ => None,
        };
        let title = one_line(&letter.subject);
        let thread = letter.thread.as_ref().map(|thread| format!("{thread}@{}", self.mail_host()));
        let head = audit::head(tx).await.map_err(fault)?.map(|(sequence, hash)| (sequence, hash.to_string()));
        let (paragraphs, act, facts) = (&letter.paragraphs[..], letter.act.as_ref(), &letter.facts[..]);
        let (why, base_url) = (letter.why, self.settings.base_url.as_str());
        let chart = letter.chart.as_ref().map(|figure| figure.caption.as_str());
        let text = Text { title: &title, chart, paragraphs, act, facts, why, base_url, head: head.clone() }.render();
        let html = Html { title: &title, chart, paragraphs, act, facts, why, base_url, head }.render();
        let unwritten = |error: askama::Error| {
            tracing::error!(%error, "a letter could not be written");
            Fault::new(500, "internal", "Internal error", "a letter could not be written; nothing was changed")
        };
        let new = NewMail {
            message_id: &message_id,
            kind: letter.kind,
            account: Some(to.id),
            recipient: &to.email,
            subject: &title,
            text_body: &text.map_err(unwritten)?,
            html_body: &html.map_err(unwritten)?,
            sealed_link,
            thread: thread.as_deref(),
            chart: letter.chart.as_ref().map(|figure| figure.svg.as_str()),
        };
        mail::insert(tx, new, self.now()).await.map_err(fault).map(|_| ())
    }

    fn message_id(&self) -> String {
        let name = random_text(self.surroundings.entropy.as_ref() as &dyn Entropy, 26);
        format!("{name}@{}", self.mail_host())
    }

    /// The host that letters are named after.
    fn mail_host(&self) -> &str {
        let host = self.settings.base_url.split("://").nth(1).unwrap_or_default();
        host.split([':', '/']).next().filter(|host| !host.is_empty()).unwrap_or("localhost")
    }

    /// A letter as it goes out, its secret link put in; none when the link was sealed under another key.
    pub fn letter_to_send(&self, mail: &Mail) -> Option<Outgoing> {
        let (text, html) = (&mail.text_body, &mail.html_body);
        let Some(sealed) = &mail.sealed_link else {
            return Some(Outgoing { text: text.clone(), html: html.clone(), leave: None });
        };
        let link = self.settings.key.open(sealed, &purpose(&mail.message_id))?;
        let link = String::from_utf8(link).ok()?;
        let filled_in = |body: &str| body.replace(LINK_GOES_HERE, &link);
        let (text, html) = (filled_in(text), filled_in(html));
        Some(Outgoing { text, html, leave: (mail.kind == ABOUT_ALERTS).then_some(link) })
    }

    /// Outgoing mail, newest first.
    ///
    /// # Errors
    /// For anybody but an admin.
    pub async fn list_mail(&self, actor: &Actor, before: Option<i64>) -> Result<MailListView> {
        self.authorise(actor, Action::ReadMail, "mail").await?;
        let found = mail::list(self.db.pool(), before, PAGE).await.map_err(fault)?;
        let next = (found.len() == PAGE as usize).then(|| found.last().map(|mail| mail.id)).flatten();
        Ok(MailListView {
            letters: found.iter().map(line).collect(),
            next,
            stuck: self.stuck_mail().await?,
            webhooks: self.webhook_lines().await?,
        })
    }

    /// One letter. A one-time link in it is not shown: it belongs to its recipient.
    ///
    /// # Errors
    /// For anybody but an admin; 404 when there is none.
    pub async fn mail(&self, actor: &Actor, id: i64) -> Result<MailView> {
        self.authorise(actor, Action::ReadMail, &format!("mail/{id}")).await?;
        let found = mail::find(self.db.pool(), id).await.map_err(fault)?.ok_or_else(|| Fault::not_found("letter"))?;
        Ok(MailView {
            line: line(&found),
            message_id: found.message_id,
            text: found.text_body,
            next_at: (found.state == "queued").then_some(found.next_at),
        })
    }

    /// Tries a letter that failed once more.
    ///
    /// # Errors
    /// For anybody but an admin; 409 unless it failed.
    pub async fn retry_mail(&self, actor: &Actor, id: i64) -> Result<()> {
        let tx = self.begin_as(actor, Action::ReadMail, None, &format!("mail/{id}")).await?;
        mail::try_again(&tx, id, self.now()).await.map_err(|_| {
            Fault::conflict("not_failed", "only a letter that failed is tried again; this one waits or has gone out")
        })?;
        self.note(&tx, actor, Note::new("mail.retry", format!("mail/{id}"))).await?;
        commit(tx).await
    }

    /// Letters and messages to webhooks of the last week that could not be sent, or wait although they were tried.
    pub(crate) async fn stuck_mail(&self) -> Result<i64> {
        let letters = mail::count_stuck(self.db.pool(), self.now() - Duration::days(7)).await.map_err(fault)?;
        Ok(letters + self.stuck_webhooks().await.map_err(fault)?)
    }
}

fn purpose(message_id: &str) -> String {
    format!("mail {}", Digest::of(message_id).short())
}

/// No line ends and control characters in a subject, whatever stands in a title or name; at most 200 characters.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn line(mail: &Mail) -> MailLine {
    MailLine {
        id: mail.id.to_string(),
        kind: mail.kind.clone(),
        recipient: mail.recipient.clone(),
        subject: mail.subject.clone(),
        state: mail.state.clone(),
        attempt: mail.attempt,
        last_error: mail.last_error.clone(),
        created_at: mail.created_at,
        sent_at: mail.sent_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_stays_on_its_line() {
        assert_eq!(one_line("Sign off\r\nBcc: x@example.org\0"), "Sign off Bcc: x@example.org");
    }

    #[test]
    fn markup_in_a_letter_is_text() {
        let paragraphs = ["<script>alert(1)</script>".to_owned()];
        let (act, facts) = (None, Vec::new());
        let chart = Some("<b>");
        let html =
            Html { title: "a", chart, paragraphs: &paragraphs, act, facts: &facts, why: "", base_url: "", head: None }
                .render();
        let html = html.unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>") && html.contains("cid:chart"), "{html}");
    }

    #[test]
    fn the_pages_that_a_letter_names_are_links_and_nothing_else_is() {
        let base_url = "http://millrace";
        let facts = [
            ("The alert", "http://millrace/alerts/7"),
            (RUNBOOK, "https://example.org/runbook"),
            ("Asked by", "https://example.org/"),
            ("Also told", "javascript:alert(1)"),
        ];
        let facts = facts.map(|(name, fact)| (name.to_owned(), fact.to_owned()));
        let html =
            Html { title: "a", chart: None, paragraphs: &[], act: None, facts: &facts, why: "", base_url, head: None };
        let html = html.render().unwrap();
        let links: Vec<&str> = html.split("<a href=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
        assert_eq!(links, ["http://millrace/alerts/7", "https://example.org/runbook", base_url], "{html}");
    }
}
