//! Rows as callers see them: made of what may leave, spelled once, in camelCase. Reads nothing, decides nothing.

pub mod action;
pub mod asked;
pub mod decision;
pub mod goal;
pub mod interaction;
pub mod operation;
pub mod report;
pub mod review;
pub mod turn;
pub mod waits;
mod words;
pub mod workflow;

use crate::clock::iso;
use common::{
    safe::{Redactor, SafeText},
    time::Timestamp,
};

/// An object that another tool announces in full: the same schema in each tool would be read with every list of them.
pub(crate) type Anything = serde_json::Map<String, serde_json::Value>;

pub(super) fn when(at: Timestamp) -> SafeText {
    Redactor.text(&iso(at))
}

pub(super) fn when_opt(at: Option<Timestamp>) -> Option<SafeText> {
    at.map(when)
}
