//! What a start meets: a taken port, a database that is not there yet.

use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_test_support::{TestDatabase, address_in};
use tokio::net::{TcpListener, TcpStream};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let database = TestDatabase::new().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ended = Command::new(BINARY)
        .args(["serve", "--addr", &addr])
        .env("DATABASE_URL", &database.url)
        .env("MILLRACE_HOME", home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains(&addr) && said.contains("MILLRACE_ADDR"), "{said}");
    database.remove().await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let database = TestDatabase::new().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (before, port) = database.url.rsplit_once(':').unwrap();
    let (port, name) = port.split_once('/').unwrap();
    let door = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let log = home.path().join("log");
    let mut server = Command::new(BINARY)
        .args(["serve", "--addr", "127.0.0.1:0"])
        .env_remove("RUST_LOG")
        .env("DATABASE_URL", format!("{before}:{door}/{name}"))
        .env("MILLRACE_HOME", home.path())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    assert!(eventually(async || said().contains("waiting for Postgres")).await, "{}", said());
    let real = format!("127.0.0.1:{port}");
    let listener = TcpListener::bind(("127.0.0.1", door)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = TcpStream::connect(&real).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = async || {
        let Some(addr) = address_in(&said()).map(ToOwned::to_owned) else { return false };
        let answer = http.get(format!("http://{addr}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    let is_ready = eventually(ready).await;
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(is_ready, "{}", said());
    database.remove().await;
}

#[tokio::test]
async fn the_schema_goes_down_to_nothing_and_up_again() {
    use millrace_storage::{Connection, Database};
    use sea_orm_migration::MigratorTrait;
    let database = TestDatabase::new().await.unwrap();
    let db = Database::connect(&database.url, 1).await.unwrap();
    let filled =
        "insert into account (email, name, password_hash, created_at) values ('a@example.org', 'A', 'x', now())";
    db.pool().execute_unprepared(filled).await.unwrap();
    let tracked = "insert into problem (slug, created_at) values ('shelves', now());
        insert into problem_version (problem_id, number, document, digest, state, author_id, created_at)
            select p.id, 1, '{}', sha256('x'::bytea), 'draft', a.id, now() from problem p, account a;
        insert into run (kind, problem_version_id, author_id, state, request, seed, provenance, created_at)
            select 'tracked', v.id, v.author_id, 'running', '{}', 0, '{}', now() from problem_version v;
        insert into run_points (run_id, name, step, at, value) select id, 'loss', '{1,1}', array[now(), now()], '{NaN,NaN}' from run;
        insert into run_metric (run_id, name, value, n, logged_step, logged_at) select id, 'loss', 1, 0, 1, now() from run";
    db.pool().execute_unprepared(tracked).await.unwrap();
    millrace_migrations::Migrator::down(db.pool(), None).await.unwrap();
    assert!(db.pool().execute_unprepared(filled).await.is_err(), "the table is gone");
    millrace_migrations::Migrator::up(db.pool(), None).await.unwrap();
    db.pool().execute_unprepared(filled).await.unwrap();
    assert!(db.has_application_role().await.unwrap());
    database.remove().await;
}

async fn eventually(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..300 {
        if is_so().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}
