//! Names of things, each its own type so that one cannot be passed for another.
//! An id is opaque text: nothing here parses one or makes one up.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

id! {
    /// One accepted piece of work: UUIDv7 text.
    OperationId
    /// A plan or review workflow.
    WorkflowId
    /// A codex thread: UUIDv7 text made by the app-server.
    ThreadId
    /// A codex turn.
    TurnId
    /// A codex item inside a turn.
    ItemId
    /// A question of the app-server to a person: `int_` and 32 hex digits.
    InteractionId
    /// A request of the app-server: its own id as JSON, a number or a text (the schema allows both).
    ServerRequestId
    /// Something done to a whole thread: `tla_` and 32 hex digits, the number of its operation.
    ActionId
    /// What makes a submit repeatable: the caller's own id, or one made from its connection and call.
    RequestKey
    /// Our id of a user message; the app-server hands it back as `clientId` (PROTOCOL 5).
    ClientMessageId
    /// A project: UUIDv5 of its path, or the id its registry entry carries.
    ProjectId
}

impl OperationId {
    /// The part people see: the last 8 characters (the first ones of a UUIDv7 are time).
    pub fn short(&self) -> &str {
        let start = self.0.len().saturating_sub(8);
        self.0.get(start..).unwrap_or(&self.0)
    }
}

/// A place in the one feed of events. `0` is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Cursor(pub i64);

/// One life of the app-server process. What carries an older generation is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Generation(pub i64);

/// A row of the effects table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub i64);
