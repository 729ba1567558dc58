//! The local endpoint: one socket of this user, HTTP/1.1 on it. Only here is HTTP known. Checks who connects before
//! anything is read; what a request means is the tools' and the engine's business.

mod admin;
mod bodies;
mod counted;
mod follow;
mod forget;
mod listener;
#[cfg(windows)]
mod owner_only;
mod peer;
mod roots;
mod router;

pub(crate) use listener::adopt;
pub use listener::{ListenError, Listening, check, listen};
pub use router::{Door, Stop, serve};
