//! Letters: asked for by acts, kept in an outbox, sent in a real SMTP conversation.

use std::time::Duration;

use millrace_storage::mail::NewMail;
use millrace_test_support::Person;
use millrace_test_support::mailbox::{Answer, Mailbox};
use serde_json::json;

use crate::{Team, document, team, team_with};

pub async fn with_mailbox() -> (Team, Mailbox) {
    let mailbox = Mailbox::open().await.unwrap();
    let env = [("MILLRACE_SMTP_URL", mailbox.url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    let team = team_with(&env).await;
    (team, mailbox)
}

pub async fn eventually(mailbox: &Mailbox, count: usize) -> Vec<millrace_test_support::mailbox::Delivered> {
    for _ in 0..600 {
        if mailbox.delivered().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    mailbox.delivered()
}

/// The outbox learns that a letter is gone only after the mail server took it, so rows are waited for like letters.
pub async fn counted(team: &Team, rows: &str, count: i64) -> i64 {
    let query = format!("select count(*) from mail where {rows}");
    for _ in 0..600 {
        if team.app.count(&query).await == count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    team.app.count(&query).await
}

#[tokio::test]
async fn a_review_request_goes_out_to_everybody_who_may_approve_and_nobody_else() {
    let (team, mailbox) = with_mailbox().await;
    let colleague = team.app.person("colleague", &[millrace_domain::policy::Role::MlEngineer]).await.unwrap();
    team.in_review(&document("asked")).await;
    let letters = eventually(&mailbox, 2).await;
    let mut to: Vec<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, [colleague.email.as_str(), team.stakeholder.email.as_str()]);
    let letter = &letters[0];
    assert_eq!(letter.header("Subject"), Some("Please review asked: Is it big"));
    assert_eq!(letter.header("Auto-Submitted"), Some("auto-generated"));
    for part in ["text/plain", "text/html", "/problems/asked/v/1?tab=review", "Is it big"] {
        assert!(letter.content.replace("=\r\n", "").replace("=3D", "=").contains(part), "{part}: {}", letter.content);
    }
    assert_eq!(counted(&team, "state = 'sent'", 2).await, 2);
    team.app.remove().await;
}

#[tokio::test]
async fn a_letter_that_was_put_off_goes_out_later_under_the_same_message_id() {
    let (team, mailbox) = with_mailbox().await;
    mailbox.answer(Answer::Drop);
    team.in_review(&document("later")).await;
    let first = eventually(&mailbox, 1).await;
    assert_eq!(counted(&team, "state = 'queued' and last_error is not null", 1).await, 1);
    let (_, home) = team.admin.page("/").await;
    assert!(home.contains("could not be sent"), "admins are told");
    let (_, list) = team.admin.page("/mail").await;
    assert!(list.contains("Please review later"), "{list}");
    mailbox.answer(Answer::Take);
    team.app.sql("update mail set next_at = now()").await;
    let both = eventually(&mailbox, 2).await;
    assert_eq!(both.len(), 2);
    assert!(both[0].header("Message-ID").is_some_and(|id| Some(id) == both[1].header("Message-ID")));
    assert_eq!(first.len(), 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a_letter_that_was_taken_when_its_sender_was_killed_comes_at_most_once_more_under_the_same_message_id() {
    let (mut team, mailbox) = with_mailbox().await;
    mailbox.answer(Answer::LateTaken(Duration::from_secs(4)));
    team.in_review(&document("killed")).await;
    assert_eq!(eventually(&mailbox, 1).await.len(), 1);
    // It is held before the mail server's word arrives, and killed once that lies unread in its socket.
    team.app.server.hold().unwrap();
    for _ in 0..200 {
        if mailbox.said().iter().any(|said| said == "250 taken") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(mailbox.said().iter().filter(|said| *said == "250 taken").count(), 1);
    team.app.server.kill().unwrap();
    assert_eq!(team.app.count("select count(*) from mail where state = 'queued' and attempt = 1").await, 1);

    mailbox.answer(Answer::Take);
    let env = [("MILLRACE_SMTP_URL", mailbox.url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    team.app.restart(&env).await.unwrap();
    let leased = "state = 'queued' and lease_until > now()";
    assert_eq!(counted(&team, leased, 1).await, 1, "who may still be sending it is left alone");
    // The lease is over.
    team.app.sql("update mail set lease_until = now()").await;
    assert_eq!(counted(&team, "state = 'sent' and attempt = 2", 1).await, 1, "it is not lost");
    let both = mailbox.delivered();
    assert_eq!(both.len(), 2, "it is doubled once");
    assert!(both[0].header("Message-ID").is_some_and(|id| Some(id) == both[1].header("Message-ID")));
    team.app.remove().await;
}

#[tokio::test]
async fn a_server_whose_clock_is_ahead_takes_no_letter_that_another_one_is_sending() {
    let (team, mailbox) = with_mailbox().await;
    mailbox.answer(Answer::LateTaken(Duration::from_secs(2)));
    write(&team, 0).await;
    assert_eq!(eventually(&mailbox, 1).await.len(), 1);
    let (pool, now) = (team.app.services.db().pool(), team.app.services.surroundings().now());
    let hour = chrono::TimeDelta::hours(1);
    let taken = millrace_storage::mail::claim(pool, now + hour, hour).await.unwrap();
    assert!(taken.is_none(), "{taken:?}");
    assert_eq!(counted(&team, "state = 'sent'", 1).await, 1);
    assert_eq!(mailbox.delivered().len(), 1);
    team.app.remove().await;
}

#[tokio::test]
async fn no_password_is_said_where_encryption_was_taken_away_and_the_letter_waits() {
    let mailbox = Mailbox::open().await.unwrap();
    let url = mailbox.url.replace("smtp://", "smtp://robot:correct-horse@") + "?tls=required";
    let team = team_with(&[("MILLRACE_SMTP_URL", &url), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")]).await;
    let ways = [None, Some("454 TLS not available"), Some("502 no such command"), Some("220 go on")];
    for (number, way) in ways.into_iter().enumerate() {
        mailbox.answer(Answer::Stripped(way));
        write(&team, u32::try_from(number).unwrap()).await;
        let tried = format!("state = 'queued' and last_error is not null and recipient like 'reader{number}@%'");
        assert_eq!(counted(&team, &tried, 1).await, 1, "{way:?} is no reason to give a letter up");
    }
    assert!(mailbox.delivered().is_empty());
    let heard = mailbox.heard().join("\n");
    assert!(heard.matches("STARTTLS").count() >= 3, "{heard}");
    // `\0robot\0correct-horse` in Base64 begins with AHJvYm90.
    for secret in ["AUTH", "correct-horse", "AHJvYm90", "MAIL FROM"] {
        assert!(!heard.contains(secret), "{secret}: {heard}");
    }
    let (_, list) = team.admin.page("/mail").await;
    assert!(list.contains("STARTTLS is not supported") && !list.contains("correct-horse"), "{list}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_password_that_the_mail_server_takes_no_more_loses_no_letter() {
    let mailbox = Mailbox::open().await.unwrap();
    let url = mailbox.url.replace("smtp://", "smtp://robot:correct-horse@");
    let team = team_with(&[("MILLRACE_SMTP_URL", &url), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")]).await;
    for (number, (answer, code)) in (0..).zip([(Answer::NotLetIn, 535), (Answer::Wants, 530)]) {
        mailbox.answer(answer);
        write(&team, number).await;
        let waits = format!("state = 'queued' and last_error like '%{code}%' and recipient like 'reader{number}@%'");
        assert_eq!(counted(&team, &waits, 1).await, 1, "{code} is no reason to give a letter up");
    }
    mailbox.answer(Answer::Take);
    team.app.sql("update mail set next_at = now()").await;
    assert_eq!(counted(&team, "state = 'sent'", 2).await, 2);
    assert_eq!(mailbox.delivered().len(), 2);
    team.app.remove().await;
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_final_and_others_get_their_letters() {
    let (team, mailbox) = with_mailbox().await;
    mailbox.answer(Answer::Never);
    team.in_review(&document("never")).await;
    assert_eq!(counted(&team, "state = 'failed'", 1).await, 1);
    mailbox.answer(Answer::Take);
    team.in_review(&document("other")).await;
    let letters = eventually(&mailbox, 1).await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].header("Subject").is_some_and(|subject| subject.contains("other")));
    let id = team.app.count("select id from mail where state = 'failed'").await;
    let (_, page) = team.admin.page(&format!("/mail/{id}")).await;
    assert!(page.contains("550") && page.contains("Try again"), "{page}");
    team.admin.submit(&format!("/mail/{id}"), "/fn/retry_mail", &[("number", &id.to_string())]).await;
    assert_eq!(eventually(&mailbox, 2).await.len(), 2);
    team.app.remove().await;
}

#[tokio::test]
async fn a_one_time_link_is_readable_in_the_letter_alone() {
    let (team, mailbox) = with_mailbox().await;
    let fields = [("email", "new@example.org"), ("name", "New"), ("roles[]", "stakeholder")];
    team.admin.submit("/people?invite=1", "/fn/invite_person", &fields).await;
    let letters = eventually(&mailbox, 1).await;
    let content = letters[0].content.replace("=\r\n", "").replace("=3D", "=");
    let code = content.split("/invite?code=").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(counted(&team, "state = 'sent'", 1).await, 1);
    assert_eq!(team.app.count(&format!("select count(*) from mail m where m::text like '%{code}%'")).await, 0);
    assert_eq!(team.app.count("select count(*) from mail where sealed_link is not null").await, 0);
    let (_, page) = team.admin.page("/mail/1").await;
    assert!(page.contains("the link stands in the letter alone") && !page.contains(code), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn without_a_mail_server_letters_lie_in_a_directory_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let team = team().await;
    team.in_review(&document("kept")).await;
    let directory = team.app.home().join("mail");
    let mut files = Vec::new();
    for _ in 0..100 {
        files = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .collect();
        if !files.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(files.len(), 1);
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&files[0]).unwrap().contains("Subject: Please review kept"));
    assert_eq!(team.stakeholder.page("/mail").await.0, 403);
    team.app.remove().await;
}

#[tokio::test]
async fn a_title_with_line_breaks_adds_no_header() {
    let (team, mailbox) = with_mailbox().await;
    let mut titled = document("breaks");
    titled["title"] = json!("Is it big\r\nBcc: everybody@example.org");
    let refused = team.engineer.post("/api/v1/problems", titled).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let fields = [("email", "new@example.org\r\nBcc: x@example.org"), ("name", "New"), ("roles[]", "stakeholder")];
    assert!(team.admin.submit("/people?invite=1", "/fn/invite_person", &fields).await.to.contains("kept="));
    assert!(mailbox.delivered().is_empty());
    team.app.remove().await;
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_is_left_after_a_while_and_letters_go_out_once_when_it_speaks_again() {
    let (team, mailbox) = with_patience("1").await;
    mailbox.answer(Answer::Hang);
    for number in 0..5 {
        write(&team, number).await;
    }
    let given_up = "attempt >= 1 and last_error like '%did not come to an end within 1 s%'";
    assert_eq!(counted(&team, given_up, 5).await, 5, "one that hangs keeps no other waiting");
    let (status, _) = team.admin.page("/problems").await;
    assert_eq!(status, 200);
    mailbox.answer(Answer::Take);
    team.app.sql("update mail set next_at = now() where state = 'queued'").await;
    assert_eq!(counted(&team, "state = 'sent'", 5).await, 5);
    assert_eq!(mailbox.delivered().len(), 5, "none is doubled");
    team.app.remove().await;
}

#[tokio::test]
async fn what_a_mail_server_says_too_late_is_not_taken_for_its_word_on_the_next_letter() {
    let (team, mailbox) = with_patience("1").await;
    mailbox.answer(Answer::Late(Duration::from_secs(2)));
    write(&team, 0).await;
    assert_eq!(counted(&team, "attempt = 1 and last_error like '%did not come to an end%'", 1).await, 1);
    mailbox.answer(Answer::Take);
    write(&team, 1).await;
    assert_eq!(counted(&team, "state = 'sent' and recipient like 'reader1@%'", 1).await, 1);
    assert_eq!(
        mailbox.delivered().iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(),
        ["reader1@example.org"]
    );
    team.app.sql("update mail set next_at = now() where state = 'queued'").await;
    assert_eq!(counted(&team, "state = 'sent'", 2).await, 2);
    assert_eq!(mailbox.delivered().len(), 2, "none is lost, none is doubled");
    team.app.remove().await;
}

#[tokio::test]
async fn a_watch_that_is_gone_is_told_on_pages_by_mail_and_to_whoever_asks_from_outside() {
    let mut team = team().await;
    // Two minutes go by; what is at work says so soon.
    let two_minutes = "update heartbeat set beat_at = now() - interval '2 minutes'";
    team.app.sql(two_minutes).await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ["letters", "rollouts", "watch"], "all are at work");
    let (_, home) = team.admin.page("/").await;
    assert!(!home.contains("Part of the servers stands still"), "{home}");

    // Another server runs in its place that does not watch.
    let database = team.app.database_url().to_owned();
    team.app.restart_on(&database, &["--no-watch"]).await.unwrap();
    team.app.sql(two_minutes).await;
    let others = "select count(*) from heartbeat where beat_at > now() - interval '1 minute'";
    for _ in 0..600 {
        if team.app.count(others).await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(deadman(&team.app.anybody(), 503).await, ["letters", "rollouts"]);
    let admin = team.app.sign_in(team.admin.clone()).await.unwrap();
    for page in ["/", "/alerts"] {
        let (_, shown) = admin.page(page).await;
        assert!(shown.contains("No window is judged, no alert is raised"), "{page}: {shown}");
    }
    // What servers do from their second minute on: told once, to the admin and to whoever is on call.
    for _ in 0..2 {
        assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 1);
    }
    let letters =
        |subject: &str| format!("select count(*) from mail where kind = 'heartbeat' and subject like '{subject}%'");
    assert_eq!(team.app.count(&letters("No window is judged")).await, 2);
    assert_eq!(team.app.count(&letters("")).await, 2);

    team.app.restart_on(&database, &[]).await.unwrap();
    assert_eq!(deadman(&team.app.anybody(), 200).await, ["letters", "rollouts", "watch"]);
    for _ in 0..2 {
        assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 0);
    }
    assert_eq!(team.app.count(&letters("At work again")).await, 2);
    team.app.remove().await;
}

/// Those at work, once `/deadman` answers so.
pub async fn deadman(outside: &Person, status: u16) -> Vec<String> {
    let mut answer = outside.get("/deadman").await;
    for _ in 0..600 {
        if answer.status == status {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = outside.get("/deadman").await;
    }
    assert_eq!(answer.status, status, "{}", answer.body);
    let hearts = answer.body["hearts"].as_array().unwrap().iter();
    let at_work = hearts.filter(|own| own["stands_still"] == false);
    at_work.map(|own| own["name"].as_str().unwrap().to_owned()).collect()
}

async fn with_patience(seconds: &str) -> (Team, Mailbox) {
    let mailbox = Mailbox::open().await.unwrap();
    let url = mailbox.url.clone();
    let env = [
        ("MILLRACE_SMTP_URL", url.as_str()),
        ("MILLRACE_BASE_URL", "http://127.0.0.1:1"),
        ("MILLRACE_MAIL_PATIENCE", seconds),
    ];
    (team_with(&env).await, mailbox)
}

/// Writes a letter of an alert.
pub async fn write(team: &Team, number: u32) {
    let (pool, now) = (team.app.services.db().pool(), team.app.services.surroundings().now());
    millrace_storage::mail::insert(pool, alert(number).letter(), now).await.unwrap();
}

/// A letter of an alert.
struct Alert {
    message_id: String,
    recipient: String,
}

fn alert(number: u32) -> Alert {
    Alert { message_id: format!("alert-{number}@example.org"), recipient: format!("reader{number}@example.org") }
}

impl Alert {
    fn letter(&self) -> NewMail<'_> {
        NewMail {
            message_id: &self.message_id,
            kind: "incident",
            account: None,
            recipient: &self.recipient,
            subject: "Drift: things / x PSI 0.31 > 0.25 (firing)",
            text_body: "It fires.",
            html_body: "<p>It fires.</p>",
            sealed_link: None,
            thread: None,
            chart: None,
        }
    }
}

#[tokio::test]
async fn a_hundred_letters_wait_for_a_mail_server_that_is_away_and_go_out_once_each_when_it_is_back() {
    let (team, mailbox) = with_mailbox().await;
    mailbox.answer(Answer::Later);
    for number in 0..100 {
        write(&team, number).await;
    }
    // An hour goes by: their pauses end at once, and nothing is taken however often it is tried.
    for attempts in 1..=3 {
        let tried = format!("state = 'queued' and attempt >= {attempts} and lease_until is null");
        assert_eq!(counted(&team, &tried, 100).await, 100);
        team.app.sql("update mail set next_at = now() where state = 'queued'").await;
    }
    assert_eq!(mailbox.delivered().len(), 0);
    let (status, _) = team.admin.page("/problems").await;
    assert_eq!(status, 200, "nothing else waits for it");
    let (_, home) = team.admin.page("/").await;
    assert!(
        home.contains("100 messages of the last week could not be sent"),
        "admins are told, also where nothing else is there"
    );
    let (_, home) = team.on_call.page("/").await;
    assert!(
        home.contains("could not be sent") && home.contains("Admins can see why"),
        "whoever is on call is told: {home}"
    );

    mailbox.answer(Answer::Take);
    team.app.sql("update mail set next_at = now() where state = 'queued'").await;
    assert_eq!(counted(&team, "state = 'sent'", 100).await, 100);
    let mut to: Vec<String> = mailbox.delivered().into_iter().map(|letter| letter.to).collect();
    assert_eq!(to.len(), 100, "none is doubled");
    to.sort_unstable();
    to.dedup();
    assert_eq!(to.len(), 100, "none is lost");
    team.app.remove().await;
}
