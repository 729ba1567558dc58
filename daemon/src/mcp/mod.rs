//! MCP, as callers speak it: both eras on one connection, decided request by request. Only here is MCP known;
//! what the tools do is not known here.

pub mod id_scan;
mod service;
mod transport;

pub use service::serve;
