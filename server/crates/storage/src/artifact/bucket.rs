//! Artifacts in a bucket that speaks the S3 protocol. An upload becomes visible whole or not at all: the protocol says so.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use millrace_domain::Digest;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt};

use crate::{Result, StorageError};

/// A whole request may take so long; an artifact is at most a few hundred megabytes.
const PATIENCE: Duration = Duration::from_secs(120);

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

/// An object's bytes and tag.
pub(crate) type Object = (Bytes, Option<String>);

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
    pub(crate) async fn object(&self, path: &str, known: Option<&str>, most: u64) -> Result<Option<Option<Object>>> {
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
        let content = self.store.get(&self.below(path)).await.map_err(failed)?.bytes().await.map_err(failed)?;
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
            .timeout(PATIENCE)
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
        let content = answer.bytes().await.map_err(unanswered)?;
        let mut response = HttpResponse::new(HttpResponseBody::from(content));
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
