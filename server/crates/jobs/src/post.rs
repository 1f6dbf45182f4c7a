//! The post: takes letters out of the outbox and sends them, by SMTP or, where none is configured, into a directory.
//!
//! A letter is claimed under a lease and keeps its Message-ID however often it is tried. A failure that may pass is tried again
//! after a growing pause for three days; one that will not (no such mailbox) is final at once and shown to admins, unless the
//! server lets us in no more at all. Between the
//! server's acceptance and our note of it a crash or a standstill can make a letter go out twice, with the same Message-ID (RFC 1047).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use millrace_domain::Digest;
use millrace_domain::heartbeat::Heart;
use millrace_services::{Outgoing, Services};
use millrace_storage::StorageError;
use millrace_storage::mail::{self, Mail};
use tokio_util::sync::CancellationToken;

use crate::outbox::{self, Outbox, attempted};
use crate::picture::{PNG, png};

/// Where the outbox says that something is in it.
const ANNOUNCED: &str = "millrace_mail";
/// A sender that dies lets go of its letter so long after the longest conversation, and the look that may follow it.
const LEASE: TimeDelta = TimeDelta::minutes(1);
/// What it takes besides conversations takes no longer: where it does, others get their turn before the lease of its letter ends.
const BESIDES: Duration = Duration::from_secs(30);
/// The longest pause between two attempts, so that a server that comes back gets everything within minutes.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(4);
/// A letter that could not be sent for so long is given up.
const GIVE_UP: TimeDelta = TimeDelta::days(3);

/// Where letters go.
#[derive(Debug, Clone)]
pub struct PostSettings {
    /// `smtp://…` or `smtps://…`; into the directory when absent.
    pub smtp_url: Option<String>,
    /// Whom letters come from.
    pub from: String,
    /// Directory for letters where there is no mail server.
    pub directory: PathBuf,
    /// The longest conversation with the mail server. It waits for nothing else meanwhile, and goes on with the next letter after.
    pub patience: Duration,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PostSettingsError(String);

enum Route {
    Smtp { url: String, transport: Mutex<AsyncSmtpTransport<Tokio1Executor>> },
    Directory(PathBuf),
}

/// Why a letter did not go out.
struct Undelivered {
    reason: String,
    is_final: bool,
}

/// The sender.
pub struct Post {
    services: Services,
    from: Mailbox,
    route: Route,
    patience: Duration,
}

impl Post {
    /// A sender for these settings.
    ///
    /// # Errors
    /// When an address is not understood, or a password would travel in the clear.
    pub fn new(services: Services, settings: &PostSettings) -> Result<Self, PostSettingsError> {
        let from = settings.from.parse().map_err(|error| {
            PostSettingsError(format!("MILLRACE_MAIL_FROM {:?} is no mailbox: {error}", settings.from))
        })?;
        let route = match &settings.smtp_url {
            None => Route::Directory(settings.directory.clone()),
            Some(url) => Route::Smtp { url: url.clone(), transport: Mutex::new(transport(url, settings.patience)?) },
        };
        Ok(Self { services, from, route, patience: settings.patience })
    }

    /// Sends letters until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        if let Route::Directory(directory) = &self.route {
            tracing::info!("no mail server is set: letters are written to {}", directory.display());
        }
        outbox::empty(&self, &self.services, Some(Heart::Letters), ANNOUNCED, &shutdown).await;
    }

    /// Sends in the stead of whoever is there to, while those stand still on every server: until told to stop.
    pub async fn stand_in(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(outbox::LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            while !shutdown.is_cancelled() {
                let sent = async { Ok(self.is_needed().await && self.send_one().await?) };
                if !self.within(sent).await.unwrap_or_else(|error| outbox::unread(&error, ANNOUNCED)) {
                    break;
                }
            }
        }
    }

    async fn is_needed(&self) -> bool {
        self.services.stands_still(Heart::Letters).await.unwrap_or_else(|error| {
            tracing::warn!(detail = error.detail, "it could not be looked whether letters are sent");
            false
        })
    }

    /// What comes of work that takes no longer than a letter may.
    async fn within<T>(&self, work: impl Future<Output = Result<T, StorageError>> + Send) -> Result<T, StorageError> {
        let longest = self.patience * 2 + BESIDES;
        tokio::time::timeout(longest, work).await.unwrap_or_else(|_| Err(StorageError::given_up(longest)))
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.patience * 2).unwrap_or(LEASE) + LEASE
    }

    fn now(&self) -> DateTime<Utc> {
        self.services.surroundings().now()
    }

    async fn deliver(&self, letter: &Mail) -> Result<(), Undelivered> {
        let message = self.message(letter, drawn(letter).await)?;
        match &self.route {
            Route::Smtp { url, transport: kept } => {
                let used = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // The transport's own patience ends with the connection's beginning.
                match tokio::time::timeout(self.patience, used.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => {
                        let is_final = error.is_permanent() && !is_about_us(&error) && self.is_let_in(&used).await;
                        Err(Undelivered { is_final, reason: error.to_string() })
                    }
                    Err(_) => {
                        // What the server says late would be taken for what it says of the next letter: no connection is used again.
                        if let Ok(fresh) = transport(url, self.patience) {
                            *kept.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
                        }
                        let reason =
                            format!("the mail server did not come to an end within {} s", self.patience.as_secs_f64());
                        Err(Undelivered { is_final: false, reason })
                    }
                }
            }
            Route::Directory(directory) => keep(directory, letter, &message.formatted()).await.map_err(|error| {
                Undelivered { reason: format!("{} cannot be written: {error}", directory.display()), is_final: false }
            }),
        }
    }

    /// Whether the mail server has anything to do with us. Where it has not (no encryption, another password), what it refused was
    /// not the letter.
    async fn is_let_in(&self, used: &AsyncSmtpTransport<Tokio1Executor>) -> bool {
        tokio::time::timeout(self.patience, used.test_connection()).await.is_ok_and(|tested| tested.unwrap_or(false))
    }

    fn message(&self, letter: &Mail, picture: Option<Vec<u8>>) -> Result<Message, Undelivered> {
        let hopeless = |reason: String| Undelivered { reason, is_final: true };
        let Outgoing { text, html, leave } = self
            .services
            .letter_to_send(letter)
            .ok_or_else(|| hopeless("its link was sealed under another key than this server's".to_owned()))?;
        let to: Mailbox =
            letter.recipient.parse().map_err(|error| hopeless(format!("its address is none: {error}")))?;
        let part = |kind, body| SinglePart::builder().header(kind).body(body);
        let boundary = |name: &str| format!("{name}-{}", Digest::of(&letter.message_id).short());
        let parts = MultiPart::alternative().boundary(boundary("part")).singlepart(part(ContentType::TEXT_PLAIN, text));
        let html = part(ContentType::TEXT_HTML, html);
        let parts = match picture {
            None => parts.singlepart(html),
            Some(picture) => {
                let picture = Attachment::new_inline("chart".to_owned()).body(picture, PNG.clone());
                parts.multipart(MultiPart::related().boundary(boundary("seen")).singlepart(html).singlepart(picture))
            }
        };
        let mut message = Message::builder();
        if let Some(link) = leave {
            message = message.header(Leave(link)).header(LeaveAtOnce);
        }
        if let Some(thread) = letter.thread.as_ref().map(|thread| format!("<{thread}>")) {
            message = message.references(thread.clone()).in_reply_to(thread);
        }
        message
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .date(letter.created_at.into())
            .message_id(Some(format!("<{}>", letter.message_id)))
            .header(AutoSubmitted)
            .multipart(parts)
            .map_err(|error| hopeless(format!("it could not be put together: {error}")))
    }
}

impl Outbox for Post {
    async fn send_next(&self) -> Result<bool, StorageError> {
        self.within(self.send_one()).await
    }
}

impl Post {
    async fn send_one(&self) -> Result<bool, StorageError> {
        let pool = self.services.db().pool();
        let Some(letter) = mail::claim(pool, self.now(), self.lease()).await? else { return Ok(false) };
        let failed = |reason| Undelivered { reason, is_final: false };
        match attempted(self.deliver(&letter), failed).await {
            Ok(()) => mail::sent(pool, &letter, self.now()).await?,
            Err(Undelivered { reason, is_final }) => {
                let old = letter.created_at + GIVE_UP < self.now();
                let again = (!is_final && !old).then(|| self.now() + pause(letter.attempt));
                tracing::warn!(letter = letter.id, %reason, tried_again = again.is_some(), "a letter was not sent");
                metrics::counter!("millrace_mail_failures_total").increment(1);
                mail::failed(pool, &letter, &reason, again).await?;
            }
        }
        Ok(true)
    }
}

/// RFC 3834: out-of-office replies are not sent to it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// RFC 2369 and RFC 8058: where one POST takes the reader off what the letter is about.
#[derive(Clone)]
struct Leave(String);

impl Header for Leave {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.trim_matches(['<', '>']).to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

#[derive(Clone)]
struct LeaveAtOnce;

impl Header for LeaveAtOnce {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

fn transport(url: &str, patience: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, PostSettingsError> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (credentials, host) = authority.rsplit_once('@').map_or((None, authority), |(who, host)| (Some(who), host));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let stays_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let is_encrypted = url.split_once('?').is_some_and(|(_, query)| query == "tls=required");
    if credentials.is_some() && scheme == "smtp" && !is_encrypted && !stays_here {
        return Err(PostSettingsError(format!(
            "MILLRACE_SMTP_URL would send its password in the clear to {name}: write smtps://…, or smtp://…?tls=required"
        )));
    }
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| {
        PostSettingsError(format!("MILLRACE_SMTP_URL is not like smtps://user:password@mail.example.org: {error}"))
    })?;
    Ok(builder.timeout(Some(patience)).build())
}

/// The picture of a letter, if it has one. What cannot be drawn keeps no letter back: its words say the same.
async fn drawn(letter: &Mail) -> Option<Vec<u8>> {
    let svg = letter.chart.clone()?;
    let drawn = tokio::task::spawn_blocking(move || png(&svg)).await.unwrap_or_else(|panic| Err(panic.to_string()));
    drawn.inspect_err(|reason| tracing::warn!(letter = letter.id, reason, "a letter goes out without its picture")).ok()
}

/// Whether it wants a password, another one, or encryption (RFC 4954, RFC 3207), wherever in the conversation it says so.
fn is_about_us(error: &smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// Half a minute, then twice as long each time, up to four minutes.
pub(crate) fn pause(attempt: i32) -> TimeDelta {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(10);
    LONGEST_PAUSE.min(TimeDelta::seconds(30 << doublings))
}

/// Writes a letter whole or not at all. It may hold a one-time link: only this account reads it.
async fn keep(directory: &std::path::Path, letter: &Mail, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    tokio::fs::create_dir_all(directory).await?;
    let path = directory.join(format!("{:08}-{}.eml", letter.id, letter.kind));
    let draft = path.with_extension("draft");
    tokio::fs::write(&draft, content).await?;
    tokio::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600)).await?;
    tokio::fs::rename(&draft, &path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_never_travels_in_the_clear() {
        for url in [
            "smtp://user:pass@mail.example.org",
            "smtp://user:pass@mail.example.org:25?tls=opportunistic",
            "smtp://user:tls=required@mail.example.org",
            "smtp://user:pass@mail.example.org?tls=opportunistic&tls=required",
        ] {
            assert!(
                transport(url, Duration::from_secs(1)).is_err_and(|error| error.to_string().contains("in the clear")),
                "{url}"
            );
        }
        for url in ["smtps://user:pass@mail.example.org", "smtp://user:pass@mail.example.org?tls=required"] {
            assert!(transport(url, Duration::from_secs(1)).is_ok(), "{url}");
        }
        assert!(transport("smtp://localhost:2525", Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn pauses_grow_to_four_minutes() {
        let seconds: Vec<i64> = (1..7).map(|attempt| pause(attempt).num_seconds()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 240, 240]);
    }
}
