//! The real codex: the one on PATH where its version fits, else npm's, fetched once into a cache folder of its own. Which
//! version is said by the environment: the suite runs on the oldest and on the newest that are supported.
//! Installs nothing anywhere else.

use anyhow::{Context, bail};
use common::codex;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// `oldest`, `newest`, or a version; without it the oldest, or the one on PATH where that is not older.
const VARIABLE: &str = "CODEXCP_TEST_CODEX";

/// The native binary. Fetches it on the first call of a machine; says so on stderr through `tell`.
pub fn native(tell: impl Fn(&str)) -> anyhow::Result<PathBuf> {
    let wanted = wanted();
    if wanted.is_none()
        && let Some(found) = on_path()
    {
        return Ok(found);
    }
    let version = match wanted.as_deref() {
        None | Some("oldest") => codex::words(codex::OLDEST),
        Some("newest") => codex::words(codex::NEWEST),
        Some(version) => version.to_owned(),
    };
    let cache = cache_folder(&version)?;
    std::fs::create_dir_all(&cache).with_context(|| format!("could not create {}", cache.display()))?;
    let lock = File::create(cache.join("lock")).context("could not create the lock of the cache")?;
    lock.lock().context("could not wait for the lock of the cache")?;
    if let Some(found) = in_cache(&cache) {
        return Ok(found);
    }
    tell(&format!("fetching the codex CLI {version} with npm into {} (once)", cache.display()));
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let done = Command::new(npm)
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(&cache)
        .arg(format!("@openai/codex@{version}"))
        .output()
        .context("could not run npm; install node and npm, or put a codex of version 0.169.0 or newer on PATH")?;
    if !done.status.success() {
        bail!("npm could not install @openai/codex@{version}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    in_cache(&cache).context("npm installed @openai/codex without a native binary for this system")
}

#[expect(clippy::disallowed_methods, reason = "the harness stands outside the daemon and reads its own environment")]
fn on_path() -> Option<PathBuf> {
    let path = std::env::var("PATH").ok()?;
    let found = daemon::appserver::find_codex(None, Some(&path)).ok()?;
    let says = Command::new(&found.binary).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&says.stdout).into_owned();
    let version = codex::numbers(codex::printed(&text)?)?;
    (codex::standing(version) != codex::Standing::TooOld).then_some(found.binary)
}

#[expect(clippy::disallowed_methods, reason = "the harness stands outside the daemon and reads its own environment")]
fn wanted() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())
}

fn in_cache(cache: &Path) -> Option<PathBuf> {
    let launcher = cache.join("node_modules/@openai/codex/bin/codex.js");
    let found = daemon::appserver::find_codex(Some(&launcher), None).ok()?;
    (found.binary != launcher && found.binary.extension().is_none_or(|e| e != "js")).then_some(found.binary)
}

#[expect(clippy::disallowed_methods, reason = "the harness stands outside the daemon and reads its own environment")]
fn cache_folder(version: &str) -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("LOCALAPPDATA")).map(|home| PathBuf::from(home).join(".cache"));
    let base = base.or(home).context("could not find a cache folder; set XDG_CACHE_HOME")?;
    Ok(base.join("codexcp").join(format!("codex-{version}")))
}
