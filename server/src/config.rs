//! Settings: every one is a flag and an environment variable.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use ipnet::IpNet;
use millrace_domain::policy::Role;
use millrace_domain::trainer::Programs;
use millrace_domain::webhook::Webhooks;
use millrace_services::{Elsewhere, ExternalTrainers, RoleRule};
use millrace_storage::artifact::ArtifactPlace;
use millrace_storage::source::Places;

use crate::outside;
use crate::web::{Known, Provider};

/// Where data is and how to reach it.
#[derive(Debug, Clone, Args)]
pub struct Storage {
    /// Postgres to use. Unset: a private cluster under MILLRACE_HOME is made and started.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Directory of everything that is kept besides the database.
    #[arg(long, env = "MILLRACE_HOME", default_value = "var")]
    pub home: PathBuf,
    /// Directory of artifacts, or a bucket as s3://bucket/prefix with its settings in AWS_REGION, AWS_ENDPOINT and so on.
    /// Unset: `artifacts` under MILLRACE_HOME.
    #[arg(long, env = "MILLRACE_ARTIFACTS")]
    pub artifacts: Option<String>,
    /// Places that problem documents may have datasets fed from, as name=address separated by commas: an absolute directory, or
    /// an https, s3 or postgres address. Unset: none.
    #[arg(long = "source", env = "MILLRACE_SOURCES", value_delimiter = ',', hide_env_values = true)]
    pub sources: Vec<String>,
    /// File that declares the external trainers, a table `[trainers.<name>]` each: programs that runs may have fit their model. Unset:
    /// none.
    #[arg(long, env = "MILLRACE_TRAINERS")]
    pub trainers: Option<PathBuf>,
    /// File that declares webhooks, a table `[webhooks.<name>]` each: addresses that are told of alerts. Unset: none.
    #[arg(long, env = "MILLRACE_WEBHOOKS")]
    pub webhooks: Option<PathBuf>,
    /// Leave the schema of the database as it is.
    #[arg(long)]
    pub no_migrate: bool,
}

impl Storage {
    /// Refuses a database on another machine that anybody could sign in to.
    ///
    /// # Errors
    /// With the way out.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(url) = &self.database_url else { return Ok(()) };
        let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        let (who, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        if host.is_empty() || host.starts_with("%2") || is_loopback(host) || password.is_empty() {
            // On this machine, by a socket, or by a password file or certificate.
            return Ok(());
        }
        if password == user {
            bail!("the password in DATABASE_URL is the name of its role: anybody would try it");
        }
        refuse_sample("the password in DATABASE_URL", password)
    }

    /// The places that documents may have datasets fed from.
    ///
    /// # Errors
    /// With the setting that is not understood.
    pub fn places(&self) -> anyhow::Result<Places> {
        Places::read(&self.sources, &outside::bucket_settings()).context("MILLRACE_SOURCES")
    }

    /// The external trainers.
    ///
    /// # Errors
    /// With what cannot be read in their file.
    pub fn external_trainers(&self) -> anyhow::Result<ExternalTrainers> {
        let programs = match &self.trainers {
            None => Programs::default(),
            Some(path) => {
                let named = || format!("MILLRACE_TRAINERS {}", path.display());
                let text = std::fs::read_to_string(path).with_context(named)?;
                Programs::read(&text).map_err(anyhow::Error::msg).with_context(named)?
            }
        };
        Ok(ExternalTrainers { programs: programs.into(), scratch: self.home.join("trainers") })
    }

    /// The webhooks.
    ///
    /// # Errors
    /// With what cannot be read in their file.
    pub fn webhooks(&self) -> anyhow::Result<Webhooks> {
        let Some(path) = &self.webhooks else { return Ok(Webhooks::default()) };
        let named = || format!("MILLRACE_WEBHOOKS {}", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        Webhooks::read(&text).map_err(anyhow::Error::msg).with_context(named)
    }

    /// Where artifacts are.
    pub fn artifacts(&self) -> ArtifactPlace {
        match &self.artifacts {
            None => ArtifactPlace::Directory(self.home.join("artifacts")),
            Some(url) if url.contains("://") => ArtifactPlace::Bucket {
                url: url.clone(),
                settings: outside::bucket_settings(),
                drafts: self.home.join("drafts"),
            },
            Some(path) => ArtifactPlace::Directory(path.into()),
        }
    }
}

/// What people are told and asked, the same for every command that makes or recognises them.
#[derive(Debug, Clone, Args)]
pub struct People {
    /// Address that people see, used for links and for judging where requests come from. Unset: http and MILLRACE_ADDR.
    #[arg(long, env = "MILLRACE_BASE_URL")]
    pub base_url: Option<String>,
    /// File of the key that secrets are sealed under, 64 hexadecimal digits. Unset: `key` under MILLRACE_HOME, made if missing.
    #[arg(long, env = "MILLRACE_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Roles that take a second factor, separated by commas: who has one of them may do nothing before it is set up.
    #[arg(long, env = "MILLRACE_SECOND_FACTOR", value_delimiter = ',')]
    pub second_factor: Vec<Role>,
    /// Keeps approvers apart from whoever made an author's account or gave it its roles, and from everybody else whom the same
    /// people made. Accounts are then best made on the host or by the other sign-in.
    #[arg(long, env = "MILLRACE_APPROVERS_APART")]
    pub approvers_apart: bool,
}

/// Where mail goes.
#[derive(Debug, Clone, Args)]
pub struct Mail {
    /// Mail server, as smtps://user:password@host or smtp://host:port. Unset: letters go to `mail` under MILLRACE_HOME.
    #[arg(long, env = "MILLRACE_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Whom letters come from.
    #[arg(long, env = "MILLRACE_MAIL_FROM", default_value = "Millrace <millrace@localhost.localdomain>")]
    pub mail_from: String,
    /// Seconds that one conversation with the mail server may take, before it is tried again later. A server that takes longer to accept a letter
    /// gets it again and again.
    #[arg(long, env = "MILLRACE_MAIL_PATIENCE", default_value_t = 45.0)]
    pub mail_patience: f64,
}

/// Where else people may sign in: OpenID Connect. Off while there is no issuer.
#[derive(Debug, Clone, Args)]
pub struct SignInElsewhere {
    /// Address of the provider.
    #[arg(long, env = "MILLRACE_OIDC_ISSUER", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// Who this server is there.
    #[arg(long, env = "MILLRACE_OIDC_CLIENT_ID")]
    pub oidc_client_id: Option<String>,
    /// Its secret.
    #[arg(long, env = "MILLRACE_OIDC_CLIENT_SECRET", hide_env_values = true)]
    pub oidc_client_secret: Option<String>,
    /// Name on the button.
    #[arg(long, env = "MILLRACE_OIDC_NAME", default_value = "single sign-on")]
    pub oidc_name: String,
    /// Claim whose values give roles.
    #[arg(long, env = "MILLRACE_OIDC_CLAIM", default_value = "groups")]
    pub oidc_claim: String,
    /// What a value of the claim gives, as value=role or value=role:problem, separated by commas.
    #[arg(long, env = "MILLRACE_OIDC_ROLES", value_delimiter = ',')]
    pub oidc_roles: Vec<String>,
}

impl SignInElsewhere {
    /// The rules by which claims give roles.
    ///
    /// # Errors
    /// With the rule that is not understood.
    pub fn elsewhere(&self) -> anyhow::Result<Option<Elsewhere>> {
        if self.oidc_issuer.is_none() {
            return Ok(None);
        }
        let rule = |text: &String| {
            let (value, grant) = text
                .split_once('=')
                .with_context(|| format!("MILLRACE_OIDC_ROLES: {text:?} is not like group=role"))?;
            let grant = grant.parse().map_err(|reason| anyhow::anyhow!("MILLRACE_OIDC_ROLES: {reason}"))?;
            Ok(RoleRule { value: value.to_owned(), grant })
        };
        let rules = self.oidc_roles.iter().map(rule).collect::<anyhow::Result<_>>()?;
        Ok(Some(Elsewhere { name: self.oidc_name.clone(), rules, claim: self.oidc_claim.clone() }))
    }

    /// The provider itself.
    ///
    /// # Errors
    /// When its address is neither https nor on this host, or its secret is one that everybody tries.
    pub fn provider(&self, base_url: String) -> anyhow::Result<Option<Provider>> {
        let Some(issuer) = self.oidc_issuer.clone() else { return Ok(None) };
        let host = issuer.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
        if !issuer.starts_with("https://") && !is_loopback(host) {
            bail!("MILLRACE_OIDC_ISSUER {issuer} is not https: whoever listens could sign in as anybody");
        }
        if let Some(secret) = &self.oidc_client_secret {
            refuse_sample("MILLRACE_OIDC_CLIENT_SECRET", secret)?;
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(std::time::Duration::from_secs(10))
            .build()
            .context("the HTTP client cannot be made")?;
        Ok(Some(Provider {
            issuer,
            client_id: self.oidc_client_id.clone().unwrap_or_default(),
            client_secret: self.oidc_client_secret.clone(),
            claim: self.oidc_claim.clone(),
            base_url,
            http,
            known: Known::default(),
        }))
    }
}

/// Secrets that stand in examples.
const SAMPLES: [&str; 12] = [
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "password",
    "postgres",
    "admin",
    "example",
    "test",
    "millrace",
    "root",
    "123456",
];

fn refuse_sample(setting: &str, secret: &str) -> anyhow::Result<()> {
    let plain = secret.trim().to_lowercase();
    if plain.is_empty() || SAMPLES.contains(&plain.as_str()) {
        bail!("{setting} is a sample: anybody would try it. Make a real one, for example with `openssl rand -hex 24`");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// How much is computed at a time.
#[derive(Debug, Clone, Args)]
pub struct Slots {
    /// Steps at a time. Unset: as many as there are processors, since each trial of a search computes on one.
    #[arg(long, env = "MILLRACE_SLOTS")]
    pub slots: Option<usize>,
}

impl Slots {
    /// How many steps to run at a time.
    pub fn count(&self) -> usize {
        self.slots.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

/// How the server is reached.
#[derive(Debug, Clone, Args)]
pub struct Web {
    /// Address to listen on; with port 0 a free one is taken and said.
    #[arg(long, env = "MILLRACE_ADDR", default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// Directory of the browser bundle and styles, as `cargo xtask build` prints it.
    #[arg(long, env = "MILLRACE_SITE", default_value = "target/site")]
    pub site: PathBuf,
    /// Proxies in front, as addresses or networks separated by commas: whom they name in `X-Forwarded-For` is the client that
    /// failed sign-ins are counted by and that the audit trail names. Unset: whoever connects is the client.
    #[arg(long, env = "MILLRACE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Calls a second that one token may make, twice as many in a burst.
    #[arg(long, env = "MILLRACE_TOKEN_RATE", default_value_t = 1_000.0)]
    pub token_rate: f64,
    /// Requests for predictions of one model that are under way at a time, most of them waiting for a candidate; more are told to come
    /// again.
    #[arg(long, env = "MILLRACE_PREDICTIONS_AT_ONCE", default_value_t = 256)]
    pub predictions_at_once: usize,
    #[command(flatten)]
    pub people: People,
    #[command(flatten)]
    pub mail: Mail,
    #[command(flatten)]
    pub elsewhere: SignInElsewhere,
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "must be like 10.0.0.5 or 10.0.0.0/8".to_owned())
}

impl Web {
    /// The address that people see, without a slash at its end.
    pub fn base_url(&self) -> String {
        match &self.people.base_url {
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
        if self.mail.smtp_url.is_some() && self.people.base_url.is_none() {
            bail!(
                "MILLRACE_SMTP_URL is set, but MILLRACE_BASE_URL is not: links in letters would lead to {}, which is this machine \
                 only. Set MILLRACE_BASE_URL to the address people see",
                self.base_url()
            );
        }
        if !(1.0..=600.0).contains(&self.mail.mail_patience) {
            bail!("MILLRACE_MAIL_PATIENCE must lie between 1 and 600 seconds, got {}", self.mail.mail_patience);
        }
        if !(1.0..=1e9).contains(&self.token_rate) {
            bail!("MILLRACE_TOKEN_RATE must lie between 1 and 1000000000, got {}", self.token_rate);
        }
        if self.predictions_at_once == 0 {
            bail!("MILLRACE_PREDICTIONS_AT_ONCE must be at least 1");
        }
        self.elsewhere.elsewhere()?;
        self.elsewhere.provider(self.base_url()).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(url: &str) -> Storage {
        Storage {
            database_url: Some(url.to_owned()),
            home: "var".into(),
            artifacts: None,
            sources: Vec::new(),
            trainers: None,
            webhooks: None,
            no_migrate: false,
        }
    }

    #[test]
    fn a_sample_password_of_a_database_elsewhere_is_refused() {
        for url in ["postgres://app:postgres@db.example.org/m", "postgres://app:app@10.0.0.5:5432/m"] {
            assert!(storage(url).check().is_err(), "{url}");
        }
        for url in
            ["postgres://app:Zk3vT9qLw1@db.example.org/m", "postgres://app:postgres@127.0.0.1/m", "postgres:///m"]
        {
            assert!(storage(url).check().is_ok(), "{url}");
        }
    }
}
