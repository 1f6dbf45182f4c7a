//! Callers with verbs.

use millrace_domain::ids::AccountId;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// Somebody who calls the server: a person in a session, a program with a token, or anybody.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their account.
    pub id: AccountId,
    /// Their mail address.
    pub email: String,
    /// Their password.
    pub password: String,
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) header: Option<(&'static str, String)>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body; null when it was none.
    pub body: Value,
}

impl Answer {
    /// The stable word of a fault.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The words of a fault.
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn done(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }
}

impl Person {
    /// A request of theirs.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request_from(&self.url, method, path)
    }

    /// A request of theirs that a page of `origin` makes.
    pub fn request_from(&self, origin: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.header {
            // A browser says where a request comes from; a program does not.
            Some(("authorization", token)) => request.header("authorization", token),
            Some((name, value)) => request.header(*name, value).header("origin", origin),
            None => request.header("origin", origin),
        }
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap_or_default();
        Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Brings a file in.
    pub async fn upload(&self, problem: &str, name: &str, file_name: &str, content: Vec<u8>) -> Answer {
        let form = Form::new()
            .text("problem", problem.to_owned())
            .text("name", name.to_owned())
            .part("file", Part::bytes(content).file_name(file_name.to_owned()));
        self.send(self.request(Method::POST, "/api/v1/datasets").multipart(form)).await
    }

    /// Decides on a problem or model version.
    pub async fn decide(&self, path: &str, decision: &str, digest: &str) -> Answer {
        let body = json!({ "decision": decision, "digest": digest, "comment": "as agreed" });
        self.post(&format!("{path}/decisions"), body).await
    }
}
