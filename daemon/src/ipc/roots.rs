//! Which folders work may go to, as the owner says it while the daemon runs: `codexcp allow` and `disallow`. Writes the
//! configuration file; decides nothing about work that is under way.

use super::router::Door;
use crate::{config, tools::ToolError};
use common::{error::ErrorCode, files};
use serde_json::{Value, json};
use std::path::Path;

/// Written to the configuration file first, so that it holds after a restart too.
pub(super) fn allow(door: &Door, path: &Path) -> Result<Value, ToolError> {
    let root = dunce::canonicalize(path).ok().filter(|path| path.is_dir());
    let root = root
        .ok_or_else(|| ToolError::invalid(&format!("{} does not exist or is not a folder; name a folder that exists", path.display())))?;
    if let Some(own) = door.policy.own_below(&root) {
        let sentence = format!(
            "{} contains the control plane's own folder {}; allow the folders of your projects one by one",
            root.display(),
            own.display()
        );
        return Err(ToolError::new(ErrorCode::Refused, &sentence));
    }
    let overridden = is_overridden(door);
    let add = |roots: &mut toml_edit::Array| {
        let text = root.to_string_lossy();
        if !roots.iter().any(|one| one.as_str() == Some(&text)) {
            roots.push(text.as_ref());
        }
    };
    write(door, add)?;
    door.policy.allow(root.clone());
    let note = overridden.then_some("CODEX_ALLOWED_ROOTS is set and counts after the next start; add the folder there too");
    Ok(json!({"allowed": root, "roots": door.policy.roots(), "configFile": door.place.config_file, "note": note}))
}

/// The folder need not be there any more. What a variable names is allowed again at the next start.
pub(super) fn disallow(door: &Door, path: &Path) -> Result<Value, ToolError> {
    let root = dunce::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if !door.policy.roots().contains(&root) {
        return Err(ToolError::invalid(&format!("{} is none of the allowed folders; `codexcp config` shows them", root.display())));
    }
    let is_it = |text: &str| Path::new(text) == root || dunce::canonicalize(text).is_ok_and(|real| real == root);
    write(door, |roots| roots.retain(|one| !one.as_str().is_some_and(is_it)))?;
    door.policy.take_back(&root);
    let note = is_overridden(door).then_some("CODEX_ALLOWED_ROOTS is set and counts after the next start; take the folder out there too");
    Ok(json!({"disallowed": root, "roots": door.policy.roots(), "configFile": door.place.config_file, "note": note}))
}

fn is_overridden(door: &Door) -> bool {
    door.config.shown.iter().any(|one| one.key == "allowed_roots" && one.origin.starts_with("environment"))
}

fn write(door: &Door, change: impl FnOnce(&mut toml_edit::Array)) -> Result<(), ToolError> {
    let path = &door.place.config_file;
    let failed = |why: String| ToolError::invalid(&format!("could not write {}: {why}", path.display()));
    let text = match files::read_text(path, files::SETTINGS_BYTES_MAX) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
        text => text.unwrap_or_default(),
    };
    config::table(&text).map_err(failed)?;
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| failed(e.to_string()))?;
    let roots = document.entry("allowed_roots").or_insert(toml_edit::value(toml_edit::Array::new()));
    change(roots.as_array_mut().ok_or_else(|| failed("allowed_roots is not a list".to_owned()))?);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
    }
    // Beside, then renamed: a crash leaves the old file or the new one.
    let beside = path.with_extension("toml.new");
    let written = std::fs::write(&beside, document.to_string()).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // Half of it helps nobody; what is in the way is told.
        drop(std::fs::remove_file(&beside));
        failed(format!("{error}; close it where it is open"))
    })
}
