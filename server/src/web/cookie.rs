//! Cookies of ours beside the session's.

use axum::http::{HeaderMap, HeaderValue, header};

/// How cookies are named and marked.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    /// Whether browsers come by https.
    pub secure: bool,
}

impl Cookies {
    /// The session cookie's name. `__Host-` makes browsers keep it to this host, path `/` and https.
    pub const fn session_name(self) -> &'static str {
        if self.secure { "__Host-millrace" } else { "millrace" }
    }

    /// A cookie that scripts cannot read, for `seconds`.
    pub fn set(self, name: &str, value: &str, seconds: u32) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

/// The value of a cookie that the caller sent.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|pairs| pairs.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value)
}
