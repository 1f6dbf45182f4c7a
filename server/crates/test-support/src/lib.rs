//! What tests share: the real program on a database of its own, cloned from a migrated template, and callers with verbs.
//!
//! A [`TestApp`] starts the built binary, so tests meet what users meet: the real router, the real executor, real Postgres
//! and real HTTP. People are made past the server (there is no other first account), everything else goes through it.

mod app;
mod data;
mod database;
pub mod mailbox;
mod person;
mod server;
mod wire;

pub use app::{Launched, Letter, MovableClock, TestApp};
pub use data::{testdata, thing, things};
pub use database::TestDatabase;
pub use person::{Answer, Landed, Person};
pub use server::{Server, address_in};
pub use wire::Wire;
