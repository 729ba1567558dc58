//! What is our own on this machine: folders that nobody works in and no sandboxed turn sees, and the key that only this
//! home knows. Made where it is missing; never shown.

use crate::{appserver::Guard, config::Config};
use anyhow::Context;
use common::{files, place::Place};
use std::path::PathBuf;

/// Links resolved, so that a path is compared with what it leads to. Made, so that there is something to hide.
pub(crate) fn folders(place: &Place) -> Vec<PathBuf> {
    let real = |folder: PathBuf| {
        if let Err(error) = std::fs::create_dir_all(&folder) {
            tracing::debug!(%error, folder = %folder.display(), "a folder of ours could not be made");
        }
        dunce::canonicalize(&folder).unwrap_or(folder)
    };
    let mut all: Vec<PathBuf> = Vec::new();
    for folder in place.own_folders().into_iter().map(real) {
        if !all.iter().any(|known| folder.starts_with(known)) {
            all.retain(|known| !known.starts_with(&folder));
            all.push(folder);
        }
    }
    all
}

pub(crate) fn guard(place: &Place, config: &Config) -> anyhow::Result<Guard> {
    let hides = config.hide_home;
    Ok(Guard {
        hidden: if hides { folders(place) } else { Vec::new() },
        login: if hides { config.codex_home.join("auth.json") } else { PathBuf::new() },
        key: key(place).context("could not read or write instance.key in the home; check that it belongs to you and is writable")?,
        keys_in_commands: config.keys_in_commands,
    })
}

/// Made at the first start.
pub(crate) fn key(place: &Place) -> std::io::Result<String> {
    const BYTES_MAX: u64 = 200;
    let path = place.instance_key();
    match files::read_text(&path, BYTES_MAX) {
        Ok(text) if text.trim().len() >= 32 => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = uuid::Uuid::new_v4().simple().to_string();
    std::fs::write(&path, format!("{key}\n"))?;
    Ok(key)
}
