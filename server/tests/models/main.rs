//! Model versions on the real program: gates and who may let a version go on that they stopped, regression
//! cases, the registry, and switching models off.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod gates;
mod registry;
mod serving;
mod switch;
mod team;
