//! Accounts and what they rest on, letters, and the audit trail.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Permission;

views! {
    /// Who is signed in and what they may do.
    Me {
        /// Account id.
        id: String,
        /// Name.
        name: String,
        /// Mail address.
        email: String,
        /// Role words; `stakeholder:taxi-tips` is a role on one problem.
        roles: Vec<String>,
        /// Whether a role demands a second factor that is not set up yet.
        owes_second_factor: bool,
    }

    /// An account as others see it.
    PersonView {
        /// Id.
        id: String,
        /// Name.
        name: String,
        /// Mail address.
        email: String,
        /// Role words; `stakeholder:taxi-tips` is a role on one problem.
        roles: Vec<String>,
        /// `active`, `invited` or `disabled`.
        state: String,
        /// Whether a second factor is asked for.
        second_factor: bool,
        /// Since when it exists.
        created_at: DateTime<Utc>,
        /// How they sign in elsewhere, if they do.
        elsewhere: Option<ElsewhereView>,
    }

    /// How somebody signs in elsewhere.
    ElsewhereView {
        /// Name of the provider.
        provider: String,
        /// Role words that follow the groups they have there.
        roles: Vec<String>,
    }

    /// People and the role matrix.
    PeopleView {
        /// All accounts.
        people: Vec<PersonView>,
        /// Rows of the role matrix: action in words, and the roles that may do it.
        matrix: Vec<(String, Vec<String>)>,
        /// Slugs of the problems a role can be given on.
        problems: Vec<String>,
        /// Whether the reader has to show the password once more before changing people.
        must_confirm: bool,
        /// Whether the reader may change people.
        may_manage: Permission,
    }

    /// A line of the outgoing mail.
    MailLine {
        /// Id.
        id: String,
        /// What it is about.
        kind: String,
        /// To whom.
        recipient: String,
        /// Its subject.
        subject: String,
        /// `queued`, `sent` or `failed`.
        state: String,
        /// Attempts begun.
        attempt: i32,
        /// Why the last attempt failed.
        last_error: Option<String>,
        /// When it was written.
        created_at: DateTime<Utc>,
        /// When it was accepted.
        sent_at: Option<DateTime<Utc>>,
    }

    /// Outgoing mail, newest first.
    MailListView {
        /// The letters.
        letters: Vec<MailLine>,
        /// Id to go on before; none at the end.
        next: Option<i64>,
        /// Letters of the last day, and messages to webhooks, that failed, or wait although they were tried.
        stuck: i64,
        /// The newest messages to webhooks, newest first.
        webhooks: Vec<WebhookLine>,
    }

    /// A message to a webhook.
    WebhookLine {
        /// The webhook.
        webhook: String,
        /// What it is about.
        kind: String,
        /// `queued`, `sent` or `failed`.
        state: String,
        /// Attempts begun.
        attempt: i32,
        /// Why the last one failed.
        last_error: Option<String>,
        /// When it was written.
        created_at: DateTime<Utc>,
        /// When it was taken.
        sent_at: Option<DateTime<Utc>>,
    }

    /// One letter.
    MailView {
        /// The line.
        line: MailLine,
        /// Its Message-ID.
        message_id: String,
        /// Its text; a one-time link is left out.
        text: String,
        /// When it is tried next.
        next_at: Option<DateTime<Utc>>,
    }

    /// Whose one-time link it is.
    LinkView {
        /// Mail address of the account.
        email: String,
        /// Name of the account.
        name: String,
        /// Whether the link still works; one that has run out can be renewed.
        open: bool,
    }

    /// A second factor that is being set up.
    SecondFactorSetUp {
        /// The secret in base 32, for typing in.
        secret: String,
        /// The same as an `otpauth:` address.
        url: String,
        /// The address as a square code: its size in modules, a blank, and the path of the dark ones.
        picture: String,
    }

    /// An open session of the reader.
    SessionView {
        /// Its number.
        id: String,
        /// Network address it was opened from.
        address: String,
        /// What the browser calls itself.
        agent: String,
        /// Since when.
        created_at: DateTime<Utc>,
        /// Last request, to the minute.
        last_seen_at: DateTime<Utc>,
        /// When it ends at the latest.
        expires_at: DateTime<Utc>,
    }

    /// A token as its owner sees it.
    TokenView {
        /// Id.
        id: String,
        /// What it is for.
        name: String,
        /// First characters.
        prefix: String,
        /// Scope words.
        scopes: Vec<String>,
        /// `active`, `expired` or `revoked`.
        state: String,
        /// Since when.
        created_at: DateTime<Utc>,
        /// Until when.
        expires_at: DateTime<Utc>,
        /// Last use, to the minute.
        last_used_at: Option<DateTime<Utc>>,
    }

    /// The own account.
    AccountView {
        /// Who.
        me: Me,
        /// Tokens.
        tokens: Vec<TokenView>,
        /// Open sessions, newest first.
        sessions: Vec<SessionView>,
        /// Whether the account has a password; it has none when it comes by another sign-in alone.
        has_password: bool,
        /// Since when a second factor is asked for.
        second_factor_since: Option<DateTime<Utc>>,
        /// Recovery codes that are left.
        recovery_codes: u32,
        /// Whether the password has to be shown once more before what the account rests on is changed.
        must_confirm: bool,
        /// Whether the reader may make tokens.
        may_make_tokens: Permission,
    }

    /// A line of the audit trail.
    AuditRow {
        /// Position.
        sequence: i64,
        /// When.
        at: DateTime<Utc>,
        /// Who.
        actor: String,
        /// How they were recognised.
        via: String,
        /// What.
        action: String,
        /// On what.
        object: String,
        /// Digest as seen.
        digest: Option<String>,
        /// `done` or `refused`.
        outcome: String,
        /// Network address it came from.
        address: Option<String>,
        /// Id of the request it came with.
        request: Option<String>,
        /// What else was kept.
        details: Value,
        /// Its hash.
        hash: String,
    }

    /// A page of the audit trail, newest first.
    AuditView {
        /// Rows.
        rows: Vec<AuditRow>,
        /// Sequence to go on before; none at the end.
        next: Option<i64>,
        /// Position and hash of the newest entry of all.
        head: Option<(i64, String)>,
        /// The filter in use.
        filter: AuditFilter,
    }

    /// Which audit rows to list.
    AuditFilter {
        /// Only of this actor.
        actor: Option<String>,
        /// Only actions that begin so.
        action: Option<String>,
        /// Only objects that begin so.
        object: Option<String>,
        /// Only from this day or moment on.
        from: Option<String>,
        /// Only before this day or moment.
        to: Option<String>,
        /// Only before this sequence.
        before: Option<i64>,
    }
}
