//! The app-server: its process, the link to it, its protocol. Only here is that protocol known.
//! Nothing here changes a state: what is heard becomes causes.

pub mod effects;
pub(crate) mod failure;
mod fence;
mod find;
pub(crate) mod goals;
mod inventory;
pub mod link;
pub mod look_up;
mod params;
pub mod process;
mod refusal;
pub mod rpc;
pub mod server;
pub mod start;
mod threads;
pub mod translate;
mod turns;

pub use find::{Found, find_codex};
pub use inventory::Inventory;
pub use link::Link;
pub use rpc::{RpcError, TurnAsked};
pub use server::Restart;
