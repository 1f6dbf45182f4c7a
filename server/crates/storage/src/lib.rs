//! Postgres and the artifact store.
//!
//! Queries are functions over `&impl Connection`, so the use case above owns the transaction: row, audit entry and enqueued
//! step commit together. Statements are constant SQL texts with bound values: `record::all` and its siblings take
//! `&'static str`, so no statement can be built from data. One module is one resource; nothing above this crate names
//! sea-orm.

pub mod account;
pub mod alias;
pub mod artifact;
pub mod audit;
pub mod business;
pub mod caller;
pub mod case;
pub mod cluster;
pub mod credential;
mod database;
pub mod dataset;
pub mod decision;
pub mod deployment;
mod error;
pub mod event;
pub mod find;
pub mod heartbeat;
pub mod incident;
pub mod invariant;
pub mod kept;
mod listen;
pub mod mail;
pub mod model;
pub mod monitor;
pub mod mute;
pub mod parity;
pub mod prediction;
pub mod problem;
mod record;
pub mod rehearsal;
pub mod retraining;
pub mod rollout;
pub mod run;
pub mod server_route;
pub mod session;
pub mod source;
pub mod step;
pub mod token;
pub mod webhook;

pub use database::{Connection, Database, Transaction, now};
pub use error::StorageError;
pub use listen::{Notification, Notifications};
pub use sea_orm::prelude::Uuid;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, StorageError>;
