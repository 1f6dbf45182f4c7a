//! The commands that speak to a server do so through its API, with a token.

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

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

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server.url)).bearer_auth(&self.server.token)
    }

    /// Reads something.
    ///
    /// # Errors
    /// What the server says is wrong.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.request(Method::GET, path)).await
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
        bail!(message)
    }
}
