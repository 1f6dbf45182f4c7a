//! The program with everything it needs, for one test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::clock::{Clock, Entropy, Surroundings};
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Grant, Role, Scope};
use millrace_domain::webhook::Webhooks;
use millrace_services::seal::Key;
use millrace_services::{ExternalTrainers, Services, Settings};
use millrace_storage::Database;
use millrace_storage::artifact::{ArtifactPlace, ArtifactStore};
use millrace_storage::mail;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::person::Person;
use crate::server::{Server, Start};

/// A server, its database and its files.
pub struct TestApp {
    /// The server; replace it to restart.
    pub server: Server,
    /// The same use cases, for what no door offers.
    pub services: Services,
    database: TestDatabase,
    home: tempfile::TempDir,
    binary: String,
    http: reqwest::Client,
}

/// A letter of the outbox as its reader gets it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// What it is about.
    pub kind: String,
    /// Its subject.
    pub subject: String,
    /// Its text, one-time links put in.
    pub text: String,
}

impl Letter {
    /// The path of the link below this one's beginning, for example `/invite`.
    ///
    /// # Panics
    /// When there is none.
    pub fn link(&self, beginning: &str) -> String {
        let at = self.text.find(beginning).unwrap_or_else(|| panic!("no link {beginning} in {}", self.text));
        self.text[at..].split_whitespace().next().unwrap_or_default().to_owned()
    }
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub struct Launched {
    /// Its id.
    pub id: String,
    /// As the API shows it.
    pub body: Value,
}

impl TestApp {
    /// Starts the program.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(binary: &str) -> anyhow::Result<Self> {
        Self::start_with(binary, &[], &[]).await
    }

    /// Starts the program with further environment and arguments.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_with(binary: &str, env: &[(&str, &str)], arguments: &[&str]) -> anyhow::Result<Self> {
        let database = TestDatabase::new().await?;
        let home = tempfile::tempdir()?;
        let start = Start { binary, database_url: &database.url, home: home.path(), env, arguments };
        let server = Server::serve(&start).await?;
        let db = Database::connect(&database.url, 3).await?;
        let artifacts = ArtifactStore::open(ArtifactPlace::Directory(home.path().join("artifacts"))).await?;
        let settings = Settings {
            version: "test".to_owned(),
            lock_digest: Digest::of("test"),
            base_url: server.url.clone(),
            key: server_key(home.path())?,
            second_factor_for: Vec::new(),
            approvers_apart: false,
            elsewhere: None,
            trainers: ExternalTrainers::default(),
            webhooks: match env.iter().find(|(name, _)| *name == "MILLRACE_WEBHOOKS") {
                Some((_, path)) => Webhooks::read(&std::fs::read_to_string(path)?).map_err(anyhow::Error::msg)?,
                None => Webhooks::default(),
            },
        };
        let services = Services::new(db, artifacts, surroundings(), settings);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { server, services, database, home, binary: binary.to_owned(), http })
    }

    /// The same use cases at another time: whoever uses them lives by that clock.
    ///
    /// # Errors
    /// When the database or the artifacts cannot be opened.
    pub async fn services_at(&self, clock: &MovableClock) -> anyhow::Result<Services> {
        let db = Database::connect(&self.database.url, 8).await?;
        let artifacts = ArtifactStore::open(ArtifactPlace::Directory(self.home.path().join("artifacts"))).await?;
        let surroundings = Surroundings { clock: Arc::new(clock.clone()), ..surroundings() };
        Ok(Services::new(db, artifacts, surroundings, self.services.settings().clone()))
    }

    /// Its directory.
    pub fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// Starts the server again, as it was or with further environment.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self, env: &[(&str, &str)]) -> anyhow::Result<()> {
        let start = self.how(env);
        self.server = Server::serve(&start).await?;
        Ok(())
    }

    /// Starts the server again on the database through a wire, with further arguments.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart_on(&mut self, database_url: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let start = Start { database_url, arguments, ..self.how(&[]) };
        self.server = Server::serve(&start).await?;
        Ok(())
    }

    /// Starts another server on the same database.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn another_server(&self) -> anyhow::Result<Server> {
        Server::serve(&self.how(&[])).await
    }

    /// Starts a worker on the same database.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn worker(&self, env: &[(&str, &str)]) -> anyhow::Result<Server> {
        Server::worker(&self.how(env))
    }

    fn how<'a>(&'a self, env: &'a [(&'a str, &'a str)]) -> Start<'a> {
        Start { binary: &self.binary, database_url: &self.database.url, home: self.home.path(), env, arguments: &[] }
    }

    /// Somebody who is not known.
    pub fn anybody(&self) -> Person {
        Person {
            id: AccountId(0),
            email: String::new(),
            password: String::new(),
            http: self.http.clone(),
            url: self.server.url.clone(),
            header: None,
        }
    }

    /// Runs a statement past the server, as a hand at the database would.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn sql(&self, statement: &str) {
        self.try_sql(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// The same, for a statement that may be refused.
    ///
    /// # Errors
    /// What the database says.
    pub async fn try_sql(&self, statement: &str) -> Result<(), String> {
        let done = self.services.db().pool().execute_unprepared(statement).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    /// A count past the server.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn count(&self, query: &str) -> i64 {
        let statement = Statement::from_string(DbBackend::Postgres, query);
        let row = self.services.db().pool().query_one_raw(statement).await;
        let row = row.unwrap_or_else(|error| panic!("{query}: {error}"));
        row.and_then(|row| row.try_get_by_index(0).ok()).unwrap_or_else(|| panic!("{query} gave no number"))
    }

    /// A text past the server.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn text(&self, query: &str) -> String {
        let statement = Statement::from_string(DbBackend::Postgres, query);
        let row = self.services.db().pool().query_one_raw(statement).await;
        let row = row.unwrap_or_else(|error| panic!("{query}: {error}"));
        row.and_then(|row| row.try_get_by_index(0).ok()).unwrap_or_else(|| panic!("{query} gave no text"))
    }

    /// Where the database is, for connecting in another way.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// The newest letter of that kind to an address, once it is written.
    ///
    /// # Panics
    /// When none comes within a minute.
    pub async fn letter(&self, to: &str, kind: &str) -> Letter {
        for _ in 0..600 {
            let letters = mail::list(self.services.db().pool(), None, 200).await.expect("the outbox can be read");
            if let Some(mail) = letters.iter().find(|mail| mail.recipient == to && mail.kind == kind) {
                // The link is forgotten once the letter has gone out into the directory; there it stays.
                let text = match &mail.sealed_link {
                    Some(_) => self.services.letter_to_send(mail).map(|letter| letter.text).unwrap_or_default(),
                    None => self.sent_text(mail.id, kind).unwrap_or_else(|| mail.text_body.clone()),
                };
                return Letter { kind: mail.kind.clone(), subject: mail.subject.clone(), text };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no letter {kind} to {to} was written; the server said: {}", self.server.output());
    }

    /// The text part of a letter in the directory for mail.
    fn sent_text(&self, id: i64, kind: &str) -> Option<String> {
        let path = self.home.path().join("mail").join(format!("{id:08}-{kind}.eml"));
        let content = std::fs::read_to_string(path).ok()?;
        let part = content.split("Content-Type: text/plain").nth(1)?.split("\r\n--part-").next()?.to_owned();
        Some(part.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n"))
    }

    /// A person with these roles, everywhere or on single problems, signed in.
    ///
    /// # Errors
    /// When they cannot sign in.
    pub async fn person_with(&self, name: &str, grants: &[Grant]) -> anyhow::Result<Person> {
        let email = format!("{name}@example.org");
        let password = format!("a long password of {name}");
        let id = self.services.add_person_with(&email, name, &password, grants).await?;
        let person = Person { id, email, password, ..self.anybody() };
        self.sign_in(person).await
    }

    /// A person with these roles, signed in.
    ///
    /// # Errors
    /// When they cannot sign in.
    pub async fn person(&self, name: &str, roles: &[Role]) -> anyhow::Result<Person> {
        let grants: Vec<Grant> = roles.iter().copied().map(Grant::everywhere).collect();
        self.person_with(name, &grants).await
    }

    /// The person in a new session.
    ///
    /// # Errors
    /// When they cannot sign in.
    pub async fn sign_in(&self, person: Person) -> anyhow::Result<Person> {
        let body = json!({ "email": person.email, "password": person.password });
        let request = self.anybody().request(reqwest::Method::POST, "/api/v1/session").json(&body);
        let response = request.send().await?;
        if !response.status().is_success() {
            bail!("{} could not sign in: {}", person.email, response.text().await?);
        }
        let cookie = response.headers().get("set-cookie").context("a session cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Person { header: Some(("cookie", cookie)), url: self.server.url.clone(), ..person })
    }

    /// A program of a person's, with a token of these scopes.
    ///
    /// # Errors
    /// When the token cannot be made.
    pub async fn token(&self, owner: &Person, scopes: &[Scope]) -> anyhow::Result<Person> {
        let actor = self.services.recognise_host(&owner.email).await?;
        let token = self.services.create_token(&actor, "test", scopes, 1).await?;
        Ok(Person {
            header: Some(("authorization", format!("Bearer {token}"))),
            url: self.server.url.clone(),
            ..owner.clone()
        })
    }

    /// Writes, submits and signs off a problem.
    ///
    /// # Panics
    /// When a step of it is refused.
    pub async fn sign_off(&self, author: &Person, signer: &Person, document: &Value) {
        let slug = document["slug"].as_str().expect("the document names its slug");
        let saved = author.post("/api/v1/problems", document.clone()).await.done();
        let version = format!("/api/v1/problems/{slug}/versions/{}", saved["version"]);
        author.post(&format!("{version}/submit"), json!({})).await.done();
        let digest = saved["digest"].as_str().expect("a saved version has a digest");
        signer.decide(&version, "approve", digest).await.done();
    }

    /// Brings a file in and waits until it is checked; gives the version as the API shows it.
    ///
    /// # Panics
    /// When the file is refused at the door or checking does not come to an end.
    pub async fn load(&self, by: &Person, problem: &str, file_name: &str, content: Vec<u8>) -> Value {
        self.load_named(by, problem, "data", file_name, content).await
    }

    /// Brings a file in as a version of the dataset of that name, and waits until it is checked.
    ///
    /// # Panics
    /// When the file is refused at the door or checking does not come to an end.
    pub async fn load_named(&self, by: &Person, problem: &str, name: &str, file_name: &str, content: Vec<u8>) -> Value {
        let taken = by.upload(problem, name, file_name, content).await.done();
        let dataset = taken["dataset"].as_str().expect("an upload names its dataset");
        let path = format!("/api/v1/datasets/{dataset}/versions/{}", taken["version"]);
        self.wait(by, &path, |seen| seen["summary"]["state"] != "loading").await
    }

    /// Launches a run and waits until it has ended.
    ///
    /// # Panics
    /// When it is refused or does not come to an end.
    pub async fn run(&self, by: &Person, problem: &str, request: Value) -> Launched {
        let launched = by.post(&format!("/api/v1/problems/{problem}/runs"), request).await.done();
        let id = launched["run"].as_str().expect("a launched run has an id").to_owned();
        Launched { body: self.ended(by, &id).await, id }
    }

    /// A run once it has ended.
    ///
    /// # Panics
    /// When it does not come to an end.
    pub async fn ended(&self, by: &Person, id: &str) -> Value {
        let is_over = |seen: &Value| !matches!(seen["state"].as_str(), Some("queued" | "running"));
        self.wait(by, &format!("/api/v1/runs/{id}"), is_over).await
    }

    async fn wait(&self, by: &Person, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_200 {
            let seen = by.get(path).await.done();
            if done(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} did not come to an end; the server said: {}", self.server.output());
    }

    /// Whether everything holds that must always hold.
    ///
    /// # Panics
    /// When the database cannot be read.
    pub async fn verified(&self) -> bool {
        let violation = millrace_storage::invariant::first_violation(self.services.db().pool()).await;
        let violation = violation.expect("the database can be read");
        violation.inspect(|violation| println!("{violation}")).is_none()
    }

    /// What the server has logged.
    pub fn said(&self) -> String {
        self.server.output()
    }

    /// Removes the database.
    pub async fn remove(self) {
        drop(self.server);
        self.database.remove().await;
    }
}

/// The key that the server made in its home.
fn server_key(home: &std::path::Path) -> anyhow::Result<Key> {
    let text = std::fs::read_to_string(home.join("key"))?;
    let bytes: Vec<u8> =
        (0..32).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16)).collect::<Result<_, _>>()?;
    Ok(Key::new(&bytes.try_into().map_err(|_| anyhow::anyhow!("the key has 32 bytes"))?))
}

/// A clock that stands still until a test moves it on.
#[derive(Debug, Clone)]
pub struct MovableClock(Arc<std::sync::atomic::AtomicI64>);

impl MovableClock {
    /// A clock that shows that moment.
    pub fn at(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(std::sync::atomic::AtomicI64::new(moment.timestamp_millis())))
    }

    /// Moves it to that moment.
    pub fn set(&self, moment: DateTime<Utc>) {
        self.0.store(moment.timestamp_millis(), std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(std::sync::atomic::Ordering::SeqCst)).unwrap_or_default()
    }

    fn thread_time(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Debug)]
struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the program under test lives by the real clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn thread_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Tests need distinct secrets, not strong ones: a counter through SHA-256.
#[derive(Debug, Default)]
struct Counter(std::sync::atomic::AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let random = Digest::of(format!("{} {count}", std::process::id()));
            chunk.copy_from_slice(&random.as_bytes()[..chunk.len()]);
        }
    }
}

fn surroundings() -> Surroundings {
    Surroundings { clock: Arc::new(Now), entropy: Arc::new(Counter::default()) }
}
