//! Reading a form with a file and a few fields, in any order.

use std::collections::BTreeMap;

use axum::extract::Multipart;
use millrace_domain::fault::Fault;
use millrace_services::Services;
use millrace_storage::artifact::Draft;

use crate::web::{UPLOAD_PAUSE, guard};

/// The fields that forms with files have.
const FIELDS: [&str; 5] = ["problem", "name", "mode", "dataset", "version"];
/// Most bytes of each.
const MOST_OF_A_FIELD: usize = 1_000;

/// A form with a file.
#[derive(Debug)]
pub struct Upload {
    /// Name of the file as it was given.
    pub file_name: String,
    /// What it holds, on disk.
    pub content: Draft,
    fields: BTreeMap<&'static str, String>,
}

impl Upload {
    /// A field.
    ///
    /// # Errors
    /// 400 naming the field when it is not there.
    pub fn field(&self, name: &str) -> Result<&str, Fault> {
        self.fields.get(name).map(String::as_str).ok_or_else(|| Fault::field(&format!("/{name}"), "is missing"))
    }

    /// Whether the rows come after those that are there (`mode=append`), or in their place (`mode=replace`, and when nothing is said).
    ///
    /// # Errors
    /// 400 when something else is said.
    pub fn appends(&self) -> Result<bool, Fault> {
        match self.fields.get("mode").map(String::as_str) {
            None | Some("replace") => Ok(false),
            Some("append") => Ok(true),
            Some(other) => Err(Fault::field("/mode", format!("is {other:?}; say append or replace"))),
        }
    }
}

/// Reads the form.
///
/// # Errors
/// 400 naming the field that is missing or broken, 413 when the file is too large.
pub async fn read(mut form: Multipart, services: &Services) -> Result<Upload, Fault> {
    let broken = |error: axum::extract::multipart::MultipartError| {
        match error.status().as_u16() {
            413 => Fault { status: 413, ..Fault::field("/file", "the file is larger than 2 GiB") },
            // What was read of the body broke off, or nothing of it came any more.
            500.. => {
                guard::too_slow(&format!("the file broke off, or nothing of it came for {} s", UPLOAD_PAUSE.as_secs()))
            }
            status => Fault { status, ..Fault::field("/file", error.body_text()) },
        }
    };
    let (mut fields, mut file) = (BTreeMap::new(), None);
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let file_name = field.file_name().unwrap_or("upload").to_owned();
            let mut content = services.draft();
            // Whoever sends hears a refusal only when all was sent.
            while let Some(piece) = field.chunk().await.map_err(broken)? {
                content = match content {
                    Ok(draft) => services.add_to_draft(draft, piece).await,
                    refused => refused,
                };
            }
            file = Some((file_name, content));
        } else if let Some(known) = FIELDS.into_iter().find(|known| *known == name) {
            let mut text = Vec::new();
            while let Some(piece) = field.chunk().await.map_err(broken)? {
                text.extend_from_slice(&piece);
                if text.len() > MOST_OF_A_FIELD {
                    return Err(Fault::field(&format!("/{known}"), format!("has more than {MOST_OF_A_FIELD} bytes")));
                }
            }
            let text = String::from_utf8(text);
            fields.insert(known, text.map_err(|_| Fault::field(&format!("/{known}"), "is no UTF-8 text"))?);
        }
    }
    let (file_name, content) = file.ok_or_else(|| Fault::field("/file", "is missing"))?;
    Ok(Upload { file_name, content: content?, fields })
}
