//! What is kept for a caller to come back.

use chrono::{DateTime, Duration, Utc};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_storage::kept::{self, Kept};
use serde_json::Value;

use crate::{Result, Services, fault};

/// How long a request is taken to be under way. Whether one that has not told by then how it ended did anything is not known.
const UNDER_WAY: Duration = Duration::minutes(2);
/// How long an answer is kept for its key.
const KEPT_FOR: Duration = Duration::days(7);

impl Services {
    /// Takes the caller's `Idempotency-Key` for a request, before it is acted on, so that of many at once one acts. Gives the
    /// answer of an earlier one, as long as the caller's rights are the same: what they may not see any more is not told again.
    ///
    /// # Errors
    /// 409 when the key was used for another request, the first one with it is still under way, or it never told how it ended: a key is
    /// good for one try, and what may have been done is not done again.
    pub async fn take_key(&self, actor: &Actor, key: &str, request: &Digest) -> Result<Option<Kept>> {
        let (pool, now) = (self.db.pool(), self.now());
        let request = &with_rights(actor, request);
        if kept::take_key(pool, actor.account, key, request, now).await.map_err(fault)? {
            return Ok(None);
        }
        let kept = kept::find(pool, actor.account, key).await.map_err(fault)?;
        // Freed between the two looks: the first request came to nothing.
        let kept = kept.ok_or_else(in_use)?;
        if kept.request != *request {
            let detail =
                "this Idempotency-Key was used for another request, or when you had other roles; take a new one";
            return Err(Fault::conflict("idempotency_key_reused", detail));
        }
        match kept.status {
            0 if kept.since > now - UNDER_WAY => Err(in_use()),
            0 => {
                let detail = "the first request with this Idempotency-Key has not told how it ended; look whether it was done, \
                    and take a new key to do it again";
                Err(Fault::conflict("idempotency_outcome_unknown", detail))
            }
            _ => Ok(Some(kept)),
        }
    }

    /// Keeps the answer of the request that took the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_answer(
        &self,
        actor: &Actor,
        key: &str,
        request: &Digest,
        status: u16,
        answer: &Value,
    ) -> Result<()> {
        let request = with_rights(actor, request);
        kept::answer(self.db.pool(), actor.account, key, &request, status, answer).await.map_err(fault)
    }

    /// Frees the key of a request that came to nothing, so that it can be tried again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn free_key(&self, actor: &Actor, key: &str) -> Result<()> {
        kept::free_key(self.db.pool(), actor.account, key).await.map_err(fault)
    }

    pub(crate) async fn forget_answers(&self) -> Result<()> {
        kept::forget_answers(self.db.pool(), self.now() - KEPT_FOR).await.map_err(fault)
    }

    /// Keeps a note for whoever has the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_note(&self, key: &Digest, content: &Value, until: DateTime<Utc>) -> Result<()> {
        kept::keep_note(self.db.pool(), key, content, until, self.now()).await.map_err(fault)
    }

    /// Takes a note out: it is shown once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_note(&self, key: &Digest) -> Result<Option<Value>> {
        kept::take_note(self.db.pool(), key, self.now()).await.map_err(fault)
    }
}

fn with_rights(actor: &Actor, request: &Digest) -> Digest {
    Digest::of_canonical(&serde_json::json!({ "request": request, "grants": actor.grants, "via": actor.via }))
}

fn in_use() -> Fault {
    let detail = "a request with this Idempotency-Key is under way; send it again in a moment to read its answer";
    Fault::conflict("idempotency_key_in_use", detail)
}
