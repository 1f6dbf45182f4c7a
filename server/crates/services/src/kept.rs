//! What is kept for a caller to come back.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::policy::Actor;
use millrace_storage::kept::{self, Kept};
use serde_json::Value;

use crate::{Result, Services, fault};

impl Services {
    /// The answer kept under the caller's `Idempotency-Key`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_answer(&self, actor: &Actor, key: &str) -> Result<Option<Kept>> {
        kept::find(self.db.pool(), actor.account, key).await.map_err(fault)
    }

    /// Keeps an answer under the caller's `Idempotency-Key`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_answer(
        &self,
        actor: &Actor,
        key: &str,
        request: Digest,
        status: u16,
        response: &Value,
    ) -> Result<()> {
        let kept = Kept { request, status, response: response.clone() };
        kept::insert(self.db.pool(), actor.account, key, &kept, self.now()).await.map_err(fault)
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
