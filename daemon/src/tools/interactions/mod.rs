//! Questions of codex to a person.

pub mod answer;
pub mod pending;
