//! What stands still on the servers is told by whatever is still there to tell it, and to whoever asks from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;

use crate::letters::{counted, deadman, eventually, with_mailbox, write};
use crate::{Team, team};

const ALL: [&str; 3] = ["letters", "rollouts", "watch"];
/// Of all, unless it is said of which; what is at work says so again soon after.
const TWO_MINUTES_GO_BY: &str = "update heartbeat set beat_at = now() - interval '2 minutes'";
/// From here on the sender can take no letter, while everybody else reads and writes them as before.
const NO_LETTER_IS_TAKEN: &str = "create function no_letter() returns trigger language plpgsql as $$
    begin raise exception 'no letter is taken'; end $$;
    create trigger no_letter before update on mail for each statement execute function no_letter()";

/// What is told of a sender of letters that stands still.
const NO_SENDER: &str = "Letters go out by a stand-in or not at all";
/// From here on who looks for letters first hangs at it, as a server does at a database that hangs; and it is as if that had gone on for the
/// minutes after which it is not said any more that it is at work.
const THE_SENDER_HANGS: &str = "create function hang() returns trigger language plpgsql as $$
    begin if pg_try_advisory_lock(4711) then perform pg_sleep(600); end if; return null; end $$;
    create trigger hang before update on mail for each statement execute function hang();
    create function no_beat() returns trigger language plpgsql as $$ begin return null; end $$;
    create trigger no_beat before update on heartbeat for each row
    when (new.name = 'letters' and new.told_at is not distinct from old.told_at) execute function no_beat()";
const NOTHING_HANGS: &str =
    "create or replace function hang() returns trigger language plpgsql as $$ begin return null; end $$;
    drop trigger no_beat on heartbeat";
const THE_HANGING_SENDER: &str = "from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// Rows of letters about what stands still that went out.
fn sent_of_hearts(subject: &str) -> String {
    format!("state = 'sent' and kind = 'heartbeat' and subject like '{subject}%'")
}

/// How often the sender has looked for letters in vain.
fn looks_in_vain(team: &Team) -> usize {
    let said = team.app.said();
    said.lines().filter(|line| line.contains("the outbox could not be read") && line.contains("millrace_mail")).count()
}

#[tokio::test]
async fn a_sender_of_letters_that_comes_to_nothing_is_told_on_pages_and_outside_and_by_mail_once_letters_go_out() {
    let team = team().await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    team.app.sql(NO_LETTER_IS_TAKEN).await;
    write(&team, 0).await;
    for _ in 0..200 {
        if looks_in_vain(&team) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Two minutes go by since it was seen at work, and it has the time to say so again; its stand-in looks beside it.
    team.app.sql(&format!("{TWO_MINUTES_GO_BY} where name = 'letters'")).await;
    let before = looks_in_vain(&team);
    for _ in 0..600 {
        if looks_in_vain(&team) >= before + 8 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(before > 0 && looks_in_vain(&team) >= before + 8, "{}", team.app.said());

    assert_eq!(deadman(&team.app.anybody(), 503).await, ["rollouts", "watch"]);
    for (reader, page) in [(&team.admin, "/"), (&team.admin, "/alerts"), (&team.on_call, "/")] {
        let (_, shown) = reader.page(page).await;
        assert!(shown.contains(NO_SENDER), "{page}: {shown}");
    }
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 1);
    let told = "select count(*) from mail where kind = 'heartbeat'";
    assert_eq!(team.app.count(&format!("{told} and state = 'queued'")).await, 2, "the admin and whoever is on call");

    team.app.sql("drop trigger no_letter on mail").await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 0);
    // Both are told that it began and that it is over, and what was written meanwhile was not lost.
    assert_eq!(counted(&team, &sent_of_hearts(NO_SENDER), 2).await, 2);
    assert_eq!(counted(&team, &sent_of_hearts("At work again"), 2).await, 2);
    assert_eq!(counted(&team, "state = 'sent' and recipient = 'reader0@example.org'", 1).await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a_sender_of_letters_that_hangs_is_told_by_a_letter_that_a_stand_in_sends_like_all_others() {
    let (team, mailbox) = with_mailbox().await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    team.app.sql(THE_SENDER_HANGS).await;
    write(&team, 0).await;
    let hanging = format!("select count(*) {THE_HANGING_SENDER}");
    for _ in 0..200 {
        if team.app.count(&hanging).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(team.app.count(&hanging).await, 1);
    assert_eq!(counted(&team, "state = 'sent'", 0).await, 0, "nobody stands in for what may be at work");

    // At once, so that it says nothing between.
    let goes_by = format!(
        "alter table heartbeat disable trigger no_beat; {TWO_MINUTES_GO_BY} where name = 'letters';
         alter table heartbeat enable trigger no_beat"
    );
    team.app.sql(&goes_by).await;
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 1);

    let letters = eventually(&mailbox, 3).await;
    let to: BTreeSet<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, BTreeSet::from(["reader0@example.org", &team.admin.email, &team.on_call.email]));
    let about = letters.iter().filter(|letter| letter.header("Subject").is_some_and(|words| words.contains(NO_SENDER)));
    assert_eq!(about.count(), 2);
    assert_eq!(deadman(&team.app.anybody(), 503).await, ["rollouts", "watch"], "a stand-in is no sender");

    team.app.sql(NOTHING_HANGS).await;
    team.app.sql(&format!("select pg_cancel_backend(pid) {THE_HANGING_SENDER}")).await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 0);
    assert_eq!(counted(&team, &sent_of_hearts("At work again"), 2).await, 2);
    assert_eq!(eventually(&mailbox, 5).await.len(), 5, "none twice");
    team.app.remove().await;
}

#[tokio::test]
async fn servers_that_are_all_killed_are_missed_outside_alone_until_one_is_started_again() {
    let mut team = team().await;
    let outside = team.app.anybody();
    assert_eq!(deadman(&outside, 200).await, ALL);

    team.app.server.kill().unwrap();
    assert!(outside.request(Method::GET, "/deadman").send().await.is_err(), "nobody is there to answer");
    let place = team.app.server.url.replace("http://", "");
    let refused = tokio::net::TcpStream::connect(place).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    team.app.sql(TWO_MINUTES_GO_BY).await;
    let told = "select count(*) from mail where kind = 'heartbeat'";
    assert_eq!(team.app.count(told).await, 0, "no process tells of its own death");

    team.app.restart(&[]).await.unwrap();
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 0);
    assert_eq!(team.app.count(told).await, 0, "what is over before anybody could tell is not told");
    team.app.remove().await;
}
