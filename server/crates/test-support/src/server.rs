//! The built program as a child process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// A running `millrace serve` or `millrace worker`.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it answers; empty for a worker.
    pub url: String,
    log: PathBuf,
}

/// How the program is started.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// The binary.
    pub binary: &'a str,
    /// Its database.
    pub database_url: &'a str,
    /// Its home.
    pub home: &'a Path,
    /// Further environment.
    pub env: &'a [(&'a str, &'a str)],
    /// Further arguments.
    pub arguments: &'a [&'a str],
}

impl Server {
    /// Starts `serve` on a port that the kernel gives it and waits until it is ready.
    ///
    /// # Errors
    /// With its log, when it does not become ready.
    pub async fn serve(start: &Start<'_>) -> anyhow::Result<Self> {
        let mut server = Self::spawn(start, &["serve", "--addr", "127.0.0.1:0"])?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        for _ in 0..1_200 {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}: {}", server.output());
            }
            if let Some(addr) = address_in(&server.output()) {
                server.url = format!("http://{addr}");
                let ready = http.get(format!("{}/readyz", server.url)).send().await;
                if ready.is_ok_and(|response| response.status().is_success()) {
                    return Ok(server);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server did not become ready: {}", server.output())
    }

    /// Starts `worker`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn worker(start: &Start<'_>) -> anyhow::Result<Self> {
        Self::spawn(start, &["worker"])
    }

    fn spawn(start: &Start<'_>, command: &[&str]) -> anyhow::Result<Self> {
        let log = start.home.join(format!("{}-{}.log", command[0], next_number(start.home)?));
        let output = std::fs::File::create(&log)?;
        let child = Command::new(start.binary)
            .args(command)
            .args(start.arguments)
            .env_remove("RUST_LOG")
            .env("DATABASE_URL", start.database_url)
            .env("MILLRACE_HOME", start.home)
            .envs(start.env.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", start.binary))?;
        Ok(Self { child, url: String::new(), log })
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to stop, as who runs it would (SIGTERM).
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        self.signal("-TERM")
    }

    /// Holds it where it is (SIGSTOP): it takes in and does nothing more.
    ///
    /// # Errors
    /// When it cannot be held.
    pub fn hold(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    /// Kills it (SIGKILL), also while it is held.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status()?;
        sent.success().then_some(()).context("kill failed")
    }

    /// Waits until it ends by itself, at most so long; whether it did.
    ///
    /// # Errors
    /// When the process cannot be looked at.
    pub async fn ended_within(&mut self, time: Duration) -> anyhow::Result<bool> {
        let until = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ending a process that has ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a server says that it listens, `127.0.0.1:38211`.
pub fn address_in(log: &str) -> Option<&str> {
    let said = log.split_once("listening on ")?.1;
    said.split_once([',', '\n']).map(|(addr, _)| addr)
}

/// Numbers the logs of one home.
fn next_number(home: &Path) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(home)?.count())
}
