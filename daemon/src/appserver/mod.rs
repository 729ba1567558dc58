//! The app-server: its process, the link to it, its protocol. Only here is that protocol known.
//! Nothing here changes a state: what is heard becomes causes.

pub mod effects;
pub(crate) mod failure;
mod fence;
mod find;
pub(crate) mod goals;
mod held;
mod installed;
mod inventory;
mod leftovers;
pub mod link;
pub mod look_up;
pub mod ourselves;
mod params;
pub mod process;
pub mod profile;
mod refusal;
mod rest;
pub mod rpc;
pub mod server;
pub mod start;
mod terminals;
mod threads;
pub mod translate;
mod turns;

pub use find::{Found, NotFound, find_codex};
pub use inventory::Inventory;
pub use link::Link;
pub use profile::Guard;
pub use rest::Bounds;
pub use rpc::{RpcError, TurnAsked};
pub use server::Restart;
