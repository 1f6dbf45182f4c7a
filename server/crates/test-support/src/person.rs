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

/// Where a posted form led.
#[derive(Debug, Clone)]
pub struct Landed {
    /// HTTP status.
    pub status: u16,
    /// Where it redirects.
    pub to: String,
    /// Cookies it sets, whole.
    pub cookies: Vec<String>,
    /// Its body.
    pub text: String,
}

/// Text as a form sends it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
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
    /// The same person at another server.
    pub fn at(&self, server: &crate::server::Server) -> Self {
        Self { url: server.url.clone(), ..self.clone() }
    }

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

    /// Sends a request to a server that may end before it answers; one that answers has to take it.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn send_before_it_ends(&self, request: reqwest::RequestBuilder) {
        if let Ok(response) = request.send().await {
            let status = response.status();
            assert!(status.is_success(), "{status} {}", response.text().await.unwrap_or_default());
        }
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Puts JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// Posts a form as a program does that is no browser; gives the status.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn form(&self, path: &str, body: &str) -> u16 {
        let request = self.http.post(format!("{}{path}", self.url)).body(body.to_owned());
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        request.send().await.expect("the server answers").status().as_u16()
    }

    /// Posts a form as a browser without scripts does, from a page of this server; gives the status and where it leads.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Landed {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let request = self
            .request(Method::POST, action)
            .header("accept", "text/html")
            .header("referer", format!("{}{page}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let response = request.send().await.expect("the server answers");
        let cookies: Vec<String> = response
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect();
        let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        Landed { status: response.status().as_u16(), to, cookies, text: response.text().await.unwrap_or_default() }
    }

    /// The same person with the session that an answer opened.
    pub fn with_session_of(&self, landed: &Landed) -> Self {
        let cookie = landed.cookies.iter().find(|cookie| cookie.starts_with("millrace="));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
        Self { header: Some(("cookie", cookie)), ..self.clone() }
    }

    /// The cookie or token they show, as it goes over the wire.
    pub fn shows(&self) -> &str {
        self.header.as_ref().map_or("", |(_, value)| value)
    }

    /// Reads a page.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn page(&self, path: &str) -> (u16, String) {
        let response = self.request(Method::GET, path).send().await.expect("the server answers");
        (response.status().as_u16(), response.text().await.unwrap_or_default())
    }

    /// Brings a file in.
    pub async fn upload(&self, problem: &str, name: &str, file_name: &str, content: Vec<u8>) -> Answer {
        self.send(self.upload_request(problem, name, file_name, content)).await
    }

    /// What an upload sends.
    pub fn upload_request(
        &self,
        problem: &str,
        name: &str,
        file_name: &str,
        content: Vec<u8>,
    ) -> reqwest::RequestBuilder {
        let form = Form::new()
            .text("problem", problem.to_owned())
            .text("name", name.to_owned())
            .part("file", Part::bytes(content).file_name(file_name.to_owned()));
        self.request(Method::POST, "/api/v1/datasets").multipart(form)
    }

    /// Decides on a problem or model version.
    pub async fn decide(&self, path: &str, decision: &str, digest: &str) -> Answer {
        let body = json!({ "decision": decision, "digest": digest, "comment": "as agreed" });
        self.post(&format!("{path}/decisions"), body).await
    }
}
