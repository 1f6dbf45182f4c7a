//! Reading rows into records, and running constant statements with bound values.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use millrace_domain::Digest;
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, Statement, TryGetable, Value};
use serde::de::DeserializeOwned;

use crate::database::Connection;
use crate::error::is_outdated;
use crate::{Result, StorageError};

/// How often the schema was found changed under prepared statements. The driver keeps these by their text, and Postgres refuses one that gives
/// other columns by now, as `select *` does of a table to which a newer program has added one. Under another text it is prepared anew.
static SCHEMA_CHANGES: AtomicU32 = AtomicU32::new(0);
/// A newer program's migrations come one after another.
const TRIES: u32 = 3;

/// Bound values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(crate) use values;

/// One row.
pub(crate) struct Row(QueryResult);

impl Row {
    pub(crate) fn get<T: TryGetable>(&self, column: &str) -> Result<T> {
        Ok(self.0.try_get("", column)?)
    }

    /// A stored word or number that parses into a domain value.
    pub(crate) fn word<T: FromStr>(&self, column: &str) -> Result<T> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| corrupt(column, format!("unknown word {text:?}")))
    }

    pub(crate) fn digest(&self, column: &str) -> Result<Digest> {
        self.optional_digest(column)?.ok_or_else(|| corrupt(column, "is null".to_owned()))
    }

    pub(crate) fn optional_digest(&self, column: &str) -> Result<Option<Digest>> {
        let Some(bytes) = self.get::<Option<Vec<u8>>>(column)? else {
            return Ok(None);
        };
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| corrupt(column, "is not 32 bytes long".to_owned()))?;
        Ok(Some(Digest::from_bytes(bytes)))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        self.optional_json(column)?.ok_or_else(|| corrupt(column, "is null".to_owned()))
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let Some(value) = self.get::<Option<serde_json::Value>>(column)? else {
            return Ok(None);
        };
        serde_json::from_value(value).map(Some).map_err(|error| corrupt(column, error.to_string()))
    }
}

fn corrupt(column: &str, reason: String) -> StorageError {
    StorageError::Corrupt { what: format!("column {column}"), reason }
}

/// Something that is read from one row.
pub(crate) trait Record: Sized {
    fn read(row: &Row) -> Result<Self>;
}

impl Record for i64 {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get_by_index(0).map_err(Into::into)
    }
}

impl Record for serde_json::Value {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get_by_index(0).map_err(Into::into)
    }
}

impl Record for String {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get_by_index(0).map_err(Into::into)
    }
}

/// A statement as of so many changes of the schema.
fn statement(sql: &str, values: Vec<Value>, changes: u32) -> Statement {
    let sql = if changes == 0 { sql.to_owned() } else { format!("{sql}\n-- {changes}") };
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

/// How many rows of an answer are asked for.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    First,
}

/// Asks; again where the statement was prepared for a schema that has changed since. Within a transaction, which such a failure has ended,
/// that fails, too, and the first failure is told.
async fn rows(db: &impl Connection, sql: &str, values: Vec<Value>, wanted: Wanted) -> Result<Vec<QueryResult>> {
    let mut first = None;
    let mut tries = 1;
    loop {
        let changes = SCHEMA_CHANGES.load(Ordering::Relaxed);
        match ask(db, statement(sql, values.clone(), changes), wanted).await {
            Ok(rows) => return Ok(rows),
            Err(error) if tries < TRIES && is_outdated(&error) => {
                // Whoever finds the same at the same time does not count it again.
                let _ = SCHEMA_CHANGES.compare_exchange(changes, changes + 1, Ordering::Relaxed, Ordering::Relaxed);
                tracing::info!("the schema has changed under a prepared statement, which is prepared anew");
                first.get_or_insert(error);
                tries += 1;
            }
            Err(error) => return Err(first.unwrap_or(error).into()),
        }
    }
}

async fn ask(
    db: &impl Connection,
    statement: Statement,
    wanted: Wanted,
) -> std::result::Result<Vec<QueryResult>, DbErr> {
    match wanted {
        Wanted::All => db.query_all_raw(statement).await,
        Wanted::First => Ok(db.query_one_raw(statement).await?.into_iter().collect()),
    }
}

pub(crate) async fn all<T: Record>(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>> {
    read(db, sql, values).await
}

async fn read<T: Record>(db: &impl Connection, sql: &str, values: Vec<Value>) -> Result<Vec<T>> {
    let rows = rows(db, sql, values, Wanted::All).await?;
    rows.into_iter().map(|row| T::read(&Row(row))).collect()
}

/// A statement put together from constant pieces: what comes from outside is bound, never written into it.
#[derive(Debug)]
pub(crate) struct Pieces {
    sql: String,
    values: Vec<Value>,
}

impl Pieces {
    pub(crate) fn new(piece: &'static str) -> Self {
        Self { sql: piece.to_owned(), values: Vec::new() }
    }

    pub(crate) fn add(&mut self, piece: &'static str) -> &mut Self {
        self.sql.push_str(piece);
        self
    }

    /// One of several names of a kind.
    pub(crate) fn add_place(&mut self, kind: &'static str, place: usize) -> &mut Self {
        self.sql.push_str(&format!("{kind}{place}"));
        self
    }

    /// The place of a bound value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    pub(crate) async fn all<T: Record>(self, db: &impl Connection) -> Result<Vec<T>> {
        read(db, &self.sql, self.values).await
    }
}

pub(crate) async fn optional<T: Record>(
    db: &impl Connection,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Option<T>> {
    let rows = rows(db, sql, values, Wanted::First).await?;
    rows.into_iter().next().map(|row| T::read(&Row(row))).transpose()
}

/// The one row a statement must give, for example of `insert … returning`.
pub(crate) async fn one<T: Record>(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<T> {
    optional(db, sql, values)
        .await?
        .ok_or_else(|| StorageError::Corrupt { what: "answer".to_owned(), reason: "no row came back".to_owned() })
}

pub(crate) async fn execute(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<u64> {
    Ok(db.execute_raw(statement(sql, values, 0)).await.map(|done: ExecResult| done.rows_affected())?)
}

/// Runs a guarded write: touching no row is a conflict about `what`.
pub(crate) async fn guarded(
    db: &impl Connection,
    what: &'static str,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<()> {
    match execute(db, sql, values).await? {
        0 => Err(StorageError::Conflict(what)),
        _ => Ok(()),
    }
}

/// A digest as a bound value.
pub(crate) fn bytes(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}
