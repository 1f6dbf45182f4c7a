//! Everything that must pass before a change lands, cheapest first.

use std::num::NonZero;
use std::process::Stdio;

use anyhow::Result;

use crate::browser;
use crate::packages;
use crate::stages::{Outcome, Stages};
use crate::toolchain::WasmSource;
use crate::workspace::{PACKAGES, Workspace, execute};

pub fn run(workspace: &Workspace, wasm: WasmSource) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("tools", || packages::for_tests(workspace))?;
    stages.run("format", || execute(workspace.cargo("fmt").args(["--all", "--check"])))?;
    stages.run("licences and sources", || dependencies(workspace))?;
    stages.run("lints", || lints(workspace))?;
    // With the tests: what only they depend on turns on features of shared dependencies, which would all be compiled again.
    stages.run("build", || workspace.build(&["--bins", "--tests"]))?;
    stages.run("browser bundle", || browser::build(workspace, wasm))?;
    stages.run("tests", || tests(workspace))?;
    stages.run("browser journeys", || journeys(workspace))?;
    eprintln!("\n{}", stages.summary());
    Ok(())
}

fn dependencies(workspace: &Workspace) -> Result<Outcome> {
    let installed = workspace.cargo("deny").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        return Ok(Outcome::Skipped("cargo-deny isn't installed: `cargo install --locked cargo-deny`".to_owned()));
    }
    execute(workspace.cargo("deny").args(["--locked", "check", "bans", "licenses", "sources"]))
}

fn lints(workspace: &Workspace) -> Result<Outcome> {
    for packages in [&PACKAGES[..], &["--package", "xtask"]] {
        let mut clippy = workspace.cargo("clippy");
        execute(clippy.arg("--locked").args(packages).args(["--all-targets", "--", "--deny", "warnings"]))?;
    }
    Ok(Outcome::Done)
}

/// Most tests wait for programs that they started more than they compute: with one a processor, the processors were idle for half of the time.
fn tests(workspace: &Workspace) -> Result<Outcome> {
    let at_once = 2 * std::thread::available_parallelism().map_or(1, NonZero::get);
    for packages in [&PACKAGES[..], &["--package", "xtask"]] {
        let mut tests = workspace.cargo("test");
        execute(tests.env("RUST_TEST_THREADS", at_once.to_string()).arg("--locked").args(packages))?;
    }
    Ok(Outcome::Done)
}

/// The journeys of `end2end`, against the server and the site that were just built.
fn journeys(workspace: &Workspace) -> Result<Outcome> {
    let mut npm = workspace.command("npm");
    npm.current_dir(workspace.root().join("end2end")).args(["run", "--silent", "test"]);
    npm.env("MILLRACE_BINARY", workspace.server(false)).env("MILLRACE_SITE", workspace.site());
    execute(npm.env("CHROMIUM", packages::chromium()?))
}
