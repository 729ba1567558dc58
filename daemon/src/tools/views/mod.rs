//! Rows as callers see them: made of what may leave, spelled once, in camelCase. Reads nothing, decides nothing.

pub mod interaction;
pub mod operation;
pub mod report;
pub mod turn;
pub mod workflow;

use crate::clock::iso;
use common::{
    safe::{Redactor, SafeText},
    time::Timestamp,
};

pub(super) fn when(at: Timestamp) -> SafeText {
    Redactor.text(&iso(at))
}

pub(super) fn when_opt(at: Option<Timestamp>) -> Option<SafeText> {
    at.map(when)
}
