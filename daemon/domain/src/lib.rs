//! The pure core: what states there are and what may happen next.
//! No clock, no randomness, no IO, no async; time and new ids are arguments.

pub mod advice;
pub mod approval;
pub mod dedup;
pub mod effect;
pub mod interaction;
pub mod locks;
pub mod operation;
pub mod retry;
pub mod review;
pub mod schedule;
pub mod supervise;
pub mod workflow;
