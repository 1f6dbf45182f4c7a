//! Incidents and what happened to them.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::monitor::incident::{Cause, Incident, State, Told};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// An incident as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: i64,
    /// The problem.
    pub problem: ProblemId,
    /// The problem's slug.
    pub slug: String,
    /// What it is about.
    pub cause: Cause,
    /// Where it stands.
    pub incident: Incident,
    /// What it says.
    pub title: String,
    /// What is wrong, as of the last breach.
    pub facts: Vec<(String, String)>,
    /// The window that was seen in.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// Who took it on.
    pub acknowledged_by: Option<String>,
    /// The version that was live in that window.
    pub version: Option<i32>,
    /// An earlier incident that it was told to fire together with: letters about it stand in that one's thread.
    pub told_with: Option<i64>,
}

impl Kept {
    /// Its place in the order of lists: those that fire, those that may, and the others, each the newest first.
    pub const fn place(&self) -> (i32, i64) {
        let rank = match self.incident.state {
            State::Firing => 2,
            State::Pending => 1,
            State::Resolved | State::Over => 0,
        };
        (rank, self.id)
    }

    /// The incident in whose thread letters about it stand.
    pub fn thread(&self) -> i64 {
        self.told_with.unwrap_or(self.id)
    }
}

impl Record for Kept {
    fn read(row: &Row) -> Result<Self> {
        let told: Option<String> = row.get("told")?;
        let told = match told {
            None => None,
            Some(_) => Some((row.word::<Told>("told")?, row.get("told_at")?)),
        };
        let acknowledged_at: Option<DateTime<Utc>> = row.get("acknowledged_at")?;
        Ok(Self {
            id: row.get("id")?,
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            cause: row.word("cause")?,
            incident: Incident {
                state: row.word("state")?,
                in_a_row: row.get::<i32>("in_a_row")?.unsigned_abs(),
                fired_at: row.get("fired_at")?,
                resolved_at: row.get("resolved_at")?,
                told,
                heard_at: row.get("heard_at")?,
                escalated: row.get("escalated")?,
                acknowledged: acknowledged_at.is_some(),
                silenced_until: row.get("silenced_until")?,
                blind_since: row.get("blind_since")?,
            },
            title: row.get("title")?,
            facts: row.json("facts")?,
            window: row.get::<Option<DateTime<Utc>>>("window_begins")?.zip(row.get("window_ends")?),
            opened_at: row.get("opened_at")?,
            acknowledged_by: row.get("acknowledged_name")?,
            version: row.get("version")?,
            told_with: row.get("told_with")?,
        })
    }
}

macro_rules! select_incident {
    ($rest:literal) => {
        concat!(
            "select i.*, p.slug, a.name as acknowledged_name, v.number as version from incident i join problem p on p.id = i.problem_id
             left join account a on a.id = i.acknowledged_by
             left join monitor_window w on w.problem_id = i.problem_id and w.ends = i.window_ends and w.begins = i.window_begins
             left join model_version v on v.id = w.model_version_id ",
            $rest
        )
    };
}

/// What an incident says.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// In one line.
    pub title: &'a str,
    /// What is wrong.
    pub facts: &'a [(String, String)],
    /// The window that was seen in.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The newest incident of a cause.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &impl Connection, problem: ProblemId, cause: Cause) -> Result<Option<Kept>> {
    let bound = values![problem.0, cause.as_str()];
    record::optional(db, select_incident!("where i.problem_id = $1 and i.cause = $2 order by i.id desc limit 1"), bound)
        .await
}

/// The newest incident of each of these causes, of several problems.
///
/// # Errors
/// When the database fails.
pub async fn newest_of(db: &impl Connection, problems: &[ProblemId], causes: &[Cause]) -> Result<Vec<Kept>> {
    let problems: Vec<i64> = problems.iter().map(|problem| problem.0).collect();
    let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
    let bound = values![serde_json::json!(problems), serde_json::json!(causes)];
    record::all(
        db,
        select_incident!(
            "where i.id in (select max(n.id) from incident n
                where n.problem_id in (select e::bigint from jsonb_array_elements_text($1) e)
                    and n.cause in (select jsonb_array_elements_text($2)) group by n.problem_id, n.cause)"
        ),
        bound,
    )
    .await
}

/// Problems of which an incident of one of these causes is open although no version is live that it could be over for.
///
/// # Errors
/// When the database fails.
pub async fn of_nothing_live(db: &impl Connection, causes: &[Cause]) -> Result<Vec<ProblemId>> {
    const SQL: &str = "select distinct i.problem_id from incident i
        where i.state in ('pending', 'firing') and i.cause in (select jsonb_array_elements_text($1))
            and not exists (select from deployment d where d.problem_id = i.problem_id and d.champion_id is not null)";
    let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
    let found: Vec<i64> = record::all(db, SQL, values![serde_json::json!(causes)]).await?;
    Ok(found.into_iter().map(ProblemId).collect())
}

/// An incident by its id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: i64) -> Result<Option<Kept>> {
    record::optional(db, select_incident!("where i.id = $1"), values![id]).await
}

/// Incidents that are open, or of which it has still to be told that they are over.
///
/// # Errors
/// When the database fails.
pub async fn list_unsettled(db: &impl Connection) -> Result<Vec<Kept>> {
    record::all(
        db,
        select_incident!(
            "where i.state in ('pending', 'firing') or (i.state = 'resolved' and i.told = 'firing')
             or (i.state = 'resolved' and i.fired_at is not null and i.told is null)
             or (i.state = 'resolved' and i.told_at < i.fired_at and i.told_at + interval '1 hour' <= i.resolved_at)
             or (i.state = 'resolved' and i.fired_at < i.silenced_until and (i.told is null or i.told_at < i.fired_at)) order by i.id"
        ),
        values![],
    )
    .await
}

/// When the last letter about incidents of a problem was written, other than those to whom it is passed on.
///
/// # Errors
/// When the database fails.
pub async fn last_told(db: &impl Connection, problem: ProblemId) -> Result<Option<DateTime<Utc>>> {
    struct At(Option<DateTime<Utc>>);
    impl Record for At {
        fn read(row: &Row) -> Result<Self> {
            row.get("at").map(Self)
        }
    }
    const SQL: &str = "select max(told_at) as at from incident where problem_id = $1";
    Ok(record::one::<At>(db, SQL, values![problem.0]).await?.0)
}

/// Incidents of these problems, or of all, open ones first and then the newest; only open ones if asked for, and only those that come after a
/// place in that order ([`Kept::place`]).
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &impl Connection,
    of: Option<&[&str]>,
    only_open: bool,
    after: Option<(i32, i64)>,
    limit: u32,
) -> Result<Vec<Kept>> {
    let (rank, id) = (after.map(|(rank, _)| rank), after.map(|(_, id)| id));
    let bound = values![of.map(|of| serde_json::json!(of)), only_open, i64::from(limit), rank, id];
    record::all(
        db,
        select_incident!(
            "cross join lateral (select case i.state when 'firing' then 2 when 'pending' then 1 else 0 end as rank) o
             where ($1::jsonb is null or p.slug in (select jsonb_array_elements_text($1))) and (not $2 or o.rank > 0) and i.state <> 'over'
                 and ($4::int is null or (o.rank, i.id) < ($4, $5::bigint))
             order by o.rank desc, i.id desc limit $3"
        ),
        bound,
    )
    .await
}

/// Begins an incident.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when one of the same cause is open.
pub async fn insert(
    db: &impl Connection,
    problem: ProblemId,
    cause: Cause,
    incident: &Incident,
    about: &About<'_>,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "insert into incident
            (problem_id, cause, state, in_a_row, title, facts, window_begins, window_ends, opened_at, fired_at,
             silenced_until)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id";
    let stored = values![
        problem.0,
        cause.as_str(),
        incident.state.as_str(),
        i32::try_from(incident.in_a_row).unwrap_or(i32::MAX),
        about.title,
        serde_json::json!(about.facts),
        about.window.map(|window| window.0),
        about.window.map(|window| window.1),
        now,
        incident.fired_at,
        incident.silenced_until
    ];
    record::one(db, SQL, stored).await
}

/// Writes where an incident stands now, and what it says if that is new.
///
/// # Errors
/// When the database fails.
pub async fn update(db: &impl Connection, id: i64, incident: &Incident, about: Option<&About<'_>>) -> Result<()> {
    const SQL: &str = "update incident set state = $2, in_a_row = $3, fired_at = $4, resolved_at = $5, told = $6, told_at = $7,
            escalated = $8, silenced_until = $9, heard_at = $15, blind_since = $16,
            acknowledged_at = case when $10 then acknowledged_at end, acknowledged_by = case when $10 then acknowledged_by end,
            title = coalesce($11, title), facts = coalesce($12, facts),
            window_begins = coalesce($13, window_begins), window_ends = coalesce($14, window_ends)
        where id = $1";
    let stored = values![
        id,
        incident.state.as_str(),
        i32::try_from(incident.in_a_row).unwrap_or(i32::MAX),
        incident.fired_at,
        incident.resolved_at,
        incident.told.map(|(told, _)| told.as_str()),
        incident.told.map(|(_, at)| at),
        incident.escalated,
        incident.silenced_until,
        incident.acknowledged,
        about.map(|about| about.title),
        about.map(|about| serde_json::json!(about.facts)),
        about.and_then(|about| about.window).map(|window| window.0),
        about.and_then(|about| about.window).map(|window| window.1),
        incident.heard_at,
        incident.blind_since
    ];
    record::guarded(db, "the alert", SQL, stored).await
}

/// Notes who has taken a firing incident on.
///
/// # Errors
/// [`crate::StorageError::Conflict`] unless it fires and nobody has.
pub async fn acknowledge(db: &impl Connection, id: i64, by: AccountId, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update incident set acknowledged_by = $2, acknowledged_at = $3
        where id = $1 and state = 'firing' and acknowledged_at is null";
    record::guarded(db, "the alert", SQL, values![id, by.0, now]).await
}

/// Lets nobody be written to about an open incident until then; at once again when that is none. A silence is of the cause: that of incidents
/// before it which are over ends no later.
///
/// # Errors
/// [`crate::StorageError::Conflict`] unless it is open.
pub async fn silence(db: &impl Connection, id: i64, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update incident set silenced_until = $2 where id = $1 and state in ('pending', 'firing')";
    const EARLIER: &str = "update incident i set silenced_until = $2 from incident own
        where own.id = $1 and i.problem_id = own.problem_id and i.cause = own.cause and i.state = 'resolved' and i.silenced_until > $2";
    record::guarded(db, "the alert", SQL, values![id, until]).await?;
    record::execute(db, EARLIER, values![id, until.unwrap_or(now)]).await.map(|_| ())
}

/// Has letters about an incident stand in the thread of an earlier one, with which it is told.
///
/// # Errors
/// When the database fails.
pub async fn tell_with(db: &impl Connection, id: i64, earlier: i64) -> Result<()> {
    const SQL: &str = "update incident set told_with = $2 where id = $1";
    record::guarded(db, "the alert", SQL, values![id, earlier]).await
}

/// Something that happened to an incident.
#[derive(Debug, Clone)]
pub struct Happened {
    /// When.
    pub at: DateTime<Utc>,
    /// What, for programs.
    pub kind: String,
    /// What, for people.
    pub words: String,
    /// Who did it.
    pub by: Option<String>,
}

impl Record for Happened {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { at: row.get("at")?, kind: row.get("kind")?, words: row.get("words")?, by: row.get("name")? })
    }
}

/// Writes down what happened to an incident.
///
/// # Errors
/// When the database fails.
pub async fn note(
    db: &impl Connection,
    id: i64,
    kind: &str,
    words: &str,
    by: Option<AccountId>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str =
        "insert into incident_event (incident_id, at, kind, words, account_id) values ($1, $2, $3, $4, $5)";
    record::execute(db, SQL, values![id, now, kind, words, by.map(|by| by.0)]).await.map(|_| ())
}

/// What happened to an incident, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn events(db: &impl Connection, id: i64) -> Result<Vec<Happened>> {
    const SQL: &str =
        "select e.at, e.kind, e.words, a.name from incident_event e left join account a on a.id = e.account_id
        where e.incident_id = $1 order by e.id limit 1000";
    record::all(db, SQL, values![id]).await
}

/// Notes that somebody takes no more letters about an incident; whether that is new.
///
/// # Errors
/// When the database fails.
pub async fn leave(db: &impl Connection, id: i64, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "insert into incident_left (incident_id, account_id, left_at) values ($1, $2, $3)
        on conflict do nothing";
    Ok(record::execute(db, SQL, values![id, account.0, now]).await? == 1)
}

/// Who takes no more letters about an incident.
///
/// # Errors
/// When the database fails.
pub async fn left(db: &impl Connection, id: i64) -> Result<Vec<AccountId>> {
    let ids: Vec<i64> =
        record::all(db, "select account_id from incident_left where incident_id = $1", values![id]).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}
