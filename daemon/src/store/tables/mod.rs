//! One file a table: the row as a type, and the statements that read and write it.

pub mod app_server;
pub mod effects;
pub mod events;
pub mod firsts;
pub mod goals;
pub mod history;
pub mod interactions;
pub mod messages;
pub mod operations;
pub mod pauses;
pub mod plans;
pub mod provider_limit;
pub mod schedule;
mod spec;
pub mod turns;
pub mod workflows;
