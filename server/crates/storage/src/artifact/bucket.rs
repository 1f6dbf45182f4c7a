//! Artifacts in a bucket that speaks the S3 protocol. An upload becomes visible whole or not at all: the protocol says so.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use millrace_domain::Digest;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::Draft;
use crate::{Result, StorageError};

/// The other side may be silent for so long, at the beginning and between two pieces.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: String,
}

impl Bucket {
    pub(crate) fn open(url: &str, settings: &[(String, String)]) -> Result<Self> {
        let (bucket, prefix) = parts(url).ok_or_else(|| {
            refused(format!("{url:?} is not the address of a bucket; it reads s3://bucket or s3://bucket/prefix"))
        })?;
        let mut builder = AmazonS3Builder::new().with_http_connector(Connector).with_bucket_name(bucket);
        for (name, value) in settings {
            let key =
                name.to_ascii_lowercase().parse().map_err(|_| refused(format!("{name} is no setting of a bucket")))?;
            builder = builder.with_config(key, value);
        }
        let store = builder.build().map_err(|error| refused(format!("the bucket {url} cannot be used: {error}")))?;
        Ok(Self { store, prefix: prefix.to_owned() })
    }

    fn path(&self, digest: &Digest) -> Path {
        let (first, rest) = super::name(digest);
        Path::from(format!("{}/{first}/{rest}", self.prefix))
    }

    pub(super) async fn write(&self, digest: &Digest, content: Bytes) -> Result<()> {
        self.store.put(&self.path(digest), content.into()).await.map(|_| ()).map_err(failed)
    }

    pub(super) async fn read(&self, digest: &Digest) -> Result<Option<Bytes>> {
        match self.store.get(&self.path(digest)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Larger files are sent in parts.
const PART: usize = 16 << 20;
/// Parts that are under way at the same time.
const AT_ONCE: usize = 2;

impl Bucket {
    /// Sends a file, a few parts at a time; it becomes visible whole.
    pub(super) async fn write_file(&self, digest: &Digest, file: std::fs::File) -> Result<()> {
        let mut file = tokio::fs::File::from_std(file);
        let first = part(&mut file).await?;
        if first.len() < PART {
            return self.write(digest, first).await;
        }
        let upload = self.store.put_multipart(&self.path(digest)).await.map_err(failed)?;
        let mut sending = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut next = first;
        while !next.is_empty() {
            let room = sending.wait_for_capacity(AT_ONCE).await.map_err(failed);
            sending.put(next);
            next = match (room, part(&mut file).await) {
                (Ok(()), Ok(next)) => next,
                (room, next) => {
                    // Parts that are never put together would stay in the bucket, unseen; whoever cannot be told that stays silent.
                    let _ = sending.abort().await;
                    return room.and(next.map(|_| ()).map_err(StorageError::from));
                }
            };
        }
        sending.finish().await.map(|_| ()).map_err(failed)
    }

    /// Fetches an artifact into a file of this host.
    pub(super) async fn fetch(
        &self,
        digest: &Digest,
        scratch: impl FnOnce() -> io::Result<std::fs::File>,
    ) -> Result<Option<std::fs::File>> {
        let found = match self.store.get(&self.path(digest)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut file = tokio::fs::File::from_std(scratch()?);
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        file.rewind().await?;
        Ok(Some(file.into_std().await))
    }
}

/// The next part of a file; empty at its end.
async fn part(file: &mut tokio::fs::File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(PART as u64).read_to_end(&mut bytes).await?;
    Ok(bytes.into())
}

/// An object as a draft, with its tag.
pub(crate) type Object = (Draft, Option<String>);

impl Bucket {
    fn below(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.prefix))
    }

    /// The names of the objects in a folder below the prefix.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>> {
        let listed = self.store.list_with_delimiter(Some(&self.below(folder))).await.map_err(failed)?;
        Ok(listed.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect())
    }

    /// An object with its tag; none when there is none, and nothing inside when its tag is the known one.
    pub(crate) async fn object(
        &self,
        path: &str,
        known: Option<&str>,
        most: u64,
        draft: impl FnOnce() -> Result<Draft>,
    ) -> Result<Option<Option<Object>>> {
        let about = match self.store.head(&self.below(path)).await {
            Ok(about) => about,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let tag = about.e_tag.map(|tag| format!("etag {tag}"));
        if tag.is_some() && tag.as_deref() == known {
            return Ok(Some(None));
        }
        if about.size > most {
            return Err(refused(format!("the object {path} is larger than 2 GiB")));
        }
        let mut content = draft()?;
        let mut pieces = self.store.get(&self.below(path)).await.map_err(failed)?.into_stream();
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            content = content.take(piece).await?;
        }
        Ok(Some(Some((content, tag))))
    }
}

/// Bucket and prefix of `s3://bucket/prefix`.
fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, prefix.trim_matches('/')))
}

fn refused(reason: String) -> StorageError {
    StorageError::Artifact(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn failed(error: Error) -> StorageError {
    StorageError::Artifact(io::Error::other(error))
}

/// The library's requests go through the HTTP client that the rest of the program uses: one client, one TLS.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(Requests(client)))
    }
}

#[derive(Debug)]
struct Requests(reqwest::Client);

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let sent = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
        let answer = sent.await.map_err(unanswered)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let pieces = answer.bytes_stream().map_ok(Frame::data).map_err(unanswered);
        let mut response = HttpResponse::new(HttpResponseBody::new(StreamBody::new(pieces)));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Tells the library whether trying again makes sense.
fn unanswered(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_request() => HttpErrorKind::Request,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn an_address_names_bucket_and_prefix() {
        assert_eq!(parts("s3://models"), Some(("models", "")));
        assert_eq!(parts("s3://models/a/b/"), Some(("models", "a/b")));
        assert_eq!(parts("s3:///a"), None);
        assert_eq!(parts("/var/artifacts"), None);
    }
}
