//! What webhooks are told of alerts: the same as whoever is on call, at the same times.

use std::collections::BTreeMap;

use chrono::Duration;
use millrace_domain::monitor::incident::Letter;
use millrace_domain::view::WebhookLine;
use millrace_storage::incident::Kept;
use millrace_storage::webhook;
use millrace_storage::{Connection, StorageError};
use serde_json::json;

use crate::{Result, Services, fault};

/// Messages that are listed.
const SHOWN: u32 = 20;

impl Services {
    /// Puts what is due about an incident into the outbox of every webhook that is told of the problem; gives their names.
    pub(crate) async fn tell_webhooks(&self, tx: &impl Connection, kept: &Kept, due: Letter) -> Result<Vec<String>> {
        let kind = match due {
            Letter::Firing => "alert.firing",
            Letter::Reminder => "alert.reminder",
            Letter::Escalation => "alert.escalation",
            Letter::Resolved | Letter::Missed => "alert.resolved",
        };
        let now = self.now();
        let body = json!({
            "type": kind,
            "timestamp": now.to_rfc3339(),
            "data": {
                "alert": kept.id.to_string(),
                "problem": kept.slug,
                "cause": kept.cause,
                "title": kept.title,
                "state": kept.incident.standing(now),
                "model_version": kept.version,
                "facts": kept.facts.iter().cloned().collect::<BTreeMap<_, _>>(),
                "opened_at": kept.opened_at.to_rfc3339(),
                "link": self.link(&format!("/alerts/{}", kept.id)),
            },
        });
        let body = body.to_string();
        let (subject, mut told) = (format!("alert/{}", kept.id), Vec::new());
        for (name, webhook) in self.settings.webhooks.iter() {
            if webhook.is_told_of(&kept.slug) {
                webhook::insert(tx, name, kind, &subject, &body, now).await.map_err(fault)?;
                told.push(name.to_owned());
            }
        }
        Ok(told)
    }

    /// The newest messages to webhooks.
    pub(crate) async fn webhook_lines(&self) -> Result<Vec<WebhookLine>> {
        let found = webhook::list(self.db.pool(), SHOWN).await.map_err(fault)?;
        let line = |message: webhook::Message| WebhookLine {
            webhook: message.webhook,
            kind: message.kind,
            state: message.state,
            attempt: message.attempt,
            last_error: message.last_error,
            created_at: message.created_at,
            sent_at: message.sent_at,
        };
        Ok(found.into_iter().map(line).collect())
    }

    /// Messages of the last week that could not be sent, or wait although they were tried.
    pub(crate) async fn stuck_webhooks(&self) -> std::result::Result<i64, StorageError> {
        webhook::count_stuck(self.db.pool(), self.now() - Duration::days(7)).await
    }
}
