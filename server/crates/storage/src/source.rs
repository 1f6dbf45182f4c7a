//! Reading what feeds datasets: directories, https, buckets and Postgres, each at a place that whoever runs the server named.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use millrace_domain::Digest;
use millrace_domain::ids::{DatasetVersionId, ProblemId};
use millrace_domain::problem::{Source, SourceRead};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{ConnectOptions, Connection as _};

use crate::artifact::{ArtifactStore, Bucket, Draft};
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// Larger files are refused, as at the door for uploads.
const MOST_BYTES: u64 = 2 << 30;
/// A whole answer may take so long.
const PATIENCE: Duration = Duration::from_secs(300);
/// A file that was written to so recently may not be whole yet.
const SETTLED: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

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

fn wrong(reason: impl Into<String>) -> SourceError {
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

    /// Looks at a source; `known` is the fingerprint of what was found last.
    ///
    /// # Errors
    /// When the connection is not set, or cannot be read.
    pub async fn look(
        &self,
        source: &Source,
        known: Option<&str>,
        now: DateTime<Utc>,
        artifacts: &ArtifactStore,
    ) -> Result<Found, SourceError> {
        let Source { connection, read, append, .. } = source;
        let place = self.0.get(connection).ok_or_else(|| {
            wrong(format!(
                "the server has no connection {connection:?}; whoever runs it names them in MILLRACE_SOURCES"
            ))
        })?;
        let found = match (place, read) {
            (Place::Directory(root), SourceRead::Path(path)) => {
                directory(root, path, Wanted { known, append: *append }, now, artifacts).await
            }
            (Place::Web(base), SourceRead::Path(path)) => web(base, path, known, artifacts).await,
            (Place::Bucket { url, settings }, SourceRead::Path(path)) => {
                bucket(url, settings, path, Wanted { known, append: *append }, artifacts).await
            }
            (Place::Postgres(url), SourceRead::Query(query)) => postgres(url, query, known, artifacts).await,
            (Place::Postgres(_), SourceRead::Path(_)) => Err(wrong("a database is read by a query, not by a path")),
            (_, SourceRead::Query(_)) => Err(wrong("only a database is read by a query; say a path")),
        }?;
        match found {
            Found::Content { content, .. } if content.bytes() == 0 => Err(wrong("it is empty: 0 bytes, no rows")),
            found => Ok(found),
        }
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
        let loopback = literal(&url).is_some_and(|ip| ip.is_loopback());
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

/// The address that a URL names by number.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// By which a file that is appended is known.
pub fn fingerprint_of(name: &str) -> String {
    format!("file {name}")
}

/// What is wanted of several files.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The fingerprint of what was found last.
    known: Option<&'a str>,
    /// Whether each is wanted, one after the other.
    append: bool,
}

impl Wanted<'_> {
    /// The name that is wanted among `names`: the last, or the next after the one that was found last.
    fn among(self, names: Vec<String>) -> Option<String> {
        match (self.append, self.known.and_then(|known| known.strip_prefix("file "))) {
            (false, _) => names.into_iter().max(),
            (true, None) => names.into_iter().min(),
            (true, Some(last)) => names.into_iter().filter(|name| name.as_str() > last).min(),
        }
    }

    /// The fingerprint of a file of that name, of which `else` tells the content where it may change.
    fn fingerprint(self, name: &str, otherwise: impl FnOnce() -> String) -> String {
        if self.append { fingerprint_of(name) } else { otherwise() }
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

async fn directory(
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
    let fingerprint =
        wanted.fingerprint(&name, || format!("{name} {} {}", about.len(), modified.timestamp_nanos_opt().unwrap_or(0)));
    let age = now - modified;
    // A time in the future is that of another clock, and says nothing.
    let still_written = age < SETTLED && age > -SETTLED;
    if wanted.known == Some(fingerprint.as_str()) || still_written {
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

async fn web(base: &Url, path: &str, known: Option<&str>, artifacts: &ArtifactStore) -> Result<Found, SourceError> {
    if path.contains('*') {
        return Err(wrong("a file of the web is named whole; * works in directories and buckets"));
    }
    let url = base.join(path).map_err(|_| wrong(format!("{path} is no path of an address")))?;
    if url.host_str() != base.host_str() || !url.path().starts_with(base.path()) {
        return Err(wrong(format!("{path} leads away from the connection's address")));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(PATIENCE);
    if literal(&url).is_none() {
        // Looked up once, judged, and connected to: the name cannot lead elsewhere in between.
        let port = url.port_or_known_default().unwrap_or(443);
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|_| wrong(format!("{host} is not known")))?.collect();
        if let Some(inner) = addresses.iter().find(|address| !is_public(address.ip())) {
            return Err(wrong(format!("{host} leads to {}, which is not a public address", inner.ip())));
        }
        client = client.resolve_to_addrs(&host, &addresses);
    }
    let client = client.build().map_err(|_| wrong("the HTTP client cannot be made"))?;
    let mut request = client.get(url);
    if let Some(tag) = known.and_then(|known| known.strip_prefix("etag ")) {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let unanswered = |error: reqwest::Error| {
        let why = if error.is_timeout() { "takes too long" } else { "cannot be reached" };
        wrong(format!("{host} {why}"))
    };
    let answer = request.send().await.map_err(unanswered)?;
    match answer.status().as_u16() {
        200 => {}
        304 => return Ok(Found::Nothing),
        301..=308 => return Err(wrong(format!("{host} sends on to another address; name that one instead"))),
        status => return Err(wrong(format!("{host} answers {status}"))),
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        return Err(wrong(format!("{host} answers with a page for people, not with data")));
    }
    let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(|tag| format!("etag {tag}"));
    too_large(answer.content_length().unwrap_or(0))?;
    let mut content = artifacts.draft().map_err(unkept)?;
    let mut stream = answer.bytes_stream();
    while let Some(piece) = stream.try_next().await.map_err(unanswered)? {
        too_large(content.bytes() + piece.len() as u64)?;
        content = content.take(piece).await.map_err(unkept)?;
    }
    let file_name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(by_digest(file_name, content, tag, known))
}

/// Content known by its tag, or by what it holds.
fn by_digest(file_name: String, content: Draft, tag: Option<String>, known: Option<&str>) -> Found {
    let fingerprint = tag.unwrap_or_else(|| content.digest().to_string());
    if known == Some(fingerprint.as_str()) {
        return Found::Nothing;
    }
    Found::Content { file_name, content, fingerprint }
}

/// Whether an address is one of the open network: not of this host, of a private network or of a cloud's metadata.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(ip) => {
            if let Some(inner) = ip.to_ipv4() {
                return is_public(IpAddr::V4(inner));
            }
            let [first, second, ..] = ip.segments();
            // Only global unicast, and of it neither documentation nor what wraps an older address.
            (0x2000..0x4000).contains(&first)
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && first != 0x2002
        }
    }
}

async fn bucket(
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
    let object = bucket.object(&name, wanted.known, MOST_BYTES, || artifacts.draft()).await.map_err(failed)?;
    let (content, tag) = match object {
        None => return Err(wrong(format!("there is no object {name}"))),
        Some(None) => return Ok(Found::Nothing),
        Some(Some(found)) => found,
    };
    let file_name = name.rsplit('/').next().unwrap_or(&name).to_owned();
    let tag = if wanted.append { Some(wanted.fingerprint(&file_name, String::new)) } else { tag };
    Ok(by_digest(file_name, content, tag, wanted.known))
}

async fn postgres(
    url: &str,
    query: &str,
    known: Option<&str>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    let failed = |error: sea_orm::sqlx::Error| match error {
        sea_orm::sqlx::Error::Database(error) => wrong(format!("the database says: {}", error.message())),
        _ => wrong("the database cannot be reached"),
    };
    let options: PgConnectOptions = url.parse().map_err(|_| wrong("the connection's address is not understood"))?;
    let options = options
        .options([("default_transaction_read_only", "on"), ("statement_timeout", "300000")])
        .disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let statement = format!("copy ({query}) to stdout with (format csv, header)");
    let mut content = artifacts.draft().map_err(unkept)?;
    {
        let mut rows = connection.copy_out_raw(&statement).await.map_err(failed)?;
        while let Some(piece) = rows.try_next().await.map_err(failed)? {
            too_large(content.bytes() + piece.len() as u64)?;
            content = content.take(piece).await.map_err(unkept)?;
        }
    }
    // The rows are here; how the connection ends no longer matters.
    let _ = connection.close().await;
    Ok(by_digest("query.csv".to_owned(), content, None, known))
}

fn unkept(error: crate::StorageError) -> SourceError {
    tracing::warn!(%error, "what a source gave cannot be kept");
    wrong("the server cannot keep it: its disk is full or does not answer")
}

fn too_large(bytes: u64) -> Result<(), SourceError> {
    if bytes > MOST_BYTES { Err(wrong("it is larger than 2 GiB")) } else { Ok(()) }
}

/// How a source stands.
#[derive(Debug, Clone)]
pub struct Look {
    /// The dataset that it feeds.
    pub dataset: String,
    /// When it is looked at next.
    pub next_at: DateTime<Utc>,
    /// When it was looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// By which the last content is known again.
    pub fingerprint: Option<String>,
    /// Why the last look came to nothing, if it did.
    pub error: Option<String>,
    /// The version that was loaded last.
    pub loaded: Option<i64>,
}

impl Record for Look {
    fn read(row: &Row) -> crate::Result<Self> {
        Ok(Self {
            dataset: row.get("dataset_name")?,
            next_at: row.get("next_at")?,
            looked_at: row.get("looked_at")?,
            fingerprint: row.get("fingerprint")?,
            error: row.get("error")?,
            loaded: row.get("dataset_version_id")?,
        })
    }
}

/// Takes the next look at a source, if it is due: nobody else takes it then. A source that reads on changed terms is due at
/// once, and nothing of it is known.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    terms: &Digest,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> crate::Result<Option<Look>> {
    const ENSURE: &str = "insert into source_look (problem_id, dataset_name, terms, next_at) values ($1, $2, $3, $4)
        on conflict (problem_id, dataset_name) do update
            set terms = excluded.terms, next_at = excluded.next_at, fingerprint = null, error = null
            where source_look.terms <> excluded.terms";
    record::execute(db, ENSURE, values![problem.0, dataset, record::bytes(terms), now]).await?;
    const TAKE: &str =
        "update source_look set next_at = $4 where problem_id = $1 and dataset_name = $2 and next_at <= $3
        returning *";
    record::optional(db, TAKE, values![problem.0, dataset, now, next_at]).await
}

/// Records how a look ended.
///
/// # Errors
/// When the database fails.
pub async fn looked(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    now: DateTime<Utc>,
    ended: Result<Option<(&str, DatasetVersionId)>, &str>,
) -> crate::Result<()> {
    const NOTHING: &str =
        "update source_look set looked_at = $3, error = $4 where problem_id = $1 and dataset_name = $2";
    const LOADED: &str =
        "update source_look set looked_at = $3, error = null, fingerprint = $4, dataset_version_id = $5
        where problem_id = $1 and dataset_name = $2";
    match ended {
        Ok(Some((fingerprint, version))) => {
            record::execute(db, LOADED, values![problem.0, dataset, now, fingerprint, version.0]).await?
        }
        Ok(None) => record::execute(db, NOTHING, values![problem.0, dataset, now, None::<String>]).await?,
        Err(error) => record::execute(db, NOTHING, values![problem.0, dataset, now, Some(error.to_owned())]).await?,
    };
    Ok(())
}

/// Has a source looked at again at that time.
///
/// # Errors
/// When the database fails.
pub async fn look_again(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    at: DateTime<Utc>,
) -> crate::Result<()> {
    const SQL: &str = "update source_look set next_at = least(next_at, $3) where problem_id = $1 and dataset_name = $2";
    record::execute(db, SQL, values![problem.0, dataset, at]).await.map(|_| ())
}

/// How the sources of a problem stand.
///
/// # Errors
/// When the database fails.
pub async fn looks(db: &impl Connection, problem: ProblemId) -> crate::Result<Vec<Look>> {
    record::all(db, "select * from source_look where problem_id = $1 order by dataset_name", values![problem.0]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn artifacts() -> (tempfile::TempDir, ArtifactStore) {
        let folder = tempfile::tempdir().unwrap();
        let place = crate::artifact::ArtifactPlace::Directory(folder.path().to_owned());
        let store = ArtifactStore::open(place).await.unwrap();
        (folder, store)
    }

    fn newest(known: Option<&str>) -> Wanted<'_> {
        Wanted { known, append: false }
    }

    /// Long after anything was written.
    fn later() -> DateTime<Utc> {
        "2100-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn h1_a_place_is_https_or_a_loopback_address_written_as_such() {
        let read = |address: &str| Place::read(address, &[]).is_ok();
        assert!(read("https://data.example.org/in") && read("http://127.0.0.1:9000/") && read("/data/in"));
        assert!(!read("http://data.example.org/") && !read("http://localhost/") && !read("ftp://a/") && !read("data"));
    }

    #[test]
    fn h2_addresses_inside_are_not_public() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["1.1.1.1", "93.184.215.14", "2606:4700::1111"] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }

    #[tokio::test]
    async fn h2_a_name_that_leads_inside_is_refused() {
        let (_folder, artifacts) = artifacts().await;
        let base = Url::parse("https://localhost/data/").unwrap();
        let error = web(&base, "a.csv", None, &artifacts).await.unwrap_err();
        assert!(error.to_string().contains("not a public address"), "{error}");
    }

    #[tokio::test]
    async fn a_link_out_of_the_directory_is_not_followed() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), inside.path().join("x.csv")).unwrap();
        let (_folder, artifacts) = artifacts().await;
        let error = directory(inside.path(), "x.csv", newest(None), later(), &artifacts).await.unwrap_err();
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
            directory(folder.path(), "day-*.csv", newest(None), later(), &artifacts).await.unwrap()
        else {
            panic!("there is content")
        };
        assert_eq!((file_name.as_str(), content.digest()), ("day-02.csv", Digest::of("a\n2\n")));
        assert!(matches!(
            directory(folder.path(), "day-*.csv", newest(Some(&fingerprint)), later(), &artifacts).await.unwrap(),
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
            let wanted = Wanted { known: known.as_deref(), append: true };
            directory(folder.path(), "day-*.csv", wanted, later(), &artifacts).await.unwrap()
        } {
            names.push(file_name);
            known = Some(fingerprint);
        }
        assert_eq!(names, ["day-01.csv", "day-02.csv", "day-10.csv"]);
    }

    #[test]
    fn secrets_of_places_are_not_printed() {
        let places = Places::read(&["w=postgres://u:secret@127.0.0.1/d".to_owned()], &[]).unwrap();
        assert!(!format!("{places:?}").contains("secret"));
    }
}
