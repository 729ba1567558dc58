//! The programs as users build them: `cargo build --release`, exactly as the README says. Not those of this build,
//! whose features and profile may differ.

use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[derive(Debug, Clone)]
pub struct Programs {
    pub daemon: PathBuf,
    pub shim: PathBuf,
    pub codexcp: PathBuf,
    /// This program itself: it plays codex when it is called `app-server` (`fake_codex.rs`).
    pub codex: PathBuf,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// Builds them where they are not up to date, and says where they are.
pub fn build() -> anyhow::Result<Programs> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--message-format=json-render-diagnostics"]).current_dir(root());
    let built = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("could not run cargo")?;
    if !built.status.success() {
        bail!("the release build failed");
    }
    let said = String::from_utf8_lossy(&built.stdout).into_owned();
    let at = |name: &str| program(&said, name).with_context(|| format!("cargo did not say where {name} is"));
    Ok(Programs {
        daemon: at("codexcp-daemon")?,
        shim: at("codex-control-plane-mcp")?,
        codexcp: at("codexcp")?,
        codex: std::env::current_exe()?,
    })
}

fn program(said: &str, name: &str) -> Option<PathBuf> {
    let artifacts = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut ours = artifacts.filter(|one| one["reason"] == "compiler-artifact" && one["target"]["name"] == name);
    ours.find_map(|one| one["executable"].as_str().map(PathBuf::from))
}
