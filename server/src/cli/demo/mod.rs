//! `demo`: a sample problem taken through the pipeline by three people, each at their own door.
//!
//! Everything goes over HTTP as it would for anybody: the engineer's program has a token, the stakeholder signs in and
//! approves by session. Nothing is written past the server.

mod ads;
mod person;
mod rollout;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use millrace_domain::clock::Entropy;
use millrace_domain::policy::{Role, Scope};
use millrace_jobs::{BusinessReader, ParityAuditor, Sources, Watch, check_artifacts, conduct_rollouts, look_at_hearts};
use millrace_services::Services;
use millrace_services::credentials::random_text;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cli::client::{Client, Server};
use crate::cli::serve::{listen, sender, serve_on};
use crate::cli::verify;
use crate::config::{Mail, People, SignInElsewhere, Storage, Web};
use crate::{outside, wiring};

use person::{Person, Session};
use rollout::{Traffic, follow};

const DOCUMENT: &str = include_str!("ads.toml");
const SLUG: &str = "ad-clicks";
/// Rows of the sample data.
const ROWS: usize = 20_000;
/// Trials of the search.
const TRIALS: u32 = 6;
/// Predictions of the simulated traffic.
const TRAFFIC: usize = 1_000;

/// Takes a sample problem through the pipeline.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the cycle: exit 0, or 1 with the reason if a stage failed.
    #[arg(long)]
    once: bool,
    /// Port to listen on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Directory of everything the demo keeps.
    #[arg(long, env = "MILLRACE_HOME", default_value = "var/demo")]
    home: PathBuf,
    /// Directory of the browser bundle.
    #[arg(long, env = "MILLRACE_SITE", default_value = "target/site")]
    site: PathBuf,
    /// File that declares external trainers, to try them in the demo.
    #[arg(long, env = "MILLRACE_TRAINERS")]
    trainers: Option<PathBuf>,
}

/// Runs the demo.
pub async fn demo(args: DemoArgs) -> anyhow::Result<()> {
    let shutdown = wiring::shutdown_signal()?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut web = web(addr, args.site);
    let listener = listen(&mut web).await?;
    let storage = Storage {
        database_url: None,
        home: args.home,
        artifacts: None,
        sources: Vec::new(),
        trainers: args.trainers,
        webhooks: None,
        no_migrate: false,
    };
    let parts = wiring::open_fresh(&storage, "millrace_demo", wiring::Told::by(&web)?).await?;
    let services = parts.services;
    let people = make_people(&services).await?;
    let workers = CancellationToken::new();
    let worker = wiring::worker(&services, "demo", outside::timing());
    let worker = tokio::spawn(worker.run(2, workers.clone()));
    let post = tokio::spawn(sender(&services, &storage, &web)?.run(workers.clone()));
    let stand_in = tokio::spawn(sender(&services, &storage, &web)?.stand_in(workers.clone()));
    tokio::spawn(Sources::new(services.clone(), storage.places()?).run(workers.clone()));
    tokio::spawn(ParityAuditor::new(services.clone()).run(workers.clone()));
    tokio::spawn(conduct_rollouts(services.clone(), workers.clone()));
    tokio::spawn(check_artifacts(services.clone(), workers.clone()));
    tokio::spawn(look_at_hearts(services.clone(), workers.clone()));
    tokio::spawn(Watch::new(services.clone()).run(workers.clone()));
    tokio::spawn(BusinessReader::new(services.clone(), storage.places()?).run(workers.clone()));
    let stop = shutdown.child_token();
    let server = tokio::spawn({
        let (services, web, stop) = (services.clone(), web.clone(), stop.clone());
        async move { serve_on(listener, services, &web, stop).await }
    });
    println!("Millrace listens on {}", web.base_url());
    for person in &people {
        println!("  {:<24} {}   ({})", person.email, person.password, person.role_words());
    }
    let url = web.base_url();
    let letters = storage.home.join("mail");
    let cycle = tokio::select! {
        cycle = take_through(&services, &people, &url, &letters) => cycle,
        () = shutdown.cancelled() => Err(anyhow::anyhow!("stopped before the cycle was through")),
    };
    if let Err(error) = &cycle {
        println!("FAILED: {error:#}");
    } else if !args.once {
        println!("The model answers at POST {}/v1/models/{SLUG}:predict. Ctrl-C stops the demo.", web.base_url());
        shutdown.cancelled().await;
    }
    stop.cancel();
    workers.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), worker).await;
    let _ = tokio::time::timeout(Duration::from_secs(5), futures::future::join(post, stand_in)).await;
    server.await??;
    if let Some(cluster) = parts.cluster {
        tokio::task::spawn_blocking(move || cluster.stop()).await??;
    }
    if args.once { cycle } else { Ok(()) }
}

/// Settings of a server for the demo alone: everything on this machine, mail into a directory.
fn web(addr: SocketAddr, site: PathBuf) -> Web {
    Web {
        trusted_proxies: Vec::new(),
        addr,
        site,
        token_rate: 1_000.0,
        predictions_at_once: 256,
        people: People { base_url: None, key_file: None, second_factor: Vec::new(), approvers_apart: false },
        mail: Mail {
            smtp_url: None,
            mail_from: "Millrace <millrace@localhost.localdomain>".to_owned(),
            mail_patience: 45.0,
        },
        elsewhere: SignInElsewhere {
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret: None,
            oidc_name: String::new(),
            oidc_claim: String::new(),
            oidc_roles: Vec::new(),
        },
    }
}

async fn make_people(services: &Services) -> anyhow::Result<[Person; 3]> {
    let entropy = outside::surroundings().entropy;
    let person = |email: &str, name: &str, roles: &[Role]| Person {
        email: email.to_owned(),
        name: name.to_owned(),
        password: random_text(entropy.as_ref() as &dyn Entropy, 16),
        roles: roles.to_vec(),
    };
    let people = [
        person("stakeholder@example.org", "Demo stakeholder", &[Role::Stakeholder]),
        person("engineer@example.org", "Demo engineer", &[Role::MlEngineer]),
        person("oncall@example.org", "Demo on-call", &[Role::OnCall, Role::Admin]),
    ];
    for person in &people {
        services.add_person_from_host(&person.email, &person.name, &person.password, &person.roles).await?;
    }
    Ok(people)
}

/// The whole cycle takes no longer than this on two cores.
const LONGEST: Duration = Duration::from_secs(240);

/// Prints each stage as it is reached, with the time it took.
struct Stages {
    started: Instant,
    begun: Instant,
}

impl Stages {
    fn start() -> Self {
        let now = Instant::now();
        Self { started: now, begun: now }
    }

    fn reached(&mut self, stage: &str, what: &str) {
        println!("{:>6.1} s  {stage:<12} {what}", self.begun.elapsed().as_secs_f64());
        self.begun = Instant::now();
    }

    /// Says how long all of it took, and that it was too long if it was.
    fn end(&self) {
        let took = self.started.elapsed();
        let word = if took <= LONGEST { "within" } else { "longer than" };
        println!(
            "{:>6.1} s  {:<12} {word} the {} s that it may take",
            took.as_secs_f64(),
            "all of it",
            LONGEST.as_secs()
        );
    }
}

async fn take_through(services: &Services, people: &[Person; 3], url: &str, letters: &Path) -> anyhow::Result<()> {
    let [stakeholder, engineer, _] = people;
    let mut stages = Stages::start();
    let owner = services.recognise_host(&engineer.email).await?;
    let scopes = [Scope::Read, Scope::Launch, Scope::Deploy, Scope::Predict];
    let token = services.create_token(&owner, "demo", &scopes, 7).await?;
    let program = Client::new(&Server { url: url.to_owned(), token })?;
    wait_until_ready(url).await?;
    let signer = stakeholder.sign_in(url).await?;

    let document: Value = serde_json::to_value(
        millrace_domain::problem::ProblemDocument::parse(DOCUMENT)
            .map_err(|mistakes| anyhow::anyhow!("the sample document is wrong: {mistakes:?}"))?,
    )?;
    let saved = program.post("/api/v1/problems", &document).await?;
    program.post(&format!("/api/v1/problems/{SLUG}/versions/1/submit"), &json!({})).await?;
    stages.reached("defined", &format!("{SLUG} version 1, in review"));
    let decision =
        json!({ "decision": "approve", "digest": saved["digest"], "comment": "The limits are what we agreed on." });
    signer.post(&format!("/api/v1/problems/{SLUG}/versions/1/decisions"), &decision).await?;
    stages.reached("signed off", &format!("by {}", stakeholder.name));

    bring(&program, "campaigns", "campaigns.csv", ads::campaigns()).await?;
    let csv = tokio::task::spawn_blocking(|| ads::generate(20_260_105, ROWS)).await?;
    let version = bring(&program, "ad impressions", "ads.csv", csv).await?;
    let checks = version["report"]["findings"].as_array().map_or(0, Vec::len);
    stages.reached("data", &format!("{ROWS} rows read and valid, {checks} checks"));

    let launch = json!({ "trainer": "gradient_boosting", "budget": TRIALS, "seed": 1 });
    let number = train(&program, &mut stages, &launch).await?;
    approve(&program, &signer, &number).await?;
    stages.reached("approved", &format!("by {}", stakeholder.name));
    let rollout = json!({ "version": number, "reason": "first version" });
    program.post(&format!("/api/v1/deployments/{SLUG}/rollouts"), &rollout).await?;
    stages.reached("live", &format!("version {number} answers: no other one was there to compare it with"));

    let mut traffic = tokio::task::spawn_blocking(Traffic::new).await??;
    let (mut answered, mut clicks) = (0, 0);
    while answered < TRAFFIC {
        let (more, known) = traffic.send(&program).await?;
        (answered, clicks) = (answered + more, clicks + known);
    }
    stages.reached("traffic", &format!("{answered} predictions answered, {clicks} outcomes reported"));

    let launch = json!({ "trainer": "gradient_boosting", "budget": TRIALS, "seed": 2 });
    let number = train(&program, &mut stages, &launch).await?;
    approve(&program, &signer, &number).await?;
    let last = follow(&program, &mut traffic, &mut stages, &number, "searched anew").await?;
    if last["kind"] != "settled" {
        bail!("a version that is as good as the one before it was taken back: {}", last["reason"]);
    }

    let drill = program.post(&format!("/api/v1/deployments/{SLUG}/drill"), &json!({})).await?;
    let took = drill["took_ms"].as_f64().context("a server does not take changes up")?;
    stages.reached(
        "drill",
        &format!("every server had a change in place after {took:.0} ms: so long a rollback would take"),
    );

    watch::drift(&program, &signer, &mut traffic, &mut stages, letters).await?;

    // What no gate can see: a column that knew the answer when it was exported, and does not know it when it is asked.
    let csv = tokio::task::spawn_blocking(|| ads::generate_with_leak(20_260_106, ROWS)).await?;
    bring(&program, "ad impressions", "ads.csv", csv).await?;
    let launch = json!({ "trainer": "gradient_boosting", "seed": 3 });
    let number = train(&program, &mut stages, &launch).await?;
    approve(&program, &signer, &number).await?;
    let last = follow(&program, &mut traffic, &mut stages, &number, "better on newer data").await?;
    if last["kind"] != "rollback" {
        bail!("a version that knew too much in training was not taken back");
    }
    let found = verify::check(services).await?;
    let (entries, artifacts) = (found.entries, found.artifacts);
    stages.reached("verified", &format!("{entries} audit entries, {artifacts} artifacts, all invariants hold"));
    stages.end();
    Ok(())
}

/// Trains a version and waits until it is registered; gives its number.
async fn train(program: &Client, stages: &mut Stages, launch: &Value) -> anyhow::Result<Value> {
    let launched = program.post(&format!("/api/v1/problems/{SLUG}/runs"), launch).await?;
    let path = format!("/api/v1/runs/{}", text(&launched, "run"));
    let run = wait_for(program, &path, |seen| !matches!(seen["state"].as_str(), Some("queued" | "running"))).await?;
    if run["state"] != "succeeded" {
        bail!("the run {}: {}", text(&run, "state"), run["failure"]["message"]);
    }
    let auc = run["metrics"]["test.roc_auc"].as_f64().unwrap_or(f64::NAN);
    stages.reached("trained", &format!("test ROC AUC {auc:.3}, all gates passed"));
    stages.reached("registered", &format!("{SLUG} version {}", run["model"]["version"]));
    Ok(run["model"]["version"].clone())
}

/// Has a version approved by somebody else than who trained it.
async fn approve(program: &Client, signer: &Session, number: &Value) -> anyhow::Result<()> {
    let path = format!("/api/v1/models/{SLUG}/versions/{number}");
    let model = program.get(&path).await?;
    let decision = json!({ "decision": "approve", "digest": model["digest"], "comment": "Gates are green." });
    signer.post(&format!("{path}/decisions"), &decision).await?;
    Ok(())
}

/// Brings a file in as a dataset of the sample problem, and waits until it is valid.
async fn bring(program: &Client, name: &'static str, file_name: &'static str, csv: String) -> anyhow::Result<Value> {
    let form = Form::new().text("problem", SLUG).text("name", name).part("file", Part::text(csv).file_name(file_name));
    let taken = program.answer(program.request(reqwest::Method::POST, "/api/v1/datasets").multipart(form)).await?;
    let path = format!("/api/v1/datasets/{}/versions/{}", text(&taken, "dataset"), taken["version"]);
    let version = wait_for(program, &path, |seen| seen["summary"]["state"] != "loading").await?;
    if version["summary"]["state"] != "valid" {
        let findings = version["report"]["findings"].as_array().cloned().unwrap_or_default();
        let failed = findings.into_iter().find(|one| one["outcome"] == "failed" && one["severity"] == "critical");
        bail!("{file_name} was rejected: {} {}", version["failure"], failed.unwrap_or_default());
    }
    Ok(version)
}

/// Asks again for a second or two while no model is live yet.
async fn predict(program: &Client, body: &Value) -> anyhow::Result<Value> {
    let path = format!("/v1/models/{SLUG}:predict");
    for _ in 0..20 {
        if let Ok(answer) = program.post(&path, body).await {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    program.post(&path, body).await
}

/// One row as a caller sends it: what the features read, and whom it is about.
fn instance(names: &[&str], row: &[&str]) -> Value {
    let pairs = names.iter().zip(row).filter(|(name, _)| **name != "clicked");
    let fields = pairs.map(|(name, text)| {
        let is_text = matches!(*name, "shown_at" | "user_id" | "campaign" | "device" | "country");
        let value = match text.parse::<f64>() {
            _ if text.is_empty() => Value::Null,
            Ok(number) if !is_text => json!(number),
            _ => json!(text),
        };
        ((*name).to_owned(), value)
    });
    Value::Object(fields.collect())
}

async fn wait_until_ready(url: &str) -> anyhow::Result<()> {
    for _ in 0..100 {
        let ready = reqwest::Client::builder().no_proxy().build()?.get(format!("{url}/readyz")).send().await;
        if ready.is_ok_and(|response| response.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the server did not become ready within ten seconds")
}

async fn wait_for(program: &Client, path: &str, done: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    for _ in 0..1_200 {
        let seen = program.get(path).await?;
        if done(&seen) {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    bail!("{path} did not come to an end within three minutes")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
