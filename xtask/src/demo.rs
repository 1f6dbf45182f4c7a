//! The demo: builds everything, then becomes the server's `demo` command.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::browser;
use crate::packages;
use crate::stages::{Outcome, Stages};
use crate::toolchain::WasmSource;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace, wasm: WasmSource, once: bool, port: Option<u16>) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("tools", || packages::postgres().map(|()| Outcome::Done))?;
    stages.run("server", || workspace.build(&[]))?;
    stages.run("browser bundle", || browser::build(workspace, wasm))?;
    eprintln!();

    let mut server = workspace.command(workspace.server(false));
    server.arg("demo").env("MILLRACE_SITE", workspace.site());
    if once {
        server.arg("--once");
    }
    if let Some(port) = port {
        server.args(["--port", &port.to_string()]);
    }
    // Taking this process' place leaves Ctrl-C, signals and the exit code to the server itself.
    let error = server.exec();
    Err(error).with_context(|| format!("can't run {}", workspace.server(false).display()))
}
