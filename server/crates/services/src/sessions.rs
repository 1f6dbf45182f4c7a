//! The own sessions: looking at them and ending them.

use chrono::{DateTime, Duration, Utc};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_domain::view::SessionView;
use millrace_storage::session::{self, NewSession};

use crate::access::Note;
use crate::sign_in::SignedIn;
use crate::{Result, Services, commit, fault};

/// A session that is not used for so long ends.
pub const IDLE: Duration = Duration::hours(12);
/// How long showing the second factor may take.
const SECOND_FACTOR: Duration = Duration::minutes(10);
/// A session ends after so long however it is used.
pub const LONGEST: Duration = Duration::days(7);

impl Services {
    /// Opens the session of somebody who was signed in, under the hash of its id, and ends the one that it takes the place of.
    ///
    /// # Errors
    /// 401 when what it was judged by has ended meanwhile.
    pub async fn open_session(&self, id: &Digest, signed_in: SignedIn, address: &str, agent: &str) -> Result<()> {
        let SignedIn { account, owes_second_factor, generation, in_place_of } = signed_in;
        let now = self.now();
        let expires_at = now + if owes_second_factor { SECOND_FACTOR } else { LONGEST };
        let new = NewSession { account, owes_second_factor, address, agent, expires_at, generation, in_place_of };
        if session::insert(self.db.pool(), id, &new, now).await.map_err(fault)? {
            return Ok(());
        }
        Err(Fault::new(401, "sign_in_first", "Sign in again", "your sessions were ended meanwhile; sign in again"))
    }

    pub(crate) async fn own_sessions(&self, actor: &Actor) -> Result<Vec<SessionView>> {
        let now: DateTime<Utc> = self.now();
        let sessions = session::list(self.db.pool(), actor.account, now, now - IDLE).await.map_err(fault)?;
        Ok(sessions
            .into_iter()
            .map(|session| SessionView {
                id: session.id.to_string(),
                address: session.address,
                agent: session.agent,
                created_at: session.created_at,
                last_seen_at: session.last_seen_at,
                expires_at: session.expires_at,
            })
            .collect())
    }

    /// Ends one of the caller's sessions.
    ///
    /// # Errors
    /// 404 when it is not one of theirs.
    pub async fn end_session(&self, actor: &Actor, id: &str) -> Result<()> {
        let id: i64 = id.parse().map_err(|_| Fault::not_found("session"))?;
        let (tx, _) = self.begin_own(actor).await?;
        session::revoke_numbered(&tx, actor.account, id, self.now()).await.map_err(|_| Fault::not_found("session"))?;
        self.note(&tx, actor, Note::new("session.end", format!("session/{id}"))).await?;
        commit(tx).await
    }

    /// Ends all of the caller's sessions, this one too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_all_sessions(&self, actor: &Actor) -> Result<()> {
        let (tx, _) = self.begin_own(actor).await?;
        let ended = session::revoke_all(&tx, actor.account, self.now()).await.map_err(fault)?;
        let note = Note::new("session.end_all", format!("account/{}", actor.account));
        self.note(&tx, actor, note.details(serde_json::json!({ "ended": ended }))).await?;
        commit(tx).await
    }
}
