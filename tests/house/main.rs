//! The rules of the house that no compiler keeps: sizes, opening comments, golden files, the contract, the words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod rules;
mod wire;
