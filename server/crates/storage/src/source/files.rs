//! Files of a directory and objects of a bucket.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::place::{Found, MOST_BYTES, SourceError, by_digest, too_large, unkept, wrong};
use crate::artifact::{ArtifactStore, Bucket};

/// A file that was written to so recently may not be whole yet.
const SETTLED: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// What is wanted of a source.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// What is newest, of several files the last by name, unless it has this fingerprint.
    Newest {
        /// The fingerprint of what was found last.
        known: Option<&'a str>,
    },
    /// The first file after the one of that name; the first of all when there is none. Files are known by their names then.
    After(Option<&'a str>),
    /// The file of that name or, when it is gone, the first after it.
    From(&'a str),
}

impl Wanted<'_> {
    /// The fingerprint of what is not wanted again.
    pub(super) const fn known(&self) -> Option<&str> {
        match self {
            Self::Newest { known } => *known,
            Self::After(_) | Self::From(_) => None,
        }
    }

    pub(super) fn is_known(&self, fingerprint: &str) -> bool {
        self.known() == Some(fingerprint)
    }

    /// The name that is wanted among `names`.
    fn among(self, names: Vec<String>) -> Option<String> {
        match self {
            Self::Newest { .. } => names.into_iter().max(),
            Self::After(last) => names.into_iter().filter(|name| last.is_none_or(|last| name.as_str() > last)).min(),
            Self::From(first) => names.into_iter().filter(|name| name.as_str() >= first).min(),
        }
    }
}

/// The part of a name before and after its `*`; none when it has none.
fn pattern(path: &str) -> (&str, Option<(&str, &str)>) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (folder, name.split_once('*'))
}

fn fits(name: &str, (begin, end): (&str, &str)) -> bool {
    name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
}

pub(super) async fn directory(
    root: &Path,
    path: &str,
    wanted: Wanted<'_>,
    now: DateTime<Utc>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    let unread = |error: std::io::Error| wrong(format!("{path} cannot be read: {}", error.kind()));
    let root = tokio::fs::canonicalize(root)
        .await
        .map_err(|error| wrong(format!("the connection's directory cannot be read: {}", error.kind())))?;
    let chosen = match pattern(path) {
        (_, None) => root.join(path),
        (folder, Some(parts)) => {
            let mut names = Vec::new();
            let mut entries = tokio::fs::read_dir(root.join(folder)).await.map_err(unread)?;
            while let Some(entry) = entries.next_entry().await.map_err(unread)? {
                names.extend(entry.file_name().into_string().ok().filter(|name| fits(name, parts)));
            }
            if names.is_empty() {
                return Err(wrong(format!("no file fits {path}")));
            }
            let Some(name) = wanted.among(names) else { return Ok(Found::Nothing) };
            root.join(folder).join(name)
        }
    };
    let file = tokio::fs::canonicalize(&chosen).await.map_err(unread)?;
    if !file.starts_with(&root) {
        return Err(wrong(format!("{path} leads out of the connection's directory")));
    }
    let about = tokio::fs::metadata(&file).await.map_err(unread)?;
    if !about.is_file() {
        return Err(wrong(format!("{path} is no file")));
    }
    too_large(about.len())?;
    // Of a link, its own name: by that it was chosen.
    let name = chosen.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let modified: DateTime<Utc> = about.modified().map_err(unread)?.into();
    let fingerprint = match wanted {
        Wanted::Newest { .. } => format!("{name} {} {}", about.len(), modified.timestamp_nanos_opt().unwrap_or(0)),
        Wanted::After(_) | Wanted::From(_) => name.clone(),
    };
    let age = now - modified;
    // A time in the future is that of another clock, and says nothing.
    let still_written = age < SETTLED && age > -SETTLED;
    if wanted.is_known(&fingerprint) || still_written {
        return Ok(Found::Nothing);
    }
    let mut content = artifacts.draft().map_err(unkept)?;
    let copied = tokio::task::spawn_blocking(move || {
        let mut open = std::fs::File::open(&file)?;
        std::io::copy(&mut open, &mut content)?;
        open.metadata().map(|after| (content, after))
    });
    let (content, after) = copied.await.map_err(|_| wrong("it could not be copied"))?.map_err(unread)?;
    // Somebody writes to it: it is looked at again.
    if content.bytes() != about.len() || after.len() != about.len() || after.modified().ok() != about.modified().ok() {
        return Ok(Found::Nothing);
    }
    Ok(Found::Content { file_name: name, content, fingerprint })
}

pub(super) async fn bucket(
    url: &str,
    settings: &[(String, String)],
    path: &str,
    wanted: Wanted<'_>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    let failed = |error: crate::StorageError| {
        tracing::warn!(%error, "a source's bucket failed");
        wrong("the bucket cannot be read")
    };
    let bucket = Bucket::open(url, settings).map_err(failed)?;
    let name = match pattern(path) {
        (_, None) => path.to_owned(),
        (folder, Some(parts)) => {
            let mut names = bucket.names(folder).await.map_err(failed)?;
            names.retain(|name| fits(name, parts));
            if names.is_empty() {
                return Err(wrong(format!("no object fits {path}")));
            }
            let Some(name) = wanted.among(names) else { return Ok(Found::Nothing) };
            if folder.is_empty() { name } else { format!("{folder}/{name}") }
        }
    };
    let object = bucket.object(&name, wanted.known(), MOST_BYTES, || artifacts.draft()).await.map_err(failed)?;
    let (content, tag) = match object {
        None => return Err(wrong(format!("there is no object {name}"))),
        Some(None) => return Ok(Found::Nothing),
        Some(Some(found)) => found,
    };
    let file_name = name.rsplit('/').next().unwrap_or(&name).to_owned();
    let tag = match wanted {
        Wanted::Newest { .. } => tag,
        Wanted::After(_) | Wanted::From(_) => Some(file_name.clone()),
    };
    Ok(by_digest(file_name, content, tag, wanted))
}

#[cfg(test)]
mod tests {
    use millrace_domain::Digest;

    use super::*;
    use crate::artifact::ArtifactPlace;

    async fn artifacts() -> (tempfile::TempDir, ArtifactStore) {
        let folder = tempfile::tempdir().unwrap();
        let place = ArtifactPlace::Directory(folder.path().to_owned());
        let store = ArtifactStore::open(place).await.unwrap();
        (folder, store)
    }

    /// Long after anything was written.
    fn later() -> DateTime<Utc> {
        "2100-01-01T00:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn a_link_out_of_the_directory_is_not_followed() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), inside.path().join("x.csv")).unwrap();
        let (_folder, artifacts) = artifacts().await;
        let error =
            directory(inside.path(), "x.csv", Wanted::Newest { known: None }, later(), &artifacts).await.unwrap_err();
        assert!(error.to_string().contains("leads out"), "{error}");
    }

    #[tokio::test]
    async fn of_several_files_the_last_by_name_is_read_and_an_unchanged_one_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (_kept, artifacts) = artifacts().await;
        for (name, content) in [("day-01.csv", "a\n1\n"), ("day-02.csv", "a\n2\n"), ("note.txt", "x")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let Found::Content { file_name, content, fingerprint } =
            directory(folder.path(), "day-*.csv", Wanted::Newest { known: None }, later(), &artifacts).await.unwrap()
        else {
            panic!("there is content")
        };
        assert_eq!((file_name.as_str(), content.digest()), ("day-02.csv", Digest::of("a\n2\n")));
        assert!(matches!(
            directory(folder.path(), "day-*.csv", Wanted::Newest { known: Some(&fingerprint) }, later(), &artifacts)
                .await
                .unwrap(),
            Found::Nothing
        ));
    }

    #[tokio::test]
    async fn files_that_are_appended_come_one_after_the_other_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let (_kept, artifacts) = artifacts().await;
        for name in ["day-02.csv", "day-10.csv", "day-01.csv"] {
            std::fs::write(folder.path().join(name), "a\n1\n").unwrap();
        }
        let (mut known, mut names) = (None::<String>, Vec::new());
        while let Found::Content { file_name, fingerprint, .. } = {
            let wanted = Wanted::After(known.as_deref());
            directory(folder.path(), "day-*.csv", wanted, later(), &artifacts).await.unwrap()
        } {
            names.push(file_name);
            known = Some(fingerprint);
        }
        assert_eq!(names, ["day-01.csv", "day-02.csv", "day-10.csv"]);
        let again = Wanted::From("day-02.csv");
        let Found::Content { file_name, .. } =
            directory(folder.path(), "day-*.csv", again, later(), &artifacts).await.unwrap()
        else {
            panic!("there is content")
        };
        assert_eq!(file_name, "day-02.csv", "one that was refused is looked for once more");
    }
}
