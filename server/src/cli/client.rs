//! The commands that speak to a server do so through its API, with a token.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// How often, and after how long, a server is asked again that is away.
const MOST_TRIES: u32 = 60;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// What a server said is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Refused {
    status: u16,
    message: String,
}

impl Refused {
    /// Whether it says the same when it is asked again.
    const fn is_final(&self) -> bool {
        self.status < 500 && self.status != 429
    }
}

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// Address of the server.
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Token to use.
    #[arg(long, env = "MILLRACE_TOKEN", hide_env_values = true)]
    pub token: String,
}

/// A connection to a server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Server,
}

impl Client {
    /// A client of that server.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("the HTTP client cannot be made")?;
        let url = server.url.trim_end_matches('/').to_owned();
        Ok(Self { http, server: Server { url, token: server.token.clone() } })
    }

    /// The whole address of a path.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.address(path)).bearer_auth(&self.server.token)
    }

    /// Reads something.
    ///
    /// # Errors
    /// What the server says is wrong.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// Reads something of a server that may be away for a moment, as while it is started anew.
    ///
    /// # Errors
    /// What the server says is wrong, or has said for a minute.
    pub async fn get_patiently(&self, path: &str) -> anyhow::Result<Value> {
        let mut tries = 0;
        loop {
            match self.get(path).await {
                Err(error) if tries < MOST_TRIES && !error.downcast_ref().is_some_and(Refused::is_final) => {
                    tries += 1;
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                answer => return answer,
            }
        }
    }

    /// Sends something.
    ///
    /// # Errors
    /// What the server says is wrong.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// What the server says is wrong: detail and every field mistake.
    pub async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.with_context(|| {
            format!("{} does not answer; is the server up, and MILLRACE_URL right?", self.server.url)
        })?;
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let detail = body["detail"].as_str().unwrap_or("the server gave no reason");
        let mut message = format!("{detail} ({} {})", status.as_u16(), body["code"].as_str().unwrap_or("-"));
        for mistake in body["errors"].as_array().into_iter().flatten() {
            let (pointer, text) = (mistake["pointer"].as_str(), mistake["message"].as_str());
            message.push_str(&format!("\n  {}: {}", pointer.unwrap_or_default(), text.unwrap_or_default()));
        }
        Err(Refused { status: status.as_u16(), message }.into())
    }
}
