//! The two programs that ask the daemon: the stdio shim that MCP clients start, and the admin command.
//! Neither knows a tool, the store or MCP: the shim relays lines, the command calls tools by name.

pub mod autostart;
pub mod codexcp;
mod environment;
mod holder;
mod login;
mod relay;
mod service;
mod stdio;

pub use login::main_impl as login_main;
pub use relay::{Head, head_of, id_of_answer, main_impl as shim_main};
