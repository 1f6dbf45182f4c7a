//! `millrace`: web pages, API, predictions and executor in one program.

mod accept;
mod api;
mod cli;
mod config;
mod mlflow;
mod outside;
mod predict;
mod telemetry;
mod web;
mod wiring;

use clap::Parser;

/// Answering a prediction is many small pieces of memory, taken on one thread and given back on another.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let command = cli::Cli::parse();
    telemetry::start(command.log_json);
    // One more than there are processors: where models hold all others, it takes requests in.
    let workers = std::thread::available_parallelism().map_or(2, |processors| processors.get() + 1);
    // Each request to a model that hangs has one to itself until it is given up.
    let aside = 4_096;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(workers).max_blocking_threads(aside).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("millrace: no threads could be started: {error}");
            return std::process::ExitCode::from(1);
        }
    };
    let code = runtime.block_on(cli::run(command));
    // A computation that was told to stop may take a moment; it must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}
