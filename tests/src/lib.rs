//! The harness: a home of its own for each test, the real codex, a scripted provider, and clients that speak to the
//! real programs. Nothing here is shipped but the provider and the demo.

pub mod client;
pub mod codex;
pub mod fuzz;
pub mod home;
pub mod mcp;
pub mod provider;
