//! L1 to L6: set-up and what a start refuses.

use std::process::{Command, Output};

use millrace_test_support::{TestApp, TestDatabase};

use crate::{BINARY, team};

const HERE: &str = "127.0.0.1:0";

/// Starts `serve` with these settings and waits for its end; none when it goes on.
fn refused(database: &str, home: &std::path::Path, addr: &str, env: &[(&str, &str)]) -> Option<String> {
    let mut server = Command::new(BINARY)
        .args(["serve", "--addr", addr])
        .env("DATABASE_URL", database)
        .env("MILLRACE_HOME", home)
        .envs(env.iter().copied())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..1_200 {
        if server.try_wait().unwrap().is_some() {
            let Output { stderr, status, .. } = server.wait_with_output().unwrap();
            assert_eq!(status.code(), Some(1));
            return Some(String::from_utf8_lossy(&stderr).into_owned());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    server.kill().unwrap();
    server.wait().unwrap();
    None
}

#[tokio::test]
async fn l1_there_is_no_default_account_and_two_set_ups_at_once_make_one_admin() {
    let app = TestApp::start(BINARY).await.unwrap();
    assert_eq!(app.count("select count(*) from account").await, 0);
    let output = app.server.output();
    let code = output.split("/set-up?code=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let set_up = |name: &'static str| {
        let (person, code) = (app.anybody(), code.clone());
        async move {
            let email = format!("{name}@example.org");
            let fields =
                [("code", code.as_str()), ("email", &email), ("name", name), ("password", "a long enough passphrase")];
            person.submit("/set-up", "/fn/set_up", &fields).await.to
        }
    };
    let (one, two) = tokio::join!(set_up("one"), set_up("two"));
    assert_eq!([one.as_str(), two.as_str()].iter().filter(|to| **to == "/").count(), 1, "{one} {two}");
    assert_eq!(app.count("select count(*) from account").await, 1);
    let again = set_up("three").await;
    assert!(again.contains("kept="), "{again}");
    app.sql("insert into setup_code values (sha256('abc'), now(), now() + interval '1 day', null)").await;
    let fields =
        [("code", "abc"), ("email", "four@example.org"), ("name", "Four"), ("password", "a long enough passphrase")];
    assert!(app.anybody().submit("/set-up", "/fn/set_up", &fields).await.to.contains("kept="), "closed for ever after");
    assert_eq!(app.count("select count(*) from account").await, 1);
    app.remove().await;
}

#[tokio::test]
async fn l2_a_sample_secret_an_open_bind_without_https_and_a_weak_database_password_stop_the_start() {
    let database = TestDatabase::new().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let start = |database: &str, addr: &str, env: &[(&str, &str)]| refused(database, home.path(), addr, env);
    let said = start(&database.url, "0.0.0.0:0", &[]).expect("an open bind without https");
    assert!(said.contains("https"), "{said}");
    let said = start("postgres://millrace:millrace@db.example.org/m", HERE, &[]).expect("a weak password");
    assert!(said.contains("DATABASE_URL"), "{said}");
    let oidc = [
        ("MILLRACE_OIDC_ISSUER", "https://id.example.org"),
        ("MILLRACE_OIDC_CLIENT_ID", "m"),
        ("MILLRACE_OIDC_CLIENT_SECRET", "changeme"),
    ];
    let said = start(&database.url, HERE, &oidc).expect("a sample secret");
    assert!(said.contains("MILLRACE_OIDC_CLIENT_SECRET") && said.contains("sample"), "{said}");
    let key = home.path().join("sample-key");
    std::fs::write(&key, "00".repeat(32)).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = start(&database.url, HERE, &[("MILLRACE_KEY_FILE", key.to_str().unwrap())]).expect("a sample key");
    assert!(said.contains("sample"), "{said}");
    let smtp =
        [("MILLRACE_SMTP_URL", "smtp://user:pass@mail.example.org"), ("MILLRACE_BASE_URL", "https://m.example.org")];
    let said = start(&database.url, HERE, &smtp).expect("a password in the clear");
    assert!(said.contains("in the clear"), "{said}");
    let said = start(&database.url, HERE, &[("MILLRACE_SMTP_URL", "smtp://127.0.0.1:9")])
        .expect("letters whose links lead here");
    assert!(said.contains("MILLRACE_BASE_URL"), "{said}");
    database.remove().await;
}

#[tokio::test]
async fn l3_it_binds_loopback_by_default() {
    let help = Command::new(BINARY).args(["serve", "--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("[default: 127.0.0.1:8080]"));
    let check = Command::new(BINARY).args(["config", "check"]).env_remove("MILLRACE_ADDR").output().unwrap();
    assert!(String::from_utf8_lossy(&check.stdout).contains("address    127.0.0.1:8080"));
    let check = Command::new(BINARY).args(["config", "check", "--json"]).env_remove("MILLRACE_ADDR").output().unwrap();
    let settings: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(settings["address"], "127.0.0.1:8080", "{settings}");
}

#[tokio::test]
async fn l4_the_key_is_made_for_the_owner_alone_and_one_that_others_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let team = team().await;
    let key = team.app.home().join("key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&key).unwrap();
    assert_eq!(text.trim().len(), 64);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(team.app.database_url(), &team.app.home(), HERE, &[]).expect("a key that others read");
    assert!(said.contains("chmod 600"), "{said}");
    team.app.remove().await;
}

#[tokio::test]
async fn l5_it_works_under_a_role_that_is_no_superuser_and_makes_no_tables() {
    let team = team().await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &crate::document("plain")).await;
    assert!(!team.app.server.output().contains("can change the audit trail"), "it says so where it is otherwise");
    let role = "select count(*) from pg_roles where rolname = 'millrace_app' and not rolsuper and not rolcreatedb and not rolcreaterole and not rolcanlogin";
    assert_eq!(team.app.count(role).await, 1);
    let create = "select count(*) from (select 1) x where has_schema_privilege('millrace_app', 'public', 'create')";
    assert_eq!(team.app.count(create).await, 0);
    let owned =
        "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = 'millrace_app'";
    assert_eq!(team.app.count(owned).await, 0);
    team.app.remove().await;
}

#[test]
fn l6_failpoints_and_the_demo_are_the_only_extras_and_failpoints_are_compiled_out_of_a_release() {
    let source = include_str!("../../crates/executor/src/failpoint.rs");
    assert!(source.contains("debug_assertions"), "failpoints exist in debug builds only");
    let routes: Vec<&str> = millrace_domain::policy::ROUTES.iter().map(|route| route.path).collect();
    assert!(!routes.iter().any(|path| path.contains("debug") || path.contains("dev") || path.ends_with(".map")));
}
