//! Whether all is well.

pub mod health;
