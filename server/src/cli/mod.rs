//! Commands. Results go to stdout, progress and logs to stderr; exit 0 done, 1 the work failed, 2 wrong usage.

mod apply;
mod client;
mod demo;
mod export;
mod host;
mod rehearse;
mod replay;
mod reproduce;
mod run;
mod serve;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use millrace_domain::Digest;
use millrace_domain::policy::{Grant, Scope};

use crate::config::{People, Slots, Storage, Web};

/// From a signed-off problem to a served, watched model.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// Logs as JSON lines.
    #[arg(long, global = true, env = "MILLRACE_LOG_JSON")]
    pub log_json: bool,
    /// Results as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Web pages, API, predictions and a worker.
    Serve {
        #[command(flatten)]
        storage: Storage,
        #[command(flatten)]
        web: Web,
        /// Leave steps to other workers.
        #[arg(long)]
        no_executor: bool,
        /// Judge no windows, write no letters about alerts, and start no trainings: another server does.
        #[arg(long, env = "MILLRACE_NO_WATCH")]
        no_watch: bool,
        #[command(flatten)]
        slots: Slots,
    },
    /// A worker only, for more machines.
    Worker {
        #[command(flatten)]
        storage: Storage,
        #[command(flatten)]
        people: People,
        #[command(flatten)]
        slots: Slots,
    },
    /// Brings the database up to date.
    Migrate {
        #[command(flatten)]
        storage: Storage,
    },
    /// People, from the host.
    User {
        #[command(flatten)]
        storage: Storage,
        #[command(flatten)]
        people: People,
        #[command(subcommand)]
        act: UserAct,
    },
    /// Tokens, from the host.
    Token {
        #[command(flatten)]
        storage: Storage,
        #[command(flatten)]
        people: People,
        #[command(subcommand)]
        act: TokenAct,
    },
    /// Creates or revises a problem from a file: a draft that still needs sign-off.
    Apply {
        #[command(flatten)]
        server: client::Server,
        /// The document, TOML or JSON.
        #[arg(short, long)]
        file: PathBuf,
        /// Ask for review as well.
        #[arg(long)]
        submit: bool,
    },
    /// Launches a run and follows it; exit 0 only if it was gated and registered.
    Run(run::RunArgs),
    /// Computes a run once more from its recorded inputs; exit 0 only if every step made the same.
    Reproduce(reproduce::ReproduceArgs),
    /// Sends a file as prediction traffic, and its labels as outcomes.
    Replay(replay::ReplayArgs),
    /// Goes through a file of the past as the document's policy would have, without a server: alerts, trainings, and how good answers were.
    Rehearse(rehearse::RehearseArgs),
    /// Windows of a live model with all bins and counts, as JSON.
    Export(export::ExportArgs),
    /// Computes every number of an export again from its counts, without a server; exit 1 names what does not follow.
    VerifyExport {
        /// The export, as `export` or the monitor page gives it.
        file: PathBuf,
    },
    /// Checks the audit chain, artifact digests and invariants; exit 1 names the first violation.
    Verify {
        #[command(flatten)]
        storage: Storage,
    },
    /// Checks an evidence pack of a model version, without a server; exit 1 names what does not hold.
    VerifyPack {
        /// The archive, as a version's page gives it.
        file: PathBuf,
        /// The version's digest as it is known from elsewhere: the server's page, a letter, the audit trail.
        #[arg(long)]
        digest: Option<Digest>,
    },
    /// Turns a Great Expectations suite, or a schema of TensorFlow Data Validation, into `[[checks]]` of a problem document; what has no counterpart is listed.
    ImportChecks {
        /// The suite, JSON.
        #[arg(short, long)]
        file: PathBuf,
    },
    /// Prints the API document.
    Openapi,
    /// Prints the policy: who may do what, and what each address asks for.
    Policy,
    /// Settings.
    Config {
        #[command(subcommand)]
        act: ConfigAct,
    },
    /// Weighs a model that comes on stdin, for trials and the gate on memory.
    #[command(hide = true)]
    Weigh,
    /// Takes a sample problem through the pipeline, with people, data and traffic of its own.
    #[command(hide = true)]
    Demo(demo::DemoArgs),
}

#[derive(Debug, Subcommand)]
enum UserAct {
    /// Adds a person; the password comes from stdin, or is made and printed once.
    Add {
        /// Mail address.
        #[arg(long)]
        email: String,
        /// Name in records; the address when absent.
        #[arg(long)]
        name: Option<String>,
        /// stakeholder, ml_engineer, on_call or admin, or one of them on one problem as stakeholder:taxi-tips; may be repeated.
        #[arg(long, required = true)]
        role: Vec<Grant>,
        /// Read the password from stdin.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Gives a person other roles in place of those they have. What is given here nobody of the workspace answers for.
    Roles {
        /// Mail address.
        #[arg(long)]
        email: String,
        /// As for `add`; may be repeated.
        #[arg(long, required = true)]
        role: Vec<Grant>,
    },
}

#[derive(Debug, Subcommand)]
enum TokenAct {
    /// Makes a token for an account; it is printed once.
    Create {
        /// Whose.
        #[arg(long)]
        email: String,
        /// predict, read, launch, deploy, metrics; separated by commas.
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
        /// How long it holds.
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// What it is for.
        #[arg(long, default_value = "made on the host")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigAct {
    /// Checks settings and prints them.
    Check {
        #[command(flatten)]
        storage: Storage,
        #[command(flatten)]
        web: Web,
    },
}

/// Runs the command.
pub async fn run(cli: Cli) -> ExitCode {
    let json = cli.json;
    let done = match cli.command {
        Command::Serve { storage, web, no_executor, no_watch, slots } => {
            serve::serve(storage, web, (!no_executor).then(|| slots.count()), !no_watch).await
        }
        Command::Worker { storage, people, slots } => serve::work(storage, people, slots.count()).await,
        Command::Migrate { storage } => host::migrate(storage, json).await,
        Command::User { storage, people, act: UserAct::Add { email, name, role, password_stdin } } => {
            host::add_user(storage, &people, &email, name.as_deref(), &role, password_stdin, json).await
        }
        Command::User { storage, people, act: UserAct::Roles { email, role } } => {
            host::set_roles(storage, &people, &email, &role, json).await
        }
        Command::Token { storage, people, act: TokenAct::Create { email, scopes, days, name } } => {
            host::create_token(storage, &people, &email, &name, &scopes, days, json).await
        }
        Command::Apply { server, file, submit } => apply::apply(&server, &file, submit, json).await,
        Command::Run(args) => run::run(args, json).await,
        Command::Reproduce(args) => reproduce::reproduce(&args, json).await,
        Command::Replay(args) => replay::replay(args, json).await,
        Command::Rehearse(args) => tokio::task::block_in_place(|| rehearse::rehearse(args, json)),
        Command::Export(args) => export::export(&args).await,
        Command::VerifyExport { file } => export::verify_export(&file, json),
        Command::Verify { storage } => verify::verify(storage, json).await,
        Command::VerifyPack { file, digest } => verify::verify_pack(&file, digest, json),
        Command::ImportChecks { file } => apply::import_checks(&file, json),
        Command::Openapi => host::print_document(),
        Command::Policy => {
            host::print_policy();
            Ok(())
        }
        Command::Config { act: ConfigAct::Check { storage, web } } => host::check_config(&storage, &web, json),
        Command::Weigh => host::weigh(),
        Command::Demo(args) => demo::demo(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            ExitCode::from(1)
        }
    }
}
