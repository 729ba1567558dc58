//! The app-server: its process, the link to it, its protocol. Only here is that protocol known.
//! Nothing here changes a state: what is heard becomes causes.

pub mod effects;
mod find;
mod inventory;
mod link;
mod look_up;
mod params;
pub mod process;
mod refusal;
mod rpc;
pub mod server;
mod start;
pub mod translate;

pub use find::{Found, find_codex};
pub use inventory::Inventory;
pub use link::Link;
pub use rpc::RpcError;
