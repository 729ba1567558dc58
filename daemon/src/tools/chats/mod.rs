//! What there is to work on.

pub mod projects;
