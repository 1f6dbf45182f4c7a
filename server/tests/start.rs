//! What a start meets: a taken port, a database that is not there yet, one that a newer program has migrated, one whose migration
//! was killed; and a server under which a newer program migrates.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use millrace_domain::policy::{Role, Scope};
use millrace_migrations::Migrator;
use millrace_storage::{Connection, Database};
use millrace_test_support::{TestApp, TestDatabase, address_in, things};
use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{DbBackend, Statement};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// Everything that a schema is made of, a row a thing.
const SCHEMA: &str = "
select format('relation %s %s %s', c.oid::regclass, c.relkind, c.relacl) from pg_class c
where c.relnamespace = 'public'::regnamespace
union all
select format('column %s %s %s %s %s %s %s %s', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
    a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
union all
select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
where connamespace = 'public'::regnamespace
union all
select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace = 'public'::regnamespace
union all
select format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) from pg_trigger t join pg_class c on c.oid = t.tgrelid
where c.relnamespace = 'public'::regnamespace and not t.tgisinternal
union all
select format('%s %s', pg_get_functiondef(oid), proacl) from pg_proc
where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
union all
select format('migration %s', version) from seaql_migrations";

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
    // Whoever connects to what is bound and not listened on is refused, and nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let door = socket.local_addr().unwrap().port();
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
    let listener = socket.listen(64).unwrap();
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
    Migrator::down(db.pool(), None).await.unwrap();
    assert!(db.pool().execute_unprepared(filled).await.is_err(), "the table is gone");
    Migrator::up(db.pool(), None).await.unwrap();
    db.pool().execute_unprepared(filled).await.unwrap();
    assert!(db.has_application_role().await.unwrap());
    database.remove().await;
}

#[tokio::test]
async fn a_database_that_a_newer_program_has_migrated_is_refused_with_what_is_unknown_and_the_way_out() {
    let database = TestDatabase::new().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let db = Database::connect(&database.url, 1).await.unwrap();
    let newer = "insert into seaql_migrations (version, applied_at) values ('m9999_of_the_future', 0)";
    db.pool().execute_unprepared(newer).await.unwrap();
    for arguments in [&["migrate"][..], &["serve", "--addr", "127.0.0.1:0"], &["worker"], &["worker", "--no-migrate"]] {
        let ended = ended(program(arguments, &database, home.path())).await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        for told in ["m9999_of_the_future", "newer than this program", "run the newer program", "restore the backup"] {
            assert!(said.contains(told), "{arguments:?} does not say {told:?}: {said}");
        }
    }
    database.remove().await;
}

#[tokio::test]
async fn a_migration_that_is_killed_anywhere_goes_on_where_it_was_and_comes_to_the_same_schema() {
    const ROUNDS: usize = 10;
    let untouched = TestDatabase::new().await.unwrap();
    let wanted = schema(&Database::connect(&untouched.url, 1).await.unwrap()).await;
    let all = Migrator::migrations().len();
    let mut half_way = 0;
    for round in 0..ROUNDS {
        let home = tempfile::tempdir().unwrap();
        let database = empty(&untouched, round).await;
        let db = Database::connect(&database.url, 1).await.unwrap();
        let mut killed =
            program(&["migrate"], &database, home.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let reached = round * all / ROUNDS;
        let mut looks = 0;
        while done(&db).await.is_none_or(|done| done < reached) {
            assert!(looks < 20_000, "round {round}: {reached} migrations were not reached");
            looks += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Migrations take some milliseconds each: the kills fall into different places of them.
        tokio::time::sleep(Duration::from_millis([0, 3, 7][round % 3])).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        half_way += usize::from(done(&db).await.is_some_and(|done| done < all));
        let again = ended(program(&["migrate"], &database, home.path())).await;
        assert!(again.status.success(), "round {round}: {}", String::from_utf8_lossy(&again.stderr));
        let found = schema(&db).await;
        let apart: Vec<&String> = found.symmetric_difference(&wanted).collect();
        assert!(apart.is_empty(), "round {round}: {apart:#?}");
        db.close().await.unwrap();
        database.remove().await;
    }
    assert!(half_way >= ROUNDS / 2, "only {half_way} of {ROUNDS} kills came before the end");
    untouched.remove().await;
}

#[tokio::test]
async fn of_two_programs_that_migrate_an_empty_database_at_once_one_does_and_the_other_finds_it_done() {
    let untouched = TestDatabase::new().await.unwrap();
    let wanted = schema(&Database::connect(&untouched.url, 1).await.unwrap()).await;
    for round in 10..13 {
        let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let database = empty(&untouched, round).await;
        let [one, other] = [&homes[0], &homes[1]].map(|home| ended(program(&["migrate"], &database, home.path())));
        let both = tokio::join!(one, other);
        for ended in [both.0, both.1] {
            assert!(ended.status.success(), "round {round}: {}", String::from_utf8_lossy(&ended.stderr));
        }
        let db = Database::connect(&database.url, 1).await.unwrap();
        assert_eq!(schema(&db).await, wanted);
        db.close().await.unwrap();
        database.remove().await;
    }
    untouched.remove().await;
}

#[tokio::test]
async fn a_server_goes_on_while_a_newer_program_adds_columns_to_what_it_reads() {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let document = json!({
        "slug": "shelves", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": 0.5 },
    });
    app.sign_off(&engineer, &stakeholder, &document).await;
    app.load(&engineer, "shelves", "things.csv", things(1_000)).await;
    let run = app.run(&engineer, "shelves", json!({ "trainer": "logistic" })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    let token = app.token(&engineer, &[Scope::Read]).await.unwrap();
    let pages =
        ["/api/v1/runs", "/api/v1/runs/1", "/api/v1/problems/shelves", "/api/v1/models/shelves", "/api/v1/alerts"];
    let all_are_shown = async || {
        for round in 0..10 {
            for page in pages {
                let (mine, theirs) = tokio::join!(engineer.get(page), token.get(page));
                assert_eq!(
                    (mine.status, theirs.status),
                    (200, 200),
                    "{page} in round {round}: {} {}",
                    mine.body,
                    theirs.body
                );
            }
        }
    };
    all_are_shown().await;
    let tables = [
        "account",
        "api_token",
        "login_session",
        "problem_version",
        "dataset_version",
        "run",
        "run_metric",
        "step",
        "model_version",
        "incident",
        "event",
        "audit",
        "mail",
        "deployment",
    ];
    for table in tables {
        app.sql(&format!("alter table {table} add column added_later int")).await;
    }
    all_are_shown().await;
    app.load(&engineer, "shelves", "things.csv", things(1_100)).await;
    let run = app.run(&engineer, "shelves", json!({ "trainer": "logistic" })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    app.remove().await;
}

/// The program with that database and home.
fn program(arguments: &[&str], database: &TestDatabase, home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_remove("RUST_LOG").env("DATABASE_URL", &database.url).env("MILLRACE_HOME", home);
    command
}

/// A program's end, which comes within a minute.
async fn ended(program: Command) -> Output {
    let mut program = tokio::process::Command::from(program);
    let ended = program.kill_on_drop(true).output();
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the program ends by itself").unwrap()
}

/// A database of the same server with nothing in it.
async fn empty(beside: &TestDatabase, number: usize) -> TestDatabase {
    let name = format!("{}_empty{number}", beside.name);
    let url = format!("{}/{name}", beside.url.rsplit_once('/').unwrap().0);
    let db = Database::connect(&beside.url, 1).await.unwrap();
    db.drop_database(&name).await.unwrap();
    db.ensure_database(&name).await.unwrap();
    db.close().await.unwrap();
    TestDatabase { url, name }
}

/// How many migrations are done; none where they are not even counted yet.
async fn done(db: &Database) -> Option<usize> {
    let counted = Statement::from_string(DbBackend::Postgres, "select count(*) from seaql_migrations");
    let row = db.pool().query_one_raw(counted).await.ok()??;
    usize::try_from(row.try_get_by_index::<i64>(0).ok()?).ok()
}

async fn schema(db: &Database) -> BTreeSet<String> {
    let rows = db.pool().query_all_raw(Statement::from_string(DbBackend::Postgres, SCHEMA)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
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
