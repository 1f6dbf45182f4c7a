//! Settings: every one is a flag and an environment variable.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

/// Where data is and how to reach it.
#[derive(Debug, Clone, Args)]
pub struct Storage {
    /// Postgres to use. Unset: a private cluster under MILLRACE_HOME is made and started.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Directory of everything that is kept besides the database.
    #[arg(long, env = "MILLRACE_HOME", default_value = "var")]
    pub home: PathBuf,
    /// Directory of artifacts. Unset: `artifacts` under MILLRACE_HOME.
    #[arg(long, env = "MILLRACE_ARTIFACTS")]
    pub artifacts: Option<PathBuf>,
    /// Leave the schema of the database as it is.
    #[arg(long)]
    pub no_migrate: bool,
}

impl Storage {
    /// Where artifacts are.
    pub fn artifacts(&self) -> PathBuf {
        self.artifacts.clone().unwrap_or_else(|| self.home.join("artifacts"))
    }
}

/// How the server is reached.
#[derive(Debug, Clone, Args)]
pub struct Web {
    /// Address to listen on.
    #[arg(long, env = "MILLRACE_ADDR", default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// Address that people see, used for links and for judging where requests come from. Unset: http and MILLRACE_ADDR.
    #[arg(long, env = "MILLRACE_BASE_URL")]
    pub base_url: Option<String>,
    /// Directory of the browser bundle and styles, as `cargo xtask build` prints it.
    #[arg(long, env = "MILLRACE_SITE", default_value = "target/site")]
    pub site: PathBuf,
}

impl Web {
    /// The address that people see, without a slash at its end.
    pub fn base_url(&self) -> String {
        match &self.base_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.addr),
        }
    }

    /// Whether browsers come by https, so that cookies can be kept to it.
    pub fn is_secure(&self) -> bool {
        self.base_url().starts_with("https://")
    }

    /// Refuses settings that would expose people.
    ///
    /// # Errors
    /// With the setting and the way out.
    pub fn check(&self) -> anyhow::Result<()> {
        let url: axum::http::Uri = self
            .base_url()
            .parse()
            .with_context(|| format!("MILLRACE_BASE_URL {:?} is not an address", self.base_url()))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.path() != "/" && !url.path().is_empty() {
            bail!("MILLRACE_BASE_URL must be like https://millrace.example.org, without a path");
        }
        if !self.addr.ip().is_loopback() && !self.is_secure() {
            bail!(
                "{} is reachable from other machines, but MILLRACE_BASE_URL is not https: passwords and sessions would travel in \
                 the clear. Put a proxy with https in front and set MILLRACE_BASE_URL to its address, or listen on 127.0.0.1",
                self.addr
            );
        }
        Ok(())
    }
}
