//! Reading an upload's form: `problem`, `name` and `file`, in any order.

use axum::extract::Multipart;
use bytes::Bytes;
use millrace_domain::fault::Fault;

/// An upload.
#[derive(Debug, Default)]
pub struct Upload {
    /// Slug of the problem.
    pub problem: String,
    /// Name of the dataset.
    pub name: String,
    /// Name of the file as it was given.
    pub file_name: String,
    /// Its bytes.
    pub content: Bytes,
}

/// Reads the form.
///
/// # Errors
/// 400 naming the field that is missing or broken, 413 when the file is too large.
pub async fn read(mut form: Multipart) -> Result<Upload, Fault> {
    let broken = |error: axum::extract::multipart::MultipartError| {
        let status = error.status().as_u16();
        let detail = if status == 413 { "the file is larger than 2 GiB".to_owned() } else { error.body_text() };
        Fault { status, ..Fault::field("/file", detail) }
    };
    let (mut problem, mut name, mut file) = (None, None, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("problem") => problem = Some(field.text().await.map_err(broken)?),
            Some("name") => name = Some(field.text().await.map_err(broken)?),
            Some("file") => {
                let file_name = field.file_name().unwrap_or("upload").to_owned();
                file = Some((file_name, field.bytes().await.map_err(broken)?));
            }
            _ => {}
        }
    }
    let missing = |name: &str| Fault::field(&format!("/{name}"), "is missing");
    let (file_name, content) = file.ok_or_else(|| missing("file"))?;
    Ok(Upload {
        problem: problem.ok_or_else(|| missing("problem"))?,
        name: name.ok_or_else(|| missing("name"))?,
        file_name,
        content,
    })
}
