//! What a tool gets: few, narrow handles, and who asks. A tool that needs a sixth handle is a design question.

use crate::{appserver::Inventory, config::Config, engine::Engine, projects::Policy, store::Reader};
use common::ids::ThreadId;
use std::sync::Arc;

#[derive(Clone)]
pub struct Cx {
    pub engine: Engine,
    pub reader: Reader,
    pub inventory: Inventory,
    pub policy: Policy,
    pub config: Arc<Config>,
    pub caller: Caller,
}

/// Who asks, and over what.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// `shim`, `codexcp`, or what else the header said.
    pub program: String,
    /// Names the connection: the shim's nonce.
    pub connection: String,
    /// With `connection`: the key of a write call that brought none of its own.
    pub call: Option<String>,
    /// The codex thread of a caller that is codex.
    pub thread: Option<ThreadId>,
    pub standing: Standing,
    /// Digest of the contract's variables in the caller's environment, where it sent one.
    pub environment: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// A program of this user.
    #[default]
    User,
    /// Runs below our app-server: may ask bare reads only (ARCHITECTURE 21.18, 21.19).
    BelowAppServer,
}
