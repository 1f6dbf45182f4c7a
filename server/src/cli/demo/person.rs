//! A person of the demo, and their browser session.

use anyhow::{Context, bail};
use millrace_domain::policy::Role;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

/// A person of the demo.
pub struct Person {
    pub email: String,
    pub name: String,
    pub password: String,
    pub roles: Vec<Role>,
}

/// A signed-in person.
pub struct Session {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Person {
    /// Their roles in words.
    pub fn role_words(&self) -> String {
        self.roles.iter().map(|role| role.title()).collect::<Vec<_>>().join(", ")
    }

    /// Signs in.
    pub async fn sign_in(&self, url: &str) -> anyhow::Result<Session> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let body = json!({ "email": self.email, "password": self.password });
        let response = http.post(format!("{url}/api/v1/session")).header(ORIGIN, url).json(&body).send().await?;
        if !response.status().is_success() {
            bail!("{} could not sign in: {}", self.email, response.text().await?);
        }
        let cookie = response.headers().get(SET_COOKIE).context("the server set no session cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Session { http, url: url.to_owned(), cookie })
    }
}

impl Session {
    /// Sends something in the session.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url));
        let response = request.header(ORIGIN, &self.url).header(COOKIE, &self.cookie).json(body).send().await?;
        let is_done = response.status().is_success();
        let answer: Value = response.json().await.unwrap_or_default();
        if !is_done {
            bail!("{path}: {}", answer["detail"].as_str().unwrap_or("refused"));
        }
        Ok(answer)
    }
}
