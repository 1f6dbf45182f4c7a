//! Reading rows into records, and running constant statements with bound values.

use std::str::FromStr;

use millrace_domain::Digest;
use sea_orm::{DbBackend, ExecResult, QueryResult, Statement, TryGetable, Value};
use serde::de::DeserializeOwned;

use crate::database::Connection;
use crate::{Result, StorageError};

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

impl Record for String {
    fn read(row: &Row) -> Result<Self> {
        row.0.try_get_by_index(0).map_err(Into::into)
    }
}

fn statement(sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

pub(crate) async fn all<T: Record>(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>> {
    read(db, statement(sql, values)).await
}

async fn read<T: Record>(db: &impl Connection, statement: Statement) -> Result<Vec<T>> {
    let rows = db.query_all_raw(statement).await?;
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

    /// The place of a bound value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    pub(crate) async fn all<T: Record>(self, db: &impl Connection) -> Result<Vec<T>> {
        read(db, statement(self.sql, self.values)).await
    }
}

pub(crate) async fn optional<T: Record>(
    db: &impl Connection,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Option<T>> {
    db.query_one_raw(statement(sql, values)).await?.map(|row| T::read(&Row(row))).transpose()
}

/// The one row a statement must give, for example of `insert … returning`.
pub(crate) async fn one<T: Record>(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<T> {
    optional(db, sql, values)
        .await?
        .ok_or_else(|| StorageError::Corrupt { what: "answer".to_owned(), reason: "no row came back".to_owned() })
}

pub(crate) async fn execute(db: &impl Connection, sql: &'static str, values: Vec<Value>) -> Result<u64> {
    Ok(db.execute_raw(statement(sql, values)).await.map(|done: ExecResult| done.rows_affected())?)
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
