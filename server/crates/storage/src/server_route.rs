//! Which server has which routing table in place.

use millrace_domain::ids::{ModelVersionId, ProblemId};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A server, and how it stands to a change.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its name.
    pub server: String,
    /// Milliseconds from the beginning of the change until it had it in place; none when it does not have it.
    pub after_ms: Option<f64>,
}

impl Record for Placed {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { server: row.get("name")?, after_ms: row.get("after_ms")? })
    }
}

/// Writes down that a server is there, and which generations it has in place.
///
/// # Errors
/// When the database fails.
pub async fn report(db: &impl Connection, server: &str, placed: &[(ProblemId, i64)]) -> Result<()> {
    const SEEN: &str = "insert into serving_server (name, seen_at) values ($1, now())
        on conflict (name) do update set seen_at = excluded.seen_at";
    record::execute(db, SEEN, values![server]).await?;
    if placed.is_empty() {
        return Ok(());
    }
    const PLACED: &str = "insert into server_route (server, problem_id, generation, placed_at)
        select $1, (p ->> 0)::bigint, (p ->> 1)::bigint, now() from jsonb_array_elements($2) p
        on conflict (server, problem_id) do update
        set generation = excluded.generation, placed_at = excluded.placed_at
        where server_route.generation <> excluded.generation";
    // A server that starts later was not waited for.
    const REACHED: &str = "insert into change_reached (problem_id, generation, server, placed_at)
        select c.problem_id, c.generation, $1, now() from jsonb_array_elements($2) p
        join deployment_change c on c.problem_id = (p ->> 0)::bigint and c.generation = (p ->> 1)::bigint
        where c.changed_at > now() - interval '1 minute'
        on conflict do nothing";
    let pairs: Vec<(i64, i64)> = placed.iter().map(|(problem, generation)| (problem.0, *generation)).collect();
    let pairs = serde_json::json!(pairs);
    // In this order, so that nobody sees it neither wait nor have the change.
    record::execute(db, REACHED, values![server, pairs.clone()]).await?;
    record::execute(db, PLACED, values![server, pairs]).await.map(|_| ())
}

/// Writes down that a server stops.
///
/// # Errors
/// When the database fails.
pub async fn leave(db: &impl Connection, server: &str) -> Result<()> {
    record::execute(db, "delete from serving_server where name = $1", values![server]).await.map(|_| ())
}

/// Forgets servers that were not seen for a day.
///
/// # Errors
/// When the database fails.
pub async fn forget(db: &impl Connection) -> Result<u64> {
    record::execute(db, "delete from serving_server where seen_at < now() - interval '1 day'", values![]).await
}

/// When each server had the change of that generation in place within a minute of it, the slowest last; and of the newest change the
/// servers that were seen in the last fifteen seconds and do not have it.
///
/// # Errors
/// When the database fails.
pub async fn of_change(db: &impl Connection, problem: ProblemId, generation: i64) -> Result<Vec<Placed>> {
    const SQL: &str =
        "select k.server as name, extract(epoch from k.placed_at - coalesce(c.begun_at, c.changed_at))::float8 * 1000 as after_ms
        from change_reached k
        join deployment_change c on c.problem_id = k.problem_id and c.generation = k.generation
        where k.problem_id = $1 and k.generation = $2
        union all
        select s.name, null from serving_server s
        join deployment d on d.problem_id = $1 and d.generation = $2
        left join server_route r on r.server = s.name and r.problem_id = $1
        where s.seen_at > now() - interval '15 seconds' and r.generation is distinct from $2
            and not exists (select from change_reached k
                where k.problem_id = $1 and k.generation = $2 and k.server = s.name)
        order by after_ms, name";
    record::all(db, SQL, values![problem.0, generation]).await
}

/// Milliseconds from the beginning of a change to the last answer of a version since; none without one.
///
/// # Errors
/// When the database fails.
pub async fn last_answer_ms(
    db: &impl Connection,
    problem: ProblemId,
    generation: i64,
    version: ModelVersionId,
) -> Result<Option<f64>> {
    struct Last(Option<f64>);
    impl Record for Last {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("after_ms")?))
        }
    }
    const SQL: &str = "select extract(epoch from max(p.predicted_at) - coalesce(c.begun_at, c.changed_at))::float8 * 1000 as after_ms
        from deployment_change c left join prediction p
            on p.model_version_id = $3 and p.predicted_at > coalesce(c.begun_at, c.changed_at) and p.generation < c.generation
        where c.problem_id = $1 and c.generation = $2 group by c.begun_at, c.changed_at";
    Ok(record::optional::<Last>(db, SQL, values![problem.0, generation, version.0]).await?.and_then(|last| last.0))
}
