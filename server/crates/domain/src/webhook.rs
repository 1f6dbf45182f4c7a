//! Webhooks: addresses that whoever runs the server declared, which are told of alerts beside whoever is on call.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a secret begins with (Standard Webhooks).
pub const SECRET_PREFIX: &str = "whsec_";
/// Longest name and address.
#[cfg(feature = "parse")]
const MOST_NAME: usize = 40;
#[cfg(feature = "parse")]
const MOST_ADDRESS: usize = 2_000;

/// What requests are signed with; never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The key in base64, without its prefix.
    pub fn key(&self) -> &str {
        self.0.strip_prefix(SECRET_PREFIX).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One address, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is told: https, or http on this machine.
    pub url: String,
    /// What it knows us by: `whsec_` and at least 24 bytes in base64.
    pub secret: Secret,
    /// The problems whose alerts it is told of; all when it says none.
    #[serde(default)]
    pub problems: Vec<String>,
}

impl Webhook {
    /// Whether it is told of a problem's alerts.
    pub fn is_told_of(&self, problem: &str) -> bool {
        self.problems.is_empty() || self.problems.iter().any(|own| own == problem)
    }

    /// # Errors
    /// What is wrong with its address.
    #[cfg(feature = "parse")]
    fn check(&self) -> Result<(), String> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let stays_here = matches!(name, "localhost" | "127.0.0.1" | "::1");
        if self.url.len() > MOST_ADDRESS
            || name.is_empty()
            || host.contains('@')
            || self.url.chars().any(char::is_whitespace)
        {
            return Err(
                "url must be an address like https://example.org/hook, without a name and password in it".to_owned()
            );
        }
        match scheme {
            "https" => Ok(()),
            "http" if stays_here => Ok(()),
            _ => Err("url must begin with https: what alerts say would travel in the clear".to_owned()),
        }
    }
}

/// All webhooks of a server, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    #[serde(default)]
    webhooks: BTreeMap<String, Webhook>,
}

impl Webhooks {
    /// Reads them from TOML, a table `[webhooks.<name>]` each.
    ///
    /// # Errors
    /// What is wrong, in words, without any secret.
    #[cfg(feature = "parse")]
    pub fn read(text: &str) -> Result<Self, String> {
        // What is wrong is told without the text itself, which may hold a secret.
        let read: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            format!("line {line} is none of a table [webhooks.<name>] with url, secret and, if not of all, problems")
        })?;
        for (name, webhook) in &read.webhooks {
            let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
            if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(fits) {
                return Err(format!(
                    "{name:?} is no name of a webhook: 1 to {MOST_NAME} small letters, digits, _ and -"
                ));
            }
            webhook.check().map_err(|reason| format!("webhooks.{name}: {reason}"))?;
        }
        Ok(read)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Webhook)> {
        self.webhooks.iter().map(|(name, webhook)| (name.as_str(), webhook))
    }
}

#[cfg(all(test, feature = "parse"))]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Webhooks, String> {
        Webhooks::read(&format!("[webhooks.pager]\nurl = \"{url}\"\nsecret = \"whsec_c2VjcmV0\"\n"))
    }

    #[test]
    fn what_alerts_say_does_not_travel_in_the_clear() {
        for url in ["https://example.org/hook", "http://127.0.0.1:9000/hook", "http://[::1]:9000/"] {
            assert!(read(url).is_ok(), "{url}");
        }
        for url in ["http://example.org/hook", "http://127.0.0.1.example.org/", "ftp://example.org", "example.org"] {
            assert!(read(url).is_err(), "{url}");
        }
        assert!(read("https://user:word@example.org/").is_err(), "secrets do not stand in addresses");
    }

    #[test]
    fn no_secret_is_shown() {
        let read = read("https://example.org/hook").expect("a webhook");
        assert!(!format!("{read:?}").contains("c2VjcmV0"));
        for wrong in [
            "[webhooks.pager]\nsecret = \"whsec_c2VjcmV0\"\nurl = 5\n",
            "[webhooks]\nsecret = \"whsec_c2VjcmV0\"\n",
            "[webhooks.pager]\nsecret = \"whsec_c2VjcmV0\"\nurl = \"https://user:c2VjcmV0@example.org/\"\n",
        ] {
            let told = Webhooks::read(wrong).expect_err("no webhook");
            assert!(!told.contains("c2VjcmV0"), "{told}");
        }
    }
}
