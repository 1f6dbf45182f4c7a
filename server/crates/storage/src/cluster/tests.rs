//! These start real servers, each in a home of its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use sea_orm::{ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement};
use tempfile::TempDir;

use super::account::running_as_root;
use super::*;

const TESTS: ClusterOptions = ClusterOptions { tests: true };

/// A home that the unprivileged account may enter.
fn open_home() -> TempDir {
    home_with_mode(0o755)
}

fn home_with_mode(mode: u32) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
    home
}

fn start(home: &Path) -> Cluster {
    Cluster::start(home, TESTS).unwrap()
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    Database::connect(url.to_owned()).await
}

/// The first column of the first row, as text.
async fn ask(cluster: &Cluster, query: &str) -> String {
    let database = connect(&cluster.url("postgres")).await.unwrap();
    let row = database.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, query)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

fn postmaster_pid(cluster: &Cluster) -> String {
    let file = fs::read_to_string(cluster.directory().join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

fn answers(port: u16) -> bool {
    !is_free(port)
}

#[tokio::test]
async fn a_new_home_gets_a_server_that_answers_in_utf8_on_loopback_alone() {
    let home = open_home();
    let cluster = start(home.path());
    assert_eq!(ask(&cluster, "SHOW server_encoding").await, "UTF8");
    assert_eq!(ask(&cluster, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(ask(&cluster, "SHOW fsync").await, "off");
    assert_eq!(ask(&cluster, "SHOW data_checksums").await, "on");
}

#[tokio::test]
async fn the_password_is_asked_for_and_kept_in_a_file_that_only_the_owner_reads() {
    let home = open_home();
    let cluster = start(home.path());
    let mode = fs::metadata(cluster.directory().join("password")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let guessed = cluster.url("postgres").replace(&cluster.password, "guess");
    let refusal = connect(&guessed).await.unwrap_err().to_string();
    assert!(refusal.contains("password authentication failed"), "{refusal}");
}

#[tokio::test]
async fn port_password_and_data_outlive_a_stop() {
    let home = open_home();
    let first = start(home.path());
    let url = first.url("postgres");
    connect(&url).await.unwrap().execute_unprepared("CREATE TABLE kept (word text)").await.unwrap();
    first.stop().unwrap();
    let second = start(home.path());
    assert_eq!(second.url("postgres"), url);
    assert_eq!(ask(&second, "SELECT count(*)::text FROM kept").await, "0");
}

#[test]
fn the_server_runs_until_its_last_user_lets_go() {
    let home = open_home();
    let first = start(home.path());
    let second = start(home.path());
    let port = first.port;
    assert_eq!(second.port, port);
    first.stop().unwrap();
    assert!(answers(port));
    drop(second);
    assert!(!answers(port));
}

fn kill_server(cluster: &Cluster) {
    let killed = Command::new("kill").args(["-KILL", &postmaster_pid(cluster)]).status().unwrap();
    assert!(killed.success());
    for _ in 0..SETTLING_LOOKS {
        if !answers(cluster.port) {
            break;
        }
        thread::sleep(SETTLING_PAUSE);
    }
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let home = open_home();
    let first = start(home.path());
    kill_server(&first);
    let second = start(home.path());
    assert_eq!(ask(&second, "SELECT 'up'").await, "up");
}

#[test]
fn letting_go_of_a_server_that_is_gone_already_is_no_error() {
    let home = open_home();
    let cluster = start(home.path());
    kill_server(&cluster);
    cluster.stop().unwrap();
    // The next server frees the shared memory of the killed one.
    drop(start(home.path()));
}

#[tokio::test]
async fn a_stale_pid_file_that_names_another_program_is_seen_through() {
    let home = open_home();
    let first = start(home.path());
    let pid_file = first.directory().join("data/postmaster.pid");
    let text = fs::read_to_string(&pid_file).unwrap();
    let stale = text.replacen(&postmaster_pid(&first), &std::process::id().to_string(), 1);
    first.stop().unwrap();
    fs::write(&pid_file, stale).unwrap();
    let second = start(home.path());
    assert_eq!(ask(&second, "SELECT 'up'").await, "up");
}

#[test]
fn a_port_taken_meanwhile_is_exchanged_for_another() {
    let home = open_home();
    let first = start(home.path());
    let port = first.port;
    first.stop().unwrap();
    let _intruder = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert_ne!(start(home.path()).port, port);
}

#[test]
fn a_lost_password_is_named_instead_of_replaced() {
    let home = open_home();
    let cluster = start(home.path());
    let file = cluster.directory().join("password");
    cluster.stop().unwrap();
    fs::remove_file(&file).unwrap();
    let error = Cluster::start(home.path(), TESTS).unwrap_err();
    assert!(matches!(error, ClusterError::PasswordLost { file: named } if named == file));
}

#[test]
fn data_of_another_version_is_left_alone() {
    let home = open_home();
    let cluster = start(home.path());
    let version_file = cluster.directory().join("data/PG_VERSION");
    cluster.stop().unwrap();
    fs::write(version_file, "9\n").unwrap();
    let error = Cluster::start(home.path(), TESTS).unwrap_err();
    assert!(matches!(error, ClusterError::OtherVersion { made_by: 9, .. }), "{error}");
}

#[tokio::test]
async fn a_home_closed_to_the_unprivileged_account_gets_its_cluster_elsewhere() {
    if !running_as_root() {
        println!("skipped: only root steps down to another account");
        return;
    }
    let home = home_with_mode(0o700);
    let cluster = start(home.path());
    let directory = cluster.directory().to_owned();
    let answer = ask(&cluster, "SELECT 'up'").await;
    cluster.stop().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert!(!directory.starts_with(home.path()));
    assert_eq!(answer, "up");
}

#[test]
fn names_are_escaped_in_urls() {
    assert_eq!(percent_encoded("millrace_test-1"), "millrace_test-1");
    assert_eq!(percent_encoded("a b/c?"), "a%20b%2Fc%3F");
}
