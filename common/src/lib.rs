//! Words and wire types that two or more programs of the control plane share.
//! Nothing here decides anything; without the feature `client` nothing here does any IO.

pub mod codex;
pub mod environment;
pub mod error;
pub mod ids;
#[cfg(feature = "redact")]
mod redact;
pub mod safe;
pub mod shown;
pub mod time;
#[cfg(windows)]
pub mod windows_flags;
pub mod wire;

#[cfg(feature = "client")]
pub mod ancestry;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod files;
#[cfg(feature = "client")]
pub mod owner;
#[cfg(feature = "client")]
pub mod place;
#[cfg(all(windows, feature = "client"))]
pub mod windows_handles;
