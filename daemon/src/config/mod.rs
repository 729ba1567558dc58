//! Configuration: defaults < file < environment < flags, resolved once into an immutable `Config`.
//! Every value keeps its origin. Only here is the environment read.

mod approvals;
mod resolve;
mod settings;
mod table;
mod values;

pub use resolve::{ConfigError, Shown, resolve};
pub use settings::{Kind, SETTINGS};
pub use table::table;
pub use values::{Config, History, LinkKind, passed_environment, variable};
