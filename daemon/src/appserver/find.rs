//! Where codex is: the configured path, else PATH; behind npm's launcher script the native binary.
//! Runs nothing and downloads nothing.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub binary: PathBuf,
    /// Length and modification time: changes when codex is updated.
    pub mark: String,
}

#[derive(Debug, thiserror::Error)]
#[error("codex was not found ({looked}); install it with `npm install -g @openai/codex`, or set codex.binary_path")]
pub struct NotFound {
    looked: String,
}

/// `path` is the text of the PATH variable.
pub fn find_codex(configured: Option<&Path>, path: Option<&str>) -> Result<Found, NotFound> {
    if let Some(configured) = configured {
        return found(configured).ok_or_else(|| NotFound { looked: format!("{} does not exist", configured.display()) });
    }
    let names: &[&str] = if cfg!(windows) { &["codex.exe", "codex.cmd"] } else { &["codex"] };
    let folders = path.map(std::env::split_paths).into_iter().flatten();
    let candidates = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    candidates
        .filter(|candidate| is_program(candidate))
        .find_map(|candidate| found(&candidate))
        .ok_or_else(|| NotFound { looked: "not on PATH".to_owned() })
}

fn found(path: &Path) -> Option<Found> {
    let real = dunce::canonicalize(path).ok()?;
    let binary = native_behind(&real).unwrap_or(real);
    let meta = std::fs::metadata(&binary).ok()?;
    let modified = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    Some(Found { mark: format!("{}:{}", meta.len(), modified.as_millis()), binary })
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// npm installs a launcher `@openai/codex/bin/codex.js`; the platform package with the binary lies beside or below it
/// (PROTOCOL 1). Starting the binary itself saves a node process for the life of the app-server.
fn native_behind(launcher: &Path) -> Option<PathBuf> {
    let folder = launcher.parent()?;
    let package = match launcher.extension()?.to_str()? {
        "js" => folder.parent()?.to_path_buf(),
        // Windows: `codex.cmd` lies beside `node_modules`, or in `node_modules/.bin`.
        cmd if cmd.eq_ignore_ascii_case("cmd") => {
            [folder.join("node_modules/@openai/codex"), folder.join("../@openai/codex")].into_iter().find(|one| one.is_dir())?
        }
        _ => return None,
    };
    let scopes = [package.join(".."), package.join("node_modules/@openai")];
    let platforms = scopes.iter().filter_map(|scope| std::fs::read_dir(scope).ok()).flatten().filter_map(Result::ok);
    let vendors =
        platforms.filter(|entry| entry.file_name().to_string_lossy().starts_with("codex-")).map(|entry| entry.path().join("vendor"));
    let targets = vendors.filter_map(|vendor| std::fs::read_dir(vendor).ok()).flatten().filter_map(Result::ok);
    let name = if cfg!(windows) { "bin/codex.exe" } else { "bin/codex" };
    let binary = targets.map(|target| target.path().join(name)).find(|binary| is_program(binary))?;
    dunce::canonicalize(binary).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_native_binary_behind_npm_s_cmd_file_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let prefix = dunce::canonicalize(root.path()).unwrap();
        let name = if cfg!(windows) { "codex.exe" } else { "codex" };
        let native =
            prefix.join("node_modules/@openai/codex/node_modules/@openai/codex-win32-x64/vendor/x86_64-pc-windows-msvc/bin").join(name);
        program(&native);
        program(&prefix.join("codex.cmd"));
        let found = find_codex(Some(&prefix.join("codex.cmd")), None).unwrap();
        assert_eq!(found.binary, dunce::canonicalize(&native).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn the_native_binary_behind_the_npm_launcher_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().canonicalize().unwrap().join("node_modules");
        let native = modules.join("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex");
        program(&modules.join("@openai/codex/bin/codex.js"));
        program(&native);
        std::fs::create_dir_all(modules.join(".bin")).unwrap();
        std::os::unix::fs::symlink("../@openai/codex/bin/codex.js", modules.join(".bin/codex")).unwrap();
        let found = find_codex(None, modules.join(".bin").to_str()).unwrap();
        assert_eq!(found.binary, native);
    }

    #[test]
    fn a_missing_codex_says_how_to_install_it() {
        let error = find_codex(Some(Path::new("/nowhere/codex")), None).unwrap_err().to_string();
        assert!(error.contains("npm install -g @openai/codex"), "{error}");
    }
}
