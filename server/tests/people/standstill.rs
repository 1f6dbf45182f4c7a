//! What stands still on the servers is told by whatever is still there to tell it, and to whoever asks from outside.

use std::time::Duration;

use reqwest::Method;

use crate::letters::{counted, deadman, write};
use crate::{Team, team};

const ALL: [&str; 3] = ["letters", "rollouts", "watch"];
/// Of all, unless it is said of which; what is at work says so again soon after.
const TWO_MINUTES_GO_BY: &str = "update heartbeat set beat_at = now() - interval '2 minutes'";
/// From here on the sender can take no letter, while everybody else reads and writes them as before.
const NO_LETTER_IS_TAKEN: &str = "create function no_letter() returns trigger language plpgsql as $$
    begin raise exception 'no letter is taken'; end $$;
    create trigger no_letter before update on mail for each statement execute function no_letter()";

/// How often the sender has looked for letters in vain.
fn looks_in_vain(team: &Team) -> usize {
    let said = team.app.said();
    said.lines().filter(|line| line.contains("the outbox could not be read") && line.contains("millrace_mail")).count()
}

#[tokio::test]
async fn a_sender_of_letters_that_comes_to_nothing_is_told_on_pages_and_outside_and_by_mail_when_it_is_over() {
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
    // Two minutes go by since it was seen at work, and it has the time to say so again.
    team.app.sql(&format!("{TWO_MINUTES_GO_BY} where name = 'letters'")).await;
    let before = looks_in_vain(&team);
    for _ in 0..600 {
        if looks_in_vain(&team) >= before + 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(before > 0 && looks_in_vain(&team) >= before + 4, "{}", team.app.said());

    assert_eq!(deadman(&team.app.anybody(), 503).await, ["rollouts", "watch"]);
    for (reader, page) in [(&team.admin, "/"), (&team.admin, "/alerts"), (&team.on_call, "/")] {
        let (_, shown) = reader.page(page).await;
        assert!(shown.contains("No letter goes out"), "{page}: {shown}");
    }
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 1);
    let told = "select count(*) from mail where kind = 'heartbeat'";
    assert_eq!(team.app.count(told).await, 0, "a letter would not go out either");

    team.app.sql("drop trigger no_letter on mail").await;
    assert_eq!(deadman(&team.app.anybody(), 200).await, ALL);
    assert_eq!(team.app.services.look_at_hearts().await.unwrap(), 0);
    // The admin and whoever is on call are told, and what was written meanwhile was not lost.
    assert_eq!(counted(&team, "state = 'sent' and kind = 'heartbeat' and subject like 'At work again%'", 2).await, 2);
    assert_eq!(counted(&team, "state = 'sent' and recipient = 'reader0@example.org'", 1).await, 1);
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
