//! K: the audit trail and secrets.

use millrace_domain::policy::{Role, Scope};
use millrace_storage::Database;
use serde_json::json;

use crate::{document, team, team_with};

#[tokio::test]
async fn k1_each_act_has_one_row_of_who_as_what_on_which_digest_from_where_and_how_it_ended() {
    let team = team().await;
    let digest = team.in_review(&document("acts")).await;
    team.stakeholder.decide("/api/v1/problems/acts/versions/1", "approve", &digest).await.done();
    let rows = team.stakeholder.get("/api/v1/audit?object=problem/acts").await.done();
    let rows: Vec<_> = rows["items"].as_array().unwrap().iter().rev().cloned().collect();
    let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["problem.write", "problem.submit", "problem.approve"]);
    let approval = &rows[2];
    assert_eq!(
        (&approval["actor"], &approval["via"], &approval["outcome"]),
        (&json!("stakeholder@example.org"), &json!("session"), &json!("done"))
    );
    assert_eq!((&approval["digest"], &approval["address"]), (&json!(digest), &json!("127.0.0.1")));
    assert!(approval["request"].as_str().is_some_and(|id| id.len() > 10), "{approval}");
    team.app.remove().await;
}

#[tokio::test]
async fn k1_without_the_row_there_is_no_act() {
    let team = team().await;
    team.app.sql("create function no_row() returns trigger language plpgsql as $$ begin if new.action = 'problem.write' then raise exception 'no room'; end if; return new; end $$").await;
    team.app.sql("create trigger no_row before insert on audit for each row execute function no_row()").await;
    assert_eq!(team.engineer.post("/api/v1/problems", document("unwritten")).await.status, 500);
    assert_eq!(team.app.count("select count(*) from problem").await, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn k2_failures_and_refusals_are_written_down_too() {
    let team = team().await;
    team.app
        .anybody()
        .post("/api/v1/session", json!({ "email": "engineer@example.org", "password": "wrong wrong" }))
        .await;
    team.stakeholder.post("/api/v1/problems", document("not-mine")).await;
    let digest = team.in_review(&document("refused")).await;
    team.engineer.decide("/api/v1/problems/refused/versions/1", "approve", &digest).await;
    let refused =
        |action: &str| format!("select count(*) from audit where outcome = 'refused' and action = '{action}'");
    for action in ["session.refused", "refused", "problem.decide"] {
        assert_eq!(team.app.count(&refused(action)).await, 1, "{action}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn k3_the_applications_role_cannot_change_or_empty_the_trail() {
    let team = team().await;
    let url = Database::url_as_application(team.app.database_url());
    let db = Database::connect(&url, 1).await.unwrap();
    assert!(!db.may_change_history().await.unwrap());
    let hands = [
        "update audit set actor = 'x'",
        "delete from audit",
        "truncate audit",
        "alter table audit disable trigger all",
        "drop trigger audit_append_only on audit",
        "update decision set comment = 'x'",
        "create table extra (x int)",
        "drop table audit",
        "create function f() returns int language sql as 'select 1'",
        "delete from seaql_migrations",
    ];
    for hand in hands {
        use millrace_storage::Connection;
        let refused = db.pool().execute_unprepared(hand).await.unwrap_err().to_string();
        assert!(refused.contains("denied") || refused.contains("must be owner"), "{hand}: {refused}");
    }
    // The program itself works under it.
    let by_app =
        "select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'";
    assert!(team.app.count(by_app).await > 1);
    assert!(!team.app.server.output().contains("can change the audit trail"));
    // And even the owner is stopped by the triggers.
    assert!(team.app.try_sql("update audit set actor = 'x'").await.unwrap_err().contains("append-only"));
    team.app.remove().await;
}

#[tokio::test]
async fn k4_a_hundred_changes_to_the_chain_are_all_found() {
    let team = team().await;
    for number in 0..12 {
        team.engineer.post("/api/v1/problems", document(&format!("chain-{number}"))).await.done();
    }
    let length = team.app.count("select count(*) from audit").await;
    team.app.sql("create table kept as select * from audit").await;
    team.app.sql("alter table audit disable trigger all").await;
    let mut missed = Vec::new();
    for round in 0..100 {
        let row = 1 + (round * 7) % (length - 1);
        let hand = match round % 5 {
            0 => format!("update audit set actor = actor || 'x' where sequence = {row}"),
            1 => format!("update audit set details = details || '{{\"x\": {round}}}' where sequence = {row}"),
            2 => format!("delete from audit where sequence = {row}"),
            3 => format!("with a as (select * from audit where sequence = {row}), b as (select * from audit where sequence = {row} + 1)
                update audit set at = case when sequence = {row} then (select at from b) else (select at from a) end + interval '1 microsecond', hash = hash where sequence in ({row}, {row} + 1)"),
            _ => format!("insert into audit select sequence + 1000, at, actor, via, action, object, digest, outcome, details, decode(md5('{round}') || md5('x'), 'hex'), address, request from audit where sequence = {row}"),
        };
        team.app.sql(&hand).await;
        if team.app.services.verify_audit().await.unwrap().is_ok() {
            missed.push(hand);
        }
        team.app.sql("delete from audit").await;
        team.app.sql("insert into audit select * from kept").await;
    }
    assert_eq!(missed, Vec::<String>::new());
    assert!(team.app.services.verify_audit().await.unwrap().is_ok());
    team.app.remove().await;
}

#[tokio::test]
async fn k5_the_head_is_printed_at_the_start_and_stands_in_every_letter_so_a_cut_tail_shows() {
    let mut team = team().await;
    team.in_review(&document("head")).await;
    let letter = team.app.letter("stakeholder@example.org", "review_request").await;
    let told = letter.text.split("Audit trail: entry ").nth(1).unwrap_or_else(|| panic!("{}", letter.text));
    let (sequence, rest) = told.split_once(", head ").unwrap();
    let head = rest.split_whitespace().next().unwrap();
    let same = format!("select count(*) from audit where sequence = {sequence} and encode(hash, 'hex') = '{head}'");
    assert_eq!(team.app.count(&same).await, 1, "{told}");
    team.app.restart(&[]).await.unwrap();
    assert!(team.app.server.output().contains("audit trail:"), "{}", team.app.server.output());
    let (_, page) = team.app.sign_in(team.admin.clone()).await.unwrap().page("/audit").await;
    assert!(page.contains("Head of the chain"));
    team.app.remove().await;
}

#[tokio::test]
async fn k6_a_thousand_acts_at_once_leave_one_unforked_chain() {
    let team = team_with(&[("MILLRACE_TOKEN_RATE", "100000")]).await;
    let token = team.app.token(&team.engineer, &[Scope::Launch]).await.unwrap();
    let before = team.app.count("select count(*) from audit").await;
    let mut statuses = Vec::new();
    for batch in 0..25 {
        let acts = (0..40).map(|number| token.post("/api/v1/problems", document(&format!("p-{batch}-{number}"))));
        statuses.extend(futures::future::join_all(acts).await.into_iter().map(|answer| answer.status));
    }
    let done = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(done, 1_000, "{statuses:?}");
    let chain = team.app.services.verify_audit().await.unwrap().unwrap();
    assert_eq!(chain.length(), before + 1_000);
    assert_eq!(team.app.count("select count(*) from audit where action = 'problem.write'").await, 1_000);
    team.app.remove().await;
}

#[tokio::test]
async fn k7_times_are_utc() {
    let team = team().await;
    let rows = team.stakeholder.get("/api/v1/audit").await.done();
    for row in rows["items"].as_array().unwrap() {
        assert!(row["at"].as_str().unwrap().ends_with('Z'), "{row}");
    }
    let (_, page) = team.stakeholder.page("/audit").await;
    assert!(page.contains("UTC"));
    team.app.remove().await;
}

#[tokio::test]
async fn k8_line_breaks_terminal_codes_and_markup_in_values_are_inert() {
    let team = team().await;
    let mut nasty = document("nasty");
    nasty["decision"] = json!("\u{1b}[31mred <script>alert(1)</script>");
    let refused = team.engineer.post("/api/v1/problems", nasty.clone()).await;
    nasty["decision"] = json!("<script>alert(1)</script> =cmd|' /C calc'!A0");
    team.engineer.post("/api/v1/problems", nasty).await.done();
    assert_eq!(refused.status, 400, "{}", refused.body);
    team.engineer.get("/api/v1/runs/1%0aINFO%20forged").await;
    assert!(!team.app.server.output().lines().any(|line| line.starts_with("INFO forged")));
    let (_, page) = team.stakeholder.page("/problems/nasty/v/1").await;
    assert!(!page.contains("<script>alert(1)"), "{page}");
    let (_, export) = team.stakeholder.page("/api/v1/audit/export.csv?object=problem/nasty").await;
    assert!(export.lines().skip(1).all(|line| line.starts_with('"')), "{export}");
    team.app.remove().await;
}

#[tokio::test]
async fn k9_no_planted_secret_comes_out_anywhere() {
    let smtp = "smtp://canary-user:canary-mail-secret@127.0.0.1:9";
    let env = [
        ("RUST_LOG", "debug,sqlx=warn,hyper=warn"),
        ("MILLRACE_SMTP_URL", smtp),
        ("MILLRACE_BASE_URL", "http://127.0.0.1:1"),
    ];
    let app = millrace_test_support::TestApp::start_with(crate::BINARY, &env, &[]).await.unwrap();
    let id = app
        .services
        .add_person_from_host("canary@example.org", "Canary", "canary-password-of-mine", &[Role::MlEngineer])
        .await
        .unwrap();
    let owner = app.services.recognise_host("canary@example.org").await.unwrap();
    let token = app.services.create_token(&owner, "canary", &[Scope::Read], 1).await.unwrap();
    let from = "http://127.0.0.1:1";
    let sign_in = |password: &str| {
        let request = app.anybody().request_from(from, reqwest::Method::POST, "/api/v1/session");
        request.json(&json!({ "email": "canary@example.org", "password": password })).send()
    };
    let cookie = sign_in("canary-password-of-mine").await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let session = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    sign_in("canary-password-mistyped").await.unwrap();
    // A password in the field of the address.
    let request = app.anybody().request_from(from, reqwest::Method::POST, "/api/v1/session");
    request.json(&json!({ "email": "canary-password-in-the-wrong-field", "password": "x" })).send().await.unwrap();
    let anybody = app.anybody();
    anybody.send(anybody.request(reqwest::Method::GET, "/api/v1/runs/77").bearer_auth(&token)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let database = app.database_url().split([':', '@']).nth(2).unwrap().to_owned();
    let key = std::fs::read_to_string(app.home().join("key")).unwrap();
    let secrets = [
        "canary-password-of-mine",
        "canary-password-mistyped",
        "canary-password-in-the-wrong-field",
        "canary-mail-secret",
        &token,
        &session,
        &database,
        key.trim(),
    ];
    let log = app.server.output();
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
        for table in ["audit", "mail", "event", "kept_note", "idempotency", "sign_in_failure"] {
            if table == "sign_in_failure" && secret.contains("wrong-field") {
                continue;
            }
            let found = format!("select count(*) from {table} t where t::text like '%{secret}%'");
            assert_eq!(app.count(&found).await, 0, "{secret} is in {table}");
        }
    }
    let _ = id;
    app.remove().await;
}

#[test]
fn k10_secret_types_do_not_show_themselves() {
    let key = millrace_services::seal::Key::new(&[7; 32]);
    assert_eq!(format!("{key:?}"), "Key(…)");
    // `Password` has no `Debug` at all: this would not compile with it.
    trait Shows {
        const SHOWS: bool = false;
    }
    impl<T> Shows for T {}
    struct Asked<T>(std::marker::PhantomData<T>);
    impl<T: std::fmt::Debug> Asked<T> {
        #[expect(dead_code, reason = "exists only for types that show themselves")]
        const SHOWS: bool = true;
    }
    let shows = Asked::<millrace_services::credentials::Password>::SHOWS;
    assert_eq!(shows.to_string(), "false");
}

#[tokio::test]
async fn k11_an_error_names_its_request_and_nothing_of_the_inside() {
    let team = team().await;
    team.app.sql("alter table problem rename to problem_away").await;
    let response = team.engineer.request(reqwest::Method::GET, "/api/v1/problems").send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert!(id.len() > 10);
    for inside in ["relation", "problem_away", "select", "postgres", "src/", "sqlx"] {
        assert!(!text.to_lowercase().contains(inside), "{inside} is in {text}");
    }
    let page = team.engineer.request(reqwest::Method::GET, "/runs/none/such").send().await.unwrap();
    let id = page.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(page.text().await.unwrap().contains(&id), "the error page names its request");
    team.app.remove().await;
}

#[tokio::test]
async fn k12_rows_of_data_are_not_in_the_log() {
    let team = team_with(&[("RUST_LOG", "debug,sqlx=warn")]).await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("rows")).await;
    let mut content = crate::rows(50);
    content.extend(b"424242.4242,1\n99999,canary-cell\n");
    team.app.load(&team.engineer, "rows", "rows.csv", content).await;
    let log = team.app.server.output();
    assert!(!log.contains("424242.4242") && !log.contains("canary-cell"));
    team.app.remove().await;
}

#[tokio::test]
async fn k13_the_trail_can_only_be_read() {
    let team = team().await;
    for method in [reqwest::Method::POST, reqwest::Method::PUT, reqwest::Method::PATCH, reqwest::Method::DELETE] {
        for path in ["/api/v1/audit", "/api/v1/audit/1", "/audit"] {
            let status = team.admin.send(team.admin.request(method.clone(), path).json(&json!({}))).await.status;
            assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
        }
    }
    let (_, page) = team.admin.page("/audit").await;
    assert!(!page.contains("method=\"post\" action=\"/fn/audit"), "no form changes it");
    // The same slice on the page, in the list and in the export.
    team.in_review(&document("slice")).await;
    let list = team.stakeholder.get("/api/v1/audit?object=problem/slice&action=problem.").await.done();
    let export = team.stakeholder.get("/api/v1/audit/export.json?object=problem/slice&action=problem.").await.done();
    assert_eq!(list["items"], export);
    let (_, csv) = team.stakeholder.page("/api/v1/audit/export.csv?object=problem/slice&action=problem.").await;
    assert_eq!(csv.lines().count(), 3);
    let nothing = team.stakeholder.get("/api/v1/audit?from=2001-01-01&to=2001-01-02").await.done();
    assert_eq!(nothing["items"], json!([]));
    assert_eq!(team.stakeholder.get("/api/v1/audit?from=yesterday").await.status, 400);
    team.app.remove().await;
}

#[test]
fn k14_how_long_the_trail_is_kept_is_written_down() {
    let text = include_str!("../../../SECURITY.md");
    assert!(text.contains("audit trail") && text.contains("kept"), "SECURITY.md says how long");
}

#[tokio::test]
async fn verify_names_the_first_broken_link() {
    let team = team().await;
    for number in 0..3 {
        team.engineer.post("/api/v1/problems", document(&format!("v-{number}"))).await.done();
    }
    team.app.sql("alter table audit disable trigger all").await;
    team.app.sql("update audit set actor = 'somebody' where sequence = 4").await;
    let output = tokio::process::Command::new(crate::BINARY)
        .args(["verify"])
        .env("DATABASE_URL", team.app.database_url())
        .env("MILLRACE_HOME", team.app.home())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("entry 4 was changed"), "{said}");
    team.app.remove().await;
}
