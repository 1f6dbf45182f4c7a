//! Light, dark, or as the system says.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fault::PageFault;

/// The chosen theme. It lives in a cookie, so that the first byte of a page has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All themes, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in the form and in the cookie.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The icon on its button.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "sun",
            Self::Dark => "moon",
        }
    }

    /// Its button's name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System theme",
            Self::Light => "Light theme",
            Self::Dark => "Dark theme",
        }
    }

    /// The value of `data-theme` on the document; none leaves it to the system.
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// The theme of that name; the system's for any other.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }
}

#[cfg(feature = "ssr")]
impl Theme {
    /// The theme that the request's cookie names.
    pub fn of_request() -> Self {
        use axum::http::{header::COOKIE, request::Parts};

        let parts = use_context::<Parts>();
        let cookies =
            parts.iter().flat_map(|parts| parts.headers.get_all(COOKIE)).filter_map(|value| value.to_str().ok());
        let chosen = cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix("theme="));
        chosen.map(Self::named).unwrap_or_default()
    }
}

/// Remembers the theme in the browser for a year; the system's theme is remembered by forgetting.
#[server(prefix = "/fn", endpoint = "set_theme")]
pub async fn set_theme(theme: String) -> Result<(), PageFault> {
    use axum::http::{HeaderValue, header::SET_COOKIE};

    let cookie = match Theme::named(&theme) {
        Theme::System => "theme=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly",
        Theme::Light => "theme=light; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        Theme::Dark => "theme=dark; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
    };
    expect_context::<leptos_axum::ResponseOptions>().append_header(SET_COOKIE, HeaderValue::from_static(cookie));
    Ok(())
}
