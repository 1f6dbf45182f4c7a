//! Places that documents may read from: directories, https, buckets and Postgres, each named by whoever runs the server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::problem::{BusinessRead, Source, SourceRead};
use reqwest::Url;

use super::files::{self, Wanted};
use super::{query, web};
use crate::artifact::{ArtifactStore, Draft};

/// Larger files are refused, as at the door for uploads.
pub(super) const MOST_BYTES: u64 = 2 << 30;

/// A place that documents may read from.
#[derive(Clone)]
pub enum Place {
    /// A directory of this host.
    Directory(PathBuf),
    /// Files below an address. Only https, or http to a loopback address that is written as such.
    Web(Url),
    /// A bucket that speaks the S3 protocol, `s3://bucket/prefix`.
    Bucket {
        /// Its address.
        url: String,
        /// Region, endpoint and credentials under the names of AWS' environment variables.
        settings: Vec<(String, String)>,
    },
    /// A Postgres database, read in a read-only transaction.
    Postgres(String),
}

/// Places by name.
#[derive(Clone, Default)]
pub struct Places(BTreeMap<String, Place>);

/// What a look found.
#[derive(Debug)]
pub enum Found {
    /// The same as before, or not whole yet.
    Nothing,
    /// New content.
    Content {
        /// Name of the file.
        file_name: String,
        /// What it holds.
        content: Draft,
        /// By which the same content is known again.
        fingerprint: String,
    },
}

/// Why a source cannot be read, in words for people. It never holds what the other side answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(String);

pub(super) fn wrong(reason: impl Into<String>) -> SourceError {
    SourceError(reason.into())
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Places {
    /// Reads `name=address` settings.
    ///
    /// # Errors
    /// With the setting that is not understood.
    pub fn read(settings: &[String], bucket: &[(String, String)]) -> Result<Self, SourceError> {
        let mut places = BTreeMap::new();
        for setting in settings {
            let (name, address) = setting
                .split_once('=')
                .ok_or_else(|| wrong("a source is set as name=address, for example landing=/data/in"))?;
            let place = Place::read(address, bucket).map_err(|error| wrong(format!("source {name:?}: {error}")))?;
            places.insert(name.trim().to_owned(), place);
        }
        Ok(Self(places))
    }

    /// The names of the places.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Looks at a source for what is wanted of it.
    ///
    /// # Errors
    /// When the connection is not set, or cannot be read.
    pub async fn look(
        &self,
        source: &Source,
        wanted: Wanted<'_>,
        now: DateTime<Utc>,
        artifacts: &ArtifactStore,
    ) -> Result<Found, SourceError> {
        let Source { connection, read, .. } = source;
        let found = match (self.find(connection)?, read) {
            (Place::Directory(root), SourceRead::Path(path)) => {
                files::directory(root, path, wanted, now, artifacts).await
            }
            (Place::Web(base), SourceRead::Path(path)) => web::fetch(base, path, wanted, artifacts).await,
            (Place::Bucket { url, settings }, SourceRead::Path(path)) => {
                files::bucket(url, settings, path, wanted, artifacts).await
            }
            (Place::Postgres(url), SourceRead::Query(query)) => query::run(url, query, wanted, artifacts).await,
            (Place::Postgres(_), SourceRead::Path(_)) => Err(wrong("a database is read by a query, not by a path")),
            (_, SourceRead::Query(_)) => Err(wrong("only a database is read by a query; say a path")),
        }?;
        match found {
            Found::Content { content, .. } if content.bytes() == 0 => Err(wrong("it is empty: 0 bytes, no rows")),
            found => Ok(found),
        }
    }

    /// The means of a business metric in stretches of time, and of how many values; none of stretches without any.
    ///
    /// # Errors
    /// When the connection is not set, is no database, or cannot be read within that time.
    pub async fn means(
        &self,
        asked: &BusinessRead,
        stretches: &[(DateTime<Utc>, DateTime<Utc>)],
        longest: Duration,
    ) -> Result<Vec<Option<(f64, u64)>>, SourceError> {
        match self.find(&asked.connection)? {
            Place::Postgres(url) => query::means(url, &asked.query, stretches, longest).await,
            _ => Err(wrong(format!("{:?} is no database, and only a database is read by a query", asked.connection))),
        }
    }

    fn find(&self, connection: &str) -> Result<&Place, SourceError> {
        self.0.get(connection).ok_or_else(|| {
            wrong(format!(
                "the server has no connection {connection:?}; whoever runs it names them in MILLRACE_SOURCES"
            ))
        })
    }
}

impl SourceError {
    /// Nothing came within that time.
    pub fn late(patience: Duration) -> Self {
        wrong(format!("no answer within {} seconds", patience.as_secs()))
    }
}

impl Place {
    fn read(address: &str, bucket: &[(String, String)]) -> Result<Self, SourceError> {
        if address.starts_with('/') {
            return Ok(Self::Directory(PathBuf::from(address)));
        }
        if address.starts_with("s3://") {
            return Ok(Self::Bucket { url: address.to_owned(), settings: bucket.to_vec() });
        }
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return Ok(Self::Postgres(address.to_owned()));
        }
        let mut url = Url::parse(address)
            .map_err(|_| wrong("is neither an absolute path nor an https, s3 or postgres address"))?;
        let loopback = web::literal(&url).is_some_and(|ip| ip.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(wrong("must be https"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self::Web(url))
    }
}

/// Content known by its tag, or by what it holds.
pub(super) fn by_digest(file_name: String, content: Draft, tag: Option<String>, wanted: Wanted<'_>) -> Found {
    let fingerprint = tag.unwrap_or_else(|| content.digest().to_string());
    if wanted.is_known(&fingerprint) {
        return Found::Nothing;
    }
    Found::Content { file_name, content, fingerprint }
}

pub(super) fn unkept(error: crate::StorageError) -> SourceError {
    tracing::warn!(%error, "what a source gave cannot be kept");
    wrong("the server cannot keep it: its disk is full or does not answer")
}

pub(super) fn too_large(bytes: u64) -> Result<(), SourceError> {
    if bytes > MOST_BYTES { Err(wrong("it is larger than 2 GiB")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_a_place_is_https_or_a_loopback_address_written_as_such() {
        let read = |address: &str| Place::read(address, &[]).is_ok();
        assert!(read("https://data.example.org/in") && read("http://127.0.0.1:9000/") && read("/data/in"));
        assert!(!read("http://data.example.org/") && !read("http://localhost/") && !read("ftp://a/") && !read("data"));
    }

    #[test]
    fn secrets_of_places_are_not_printed() {
        let places = Places::read(&["w=postgres://u:secret@127.0.0.1/d".to_owned()], &[]).unwrap();
        assert!(!format!("{places:?}").contains("secret"));
    }
}
