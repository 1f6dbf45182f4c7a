//! What the checks of a rollout said, look by look.

use chrono::{DateTime, Utc};
use millrace_domain::gate::Gate;
use millrace_domain::ids::RolloutId;
use millrace_domain::rollout::{Look, Seen, slot_of};
use serde_json::json;

use super::Rollout;
use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// Keeps a look at the present step in place of the one before in its slot; a look that said nothing is none.
///
/// # Errors
/// When the database fails.
pub async fn keep_look(db: &impl Connection, looked_at: &Rollout, checks: &[Gate], now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "insert into rollout_look (rollout_id, step, slot, looked_at, checks) values ($1, $2, $3, $4, $5)
        on conflict (rollout_id, step, slot) do update set looked_at = excluded.looked_at, checks = excluded.checks";
    if checks.is_empty() {
        return Ok(());
    }
    let seen: Vec<Seen> = checks.iter().map(Seen::from).collect();
    let step = i32::try_from(looked_at.step).unwrap_or(i32::MAX);
    let kept = values![looked_at.id.0, step, slot_of(looked_at.seconds), now, json!(seen)];
    record::execute(db, SQL, kept).await.map(|_| ())
}

impl Record for Look {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            step: usize::try_from(row.get::<i32>("step")?).unwrap_or(0),
            at: row.get("looked_at")?,
            checks: row.json("checks")?,
        })
    }
}

/// About so many looks at a rollout, in the order of time: every so manieth, the first and the newest among them.
///
/// # Errors
/// When the database fails.
pub async fn looks(db: &impl Connection, id: RolloutId, most: i64) -> Result<Vec<Look>> {
    const SQL: &str = "select l.step, l.looked_at, l.checks
        from rollout_look l join
            (select step, slot, row_number() over (order by step, slot) - 1 as place, count(*) over () as n
             from rollout_look where rollout_id = $1) p on p.step = l.step and p.slot = l.slot
        where l.rollout_id = $1 and (p.place % greatest(1, (p.n + $2 - 1) / $2) = 0 or p.place = p.n - 1)
        order by l.step, l.slot";
    record::all(db, SQL, values![id.0, most]).await
}
