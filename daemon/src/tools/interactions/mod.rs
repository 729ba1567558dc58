//! Questions of codex to a person.

pub mod answer;
mod offered;
pub mod pending;
