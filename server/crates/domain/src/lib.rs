//! Ids, values, states, rules and the policy table of Millrace. No IO, no clock, no randomness; compiles to WASM.
//!
//! Everything that two doors (page, API, job) must agree on lives here: what a problem document may say ([`problem`]), how
//! features are computed ([`expr`]), who may do what ([`policy`], [`review`]), when a model may be promoted ([`gate`]) and
//! how the audit trail is chained ([`audit`]).

pub mod audit;
pub mod card;
pub mod case;
pub mod clock;
pub mod digest;
pub mod drift;
pub mod effects;
#[cfg(feature = "parse")]
pub mod evidence;
pub mod expr;
pub mod fault;
pub mod gate;
pub mod heartbeat;
pub mod ids;
pub mod metric;
pub mod monitor;
pub mod mute;
pub mod partition;
pub mod policy;
pub mod power;
pub mod problem;
#[cfg(feature = "parse")]
pub mod rehearsal;
pub mod repository;
pub mod retraining;
pub mod review;
pub mod rollout;
pub mod run;
#[cfg(feature = "parse")]
pub mod schedule;
pub mod schema;
pub mod search;
pub mod text;
pub mod tracking;
pub mod trainer;
pub mod view;
pub mod webhook;

pub use digest::Digest;
