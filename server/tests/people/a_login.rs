//! A: signing in.

use std::time::{Duration, Instant};

use millrace_domain::policy::Role;
use millrace_test_support::TestApp;
use serde_json::json;

use crate::{BINARY, sign_in_by_page, team, team_with};

#[tokio::test]
async fn a1_passwords_are_argon2id_of_the_usual_cost_and_weaker_hashes_are_made_anew() {
    let team = team().await;
    let weak = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$";
    let strong = "password_hash like '$argon2id$v=19$m=19456,t=2,p=1$%'";
    assert_eq!(team.app.count(&format!("select count(*) from account where not {strong}")).await, 0);
    // A hash of less work for the same password, as an older setting would have left it.
    let hash = weak_hash(&team.engineer.password);
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$") && weak.len() > 10);
    team.app.sql(&format!("update account set password_hash = '{hash}' where email = 'engineer@example.org'")).await;
    team.app.sign_in(team.engineer.clone()).await.unwrap();
    assert_eq!(team.app.count(&format!("select count(*) from account where not {strong}")).await, 0);
    team.app.remove().await;
}

fn weak_hash(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: argon2::password_hash::phc::PasswordHash =
        argon.hash_password_with_salt(password.as_bytes(), b"a salt of sixteen").unwrap();
    hash.to_string()
}

#[tokio::test]
async fn a2_a_crowd_of_sign_ins_is_told_to_wait_and_others_are_served() {
    let team = team().await;
    let attempts = (0..80).map(|number| {
        let person = team.app.anybody();
        async move {
            let body = json!({ "email": format!("nobody{number}@example.org"), "password": "some password" });
            person.post("/api/v1/session", body).await.status
        }
    });
    let crowd = futures::future::join_all(attempts);
    let page = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let begun = Instant::now();
        let status = team.engineer.get("/api/v1/problems").await.status;
        (status, begun.elapsed())
    };
    let (statuses, (status, took)) = tokio::join!(crowd, page);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(status, 200);
    assert!(took < Duration::from_secs(5), "{took:?}");
    team.app.remove().await;
}

#[tokio::test]
async fn a3_a_password_of_any_characters_is_taken_whole_and_exactly() {
    let app = TestApp::start(BINARY).await.unwrap();
    let long: String = (0..128u32).filter_map(|place| char::from_u32(0x4e00 + place * 7_919 % 5_000)).collect();
    for (name, password) in
        [("long", long.as_str()), ("spaces", "  four  blank  words  "), ("cyrillic", "Пароль из слов")]
    {
        let email = format!("{name}@example.org");
        app.services.add_person_from_host(&email, name, password, &[Role::Stakeholder]).await.unwrap();
        let signs_in = |text: String| {
            let (person, email) = (app.anybody(), email.clone());
            async move { person.post("/api/v1/session", json!({ "email": email, "password": text })).await.status }
        };
        assert_eq!(signs_in(password.to_owned()).await, 200, "{name}");
        assert_eq!(signs_in(password.to_lowercase() + "x").await, 401, "{name}");
        let mut cut: Vec<char> = password.chars().collect();
        cut.pop();
        assert_eq!(signs_in(cut.into_iter().collect()).await, 401, "{name}");
    }
    let too_long = app.services.add_person_from_host("x@example.org", "x", &"x9".repeat(65), &[]).await;
    assert!(too_long.unwrap_err().detail.contains("128"));
    app.remove().await;
}

#[tokio::test]
async fn a4_leaked_and_obvious_passwords_are_refused() {
    let app = TestApp::start(BINARY).await.unwrap();
    // From the lists of leaked passwords, and of the product's and the person's own words.
    for password in
        ["password1", "qwertyuiop", "iloveyou1", "football99", "dragon123", "millrace1", "rosalind1", "11111111"]
    {
        let refused = app.services.add_person_from_host("rosalind@example.org", "Rosalind", password, &[]).await;
        assert_eq!(refused.unwrap_err().errors[0].pointer, "/password", "{password}");
    }
    app.remove().await;
}

#[tokio::test]
async fn a5_a_password_is_changed_with_the_old_one_only() {
    let team = team().await;
    let change = |old: &'static str| {
        let fields = [("old", old), ("password", "an entirely new passphrase")];
        let engineer = team.engineer.clone();
        async move { engineer.submit("/account?tab=security", "/fn/change_password", &fields).await }
    };
    let refused = change("not the password").await;
    assert!(refused.to.contains("kept="), "{refused:?}");
    assert!(team.app.sign_in(team.engineer.clone()).await.is_ok());
    let fields = [("old", team.engineer.password.as_str()), ("password", "an entirely new passphrase")];
    let done = team.engineer.submit("/account?tab=security", "/fn/change_password", &fields).await;
    assert_eq!(done.to, "/account?tab=security");
    assert!(team.app.sign_in(team.engineer.clone()).await.is_err());
    team.app.remove().await;
}

#[tokio::test]
async fn a6_guessing_is_slowed_by_address_and_a_stranger_cannot_lock_the_owner_out() {
    let team = team().await;
    let stranger = team.app.anybody();
    let guess =
        || stranger.post("/api/v1/session", json!({ "email": "engineer@example.org", "password": "guess guess" }));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(guess().await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    // The same number of failures from another address, and none from the owner's.
    team.app.sql("update sign_in_failure set subject = replace(subject, '127.0.0.1', '192.0.2.9')").await;
    assert!(team.app.sign_in(team.engineer.clone()).await.is_ok());
    team.app.remove().await;
}

#[tokio::test]
async fn a7_unknown_wrong_and_disabled_look_the_same_and_take_as_long() {
    let team = team().await;
    team.app.sql("update account set disabled_at = now() where email = 'oncall@example.org'").await;
    let cases = ["nobody@example.org", "engineer@example.org", "oncall@example.org"];
    let mut answers = Vec::new();
    let mut times = [const { Vec::<f64>::new() }; 3];
    for _ in 0..40 {
        for (case, email) in cases.iter().enumerate() {
            team.app.sql("delete from sign_in_failure").await;
            let begun = Instant::now();
            let body = json!({ "email": email, "password": "a wrong password" });
            let mut answer = team.app.anybody().post("/api/v1/session", body).await;
            times[case].push(begun.elapsed().as_secs_f64());
            answer.body["instance"] = json!(null);
            answers.push(answer);
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{:?}", answers[0]);
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let [unknown, wrong, disabled] = times.each_mut().map(median);
    // Two hashes of work are far apart; what is left is the noise of a shared machine.
    for (name, time) in [("wrong", wrong), ("disabled", disabled)] {
        let ratio = time / unknown;
        assert!((0.7..1.43).contains(&ratio), "{name} takes {ratio:.2} of unknown ({time:.4} s, {unknown:.4} s)");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a8_asking_for_a_reset_says_nothing_of_who_has_an_account() {
    let team = team().await;
    let ask = |email: &'static str| {
        let person = team.app.anybody();
        async move { person.submit("/forgot", "/fn/forgot_password", &[("email", email)]).await }
    };
    let (known, unknown) = (ask("engineer@example.org").await, ask("nobody@example.org").await);
    let shape = |to: &str| to.split('=').next().unwrap().to_owned();
    assert_eq!((known.status, shape(&known.to)), (unknown.status, shape(&unknown.to)));
    team.app.letter("engineer@example.org", "password_reset").await;
    assert_eq!(team.app.count("select count(*) from mail where recipient = 'nobody@example.org'").await, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn a9_a_reset_link_works_once_within_the_hour_and_ends_all_sessions() {
    let team = team().await;
    let anybody = team.app.anybody();
    anybody.submit("/forgot", "/fn/forgot_password", &[("email", "engineer@example.org")]).await;
    let link = team.app.letter("engineer@example.org", "password_reset").await.link("/reset?code=");
    let code = link.split('=').nth(1).unwrap().to_owned();
    assert_eq!(
        team.app.count(&format!("select count(*) from mail_link where encode(code_hash, 'hex') like '%{code}%'")).await,
        0
    );
    assert_eq!(
        team.app.count("select count(*) from mail_link where expires_at > created_at + interval '60 minutes'").await,
        0
    );
    let set = |code: String, password: &'static str| {
        let person = team.app.anybody();
        async move {
            let fields = [("purpose", "reset"), ("code", code.as_str()), ("password", password)];
            person.submit(&format!("/reset?code={code}"), "/fn/set_password", &fields).await
        }
    };
    let done = set(code.clone(), "a completely new passphrase").await;
    assert_eq!(done.to, "/", "{done:?}");
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 401);
    let again = set(code, "yet another passphrase").await;
    assert!(again.to.contains("kept="), "{again:?}");
    assert_eq!(sign_in_by_page(&team.app, "engineer@example.org", "a completely new passphrase").await.to, "/");
    team.app.remove().await;
}

#[tokio::test]
async fn a10_an_invitation_works_once_within_the_hour_and_its_page_sends_a_new_one() {
    let team = team().await;
    let fields = [("email", "new@example.org"), ("name", "New"), ("roles[]", "stakeholder")];
    let invited = team.admin.submit("/people?invite=1", "/fn/invite_person", &fields).await;
    assert_eq!(invited.to, "/people");
    let link = team.app.letter("new@example.org", "invitation").await.link("/invite?code=");
    team.app.sql("update mail_link set expires_at = now() - interval '1 second'").await;
    let (_, page) = team.app.anybody().page(&link).await;
    assert!(page.contains("has run out") && page.contains("Send a new link"), "{page}");
    let code = link.split('=').nth(1).unwrap();
    team.app.sql("delete from mail").await;
    let fields = [("purpose", "invite"), ("code", code)];
    team.app.anybody().submit(&link, "/fn/renew_link", &fields).await;
    let link = team.app.letter("new@example.org", "invitation").await.link("/invite?code=");
    let code = link.split('=').nth(1).unwrap();
    let fields = [("purpose", "invite"), ("code", code), ("password", "a passphrase of my own")];
    let done = team.app.anybody().submit(&link, "/fn/set_password", &fields).await;
    let person = team.app.anybody().with_session_of(&done);
    assert_eq!(person.get("/api/v1/problems").await.status, 200);
    assert!(team.app.anybody().submit(&link, "/fn/set_password", &fields).await.to.contains("kept="));
    team.app.remove().await;
}

/// The code of a secret in base 32 at the present time: RFC 6238 by another hand than the program's library.
pub fn code_at(secret: &str, seconds: u64) -> String {
    use hmac::{Hmac, Mac};
    let bits: String = secret
        .bytes()
        .map(|letter| {
            format!("{:05b}", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap())
        })
        .collect();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(seconds / 30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[expect(clippy::disallowed_methods, reason = "a telephone goes by the real clock")]
pub fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Sets a second factor up; gives its secret and the recovery codes.
pub async fn set_up_second_factor(person: &millrace_test_support::Person) -> (String, Vec<String>) {
    let page = "/account?tab=security";
    assert_eq!(person.submit(page, "/fn/begin_second_factor", &[]).await.to, "/account?tab=security&setup=1");
    let (_, shown) = person.page("/account?tab=security&setup=1").await;
    let secret = shown
        .split("<code>")
        .find(|part| part.len() > 32 && part[..32].bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    let secret = secret.unwrap_or_else(|| panic!("no secret in {shown}"))[..32].to_owned();
    let code = code_at(&secret, seconds_now());
    let done = person.submit("/account?tab=security&setup=1", "/fn/finish_second_factor", &[("code", &code)]).await;
    let kept = done.cookies.iter().find(|cookie| cookie.starts_with("millrace-kept=")).expect("codes are shown once");
    let kept = kept.split(';').next().unwrap().to_owned();
    let request =
        person.request(reqwest::Method::GET, &done.to).header("cookie", format!("{}; {kept}", person.shows()));
    let page = request.send().await.unwrap().text().await.unwrap();
    let codes = page
        .split("shown again")
        .nth(1)
        .and_then(|rest| rest.split("<code>").nth(1))
        .and_then(|rest| rest.split("</code>").next());
    let codes: Vec<String> =
        codes.unwrap_or_else(|| panic!("no codes in {page}")).split_whitespace().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

#[tokio::test]
async fn a11_roles_that_take_a_second_factor_do_nothing_without_it_and_a_code_is_taken_once() {
    let team = team_with(&[("MILLRACE_SECOND_FACTOR", "admin,stakeholder")]).await;
    let refused = team.stakeholder.get("/api/v1/problems").await;
    assert_eq!((refused.status, refused.code()), (403, "second_factor_required"));
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 200);
    let (secret, _) = set_up_second_factor(&team.stakeholder).await;
    assert_eq!(team.stakeholder.get("/api/v1/problems").await.status, 200);

    let landed = sign_in_by_page(&team.app, &team.stakeholder.email, &team.stakeholder.password).await;
    assert!(landed.to.starts_with("/sign-in/code"), "{landed:?}");
    let half = team.app.anybody().with_session_of(&landed);
    assert_eq!(half.get("/api/v1/problems").await.status, 401);
    // The step of the set-up was taken: the code of the next one is within the tolerance.
    let code = code_at(&secret, seconds_now() + 30);
    let shown = half.submit("/sign-in/code", "/fn/second_factor", &[("code", &code), ("next", "/problems")]).await;
    assert_eq!(shown.to, "/problems", "{shown:?}");
    assert_eq!(half.with_session_of(&shown).get("/api/v1/problems").await.status, 200);
    let again = sign_in_by_page(&team.app, &team.stakeholder.email, &team.stakeholder.password).await;
    let half = team.app.anybody().with_session_of(&again);
    let replayed = half.submit("/sign-in/code", "/fn/second_factor", &[("code", &code)]).await;
    assert!(replayed.to.contains("kept="), "{replayed:?}");
    let far = code_at(&secret, seconds_now() + 120);
    let body = json!({ "email": team.stakeholder.email, "password": team.stakeholder.password, "code": far });
    assert_eq!(team.app.anybody().post("/api/v1/session", body).await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn a12_a_recovery_code_is_hashed_and_works_once() {
    let team = team().await;
    let (_, codes) = set_up_second_factor(&team.engineer).await;
    let stored = format!("select count(*) from recovery_code where encode(code_hash, 'escape') like '%{}%'", codes[0]);
    assert_eq!(team.app.count(&stored).await, 0);
    let sign_in = |code: String| {
        let body = json!({ "email": team.engineer.email, "password": team.engineer.password, "code": code });
        let person = team.app.anybody();
        async move { person.post("/api/v1/session", body).await.status }
    };
    assert_eq!(sign_in(codes[0].clone()).await, 200);
    assert_eq!(sign_in(codes[0].clone()).await, 401);
    assert_eq!(sign_in(codes[1].to_uppercase()).await, 200);
    assert_eq!(team.app.count("select count(*) from recovery_code where used_at is null").await, 8);
    team.app.remove().await;
}

#[tokio::test]
async fn a13_what_an_account_rests_on_changes_only_soon_after_the_password() {
    let team = team().await;
    team.app.sql("update login_session set confirmed_at = now() - interval '11 minutes'").await;
    type Case<'a> = (&'a millrace_test_support::Person, &'a str, Vec<(&'a str, &'a str)>);
    let cases: [Case<'_>; 6] = [
        (&team.engineer, "/fn/change_identity", vec![("email", "other@example.org"), ("name", "Engineer")]),
        (&team.engineer, "/fn/begin_second_factor", vec![]),
        (&team.engineer, "/fn/remove_second_factor", vec![]),
        (&team.engineer, "/fn/create_token", vec![("name", "t"), ("scopes[]", "read"), ("days", "7")]),
        (&team.admin, "/fn/invite_person", vec![("email", "n@example.org"), ("name", "N")]),
        (&team.admin, "/fn/set_roles", vec![("account", "1"), ("roles[]", "admin")]),
    ];
    for (person, act, fields) in &cases {
        let request = person.request(reqwest::Method::POST, act).form(fields).header("accept", "application/json");
        let answer = person.send(request).await;
        assert_eq!(
            (answer.status, answer.body.to_string().contains("confirm_first")),
            (403, true),
            "{act}: {answer:?}"
        );
    }
    let fields = [("password", team.engineer.password.as_str()), ("next", "/account?tab=tokens")];
    let confirmed = team.engineer.submit("/confirm", "/fn/confirm", &fields).await;
    assert_eq!(confirmed.to, "/account?tab=tokens");
    let person = team.engineer.with_session_of(&confirmed);
    let made = person
        .submit("/account?tab=tokens", "/fn/create_token", &[("name", "t"), ("scopes[]", "read"), ("days", "7")])
        .await;
    assert!(made.to.contains("kept="), "{made:?}");
    assert_eq!(team.app.count("select count(*) from api_token").await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a14_the_person_is_told_of_each_change_by_mail() {
    let team = team().await;
    let told = || async {
        team.app
            .count("select count(*) from mail where kind = 'account_changed' and recipient = 'engineer@example.org'")
            .await
    };
    let mut person = team.engineer.clone();
    person.submit("/account", "/fn/create_token", &[("name", "t"), ("scopes[]", "read"), ("days", "7")]).await;
    assert_eq!(told().await, 1, "a token");
    set_up_second_factor(&person).await;
    assert_eq!(told().await, 2, "a second factor");
    person.submit("/account?tab=security", "/fn/remove_second_factor", &[]).await;
    assert_eq!(told().await, 3, "its removal");
    let fields = [("old", person.password.as_str()), ("password", "an entirely new passphrase")];
    let landed = person.submit("/account?tab=security", "/fn/change_password", &fields).await;
    person = person.with_session_of(&landed);
    assert_eq!(told().await, 4, "the password");
    person.submit("/account", "/fn/change_identity", &[("email", "moved@example.org"), ("name", "Engineer")]).await;
    assert_eq!(told().await, 5, "the address, at the old one");
    assert_eq!(team.app.count("select count(*) from mail where recipient = 'moved@example.org'").await, 1);
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/set_roles", &[("account", &id), ("roles[]", "on_call")]).await;
    assert_eq!(team.app.count("select count(*) from mail where recipient = 'moved@example.org'").await, 2, "roles");
    team.app.remove().await;
}
