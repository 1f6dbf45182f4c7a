//! One folder per resource, one file per page.

pub mod account;
pub mod address;
pub mod alert;
pub mod audit;
pub mod auth;
pub mod case;
pub mod dataset;
pub mod deployment;
pub mod feature;
pub mod find;
pub mod home;
pub mod mail;
pub mod model;
pub mod monitor;
pub mod people;
pub mod problem;
pub mod quantity;
pub mod rehearsal;
pub mod retraining;
pub mod run;
#[cfg(all(test, feature = "ssr"))]
mod samples;
#[cfg(all(test, feature = "ssr"))]
mod samples_watched;
