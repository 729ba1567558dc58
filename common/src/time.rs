//! Time as whole milliseconds. Nothing here reads a clock: `daemon/src/clock.rs` is the only one.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

impl Timestamp {
    /// So long ago.
    pub fn before(self, by: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(by.0))
    }
}

impl std::ops::Add<Millis> for Timestamp {
    type Output = Timestamp;
    fn add(self, rest: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(rest.0))
    }
}

impl std::ops::Sub for Timestamp {
    type Output = Millis;
    fn sub(self, earlier: Timestamp) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}
