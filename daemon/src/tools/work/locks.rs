//! From the resource keys of a call to the paths that its turn will hold. Follows links, so that two spellings of one
//! place are one. Holds nothing itself.

use crate::tools::ToolError;
use domain::locks::LockPath;
use std::path::{Path, PathBuf};

/// Spaces collapsed, each key once (BEHAVIOUR 7).
pub(super) fn resource_keys(given: Vec<String>) -> Result<Vec<String>, ToolError> {
    let mut keys: Vec<String> = Vec::with_capacity(given.len());
    for key in given {
        let key = key.split_whitespace().collect::<Vec<_>>().join(" ");
        if key.is_empty() {
            return Err(ToolError::invalid("argument resource_keys: a key must not be blank"));
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// What a turn that may write holds: its keys in the project, or all of it. A key is a path in the project, or a name.
/// One that works in a folder outside its project writes there, whatever keys it names: it holds that folder too.
pub(super) fn writes(root: &Path, cwd: &Path, keys: &[String]) -> Result<Vec<LockPath>, ToolError> {
    let root = real(root);
    let whole = LockPath::whole(&root.to_string_lossy());
    let path_of = |key: &String| {
        let inside = whole.within(key).map_err(|why| ToolError::invalid(&format!("argument resource_keys: `{key}` {why}")))?;
        Ok(LockPath::whole(&real(Path::new(inside.as_str())).to_string_lossy()))
    };
    let mut paths = match keys {
        [] => vec![whole.clone()],
        keys => keys.iter().map(path_of).collect::<Result<_, ToolError>>()?,
    };
    let cwd = real(cwd);
    if !cwd.starts_with(&root) {
        paths.push(LockPath::whole(&cwd.to_string_lossy()));
    }
    Ok(if cfg!(windows) { paths.into_iter().map(LockPath::as_on_windows).collect() } else { paths })
}

/// The path with its links followed, as far as it exists: a key may name what is yet to be made.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (dunce::canonicalize(above), path.strip_prefix(above)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

// A link is made without special rights on unix only.
#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_place_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(folder.path()).unwrap();
        std::fs::create_dir(root.join("src")).unwrap();
        std::os::unix::fs::symlink(root.join("src"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(&root, root.join("same")).unwrap();
        let held = |root: &Path, keys: &[&str]| writes(root, root, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).unwrap();
        assert_eq!(held(&root, &["link/new/file"]), held(&root, &["src/new/file"]));
        assert_eq!(held(&root.join("same"), &["src/"]), held(&root, &["./src"]));
        assert_eq!(held(&root.join("same"), &[]), held(&root, &[]));
        assert!(writes(&root, &root, &["../other".to_owned()]).is_err());
        let elsewhere = tempfile::tempdir().unwrap();
        let beside = writes(&root, elsewhere.path(), &["src".to_owned()]).unwrap();
        assert!(writes(elsewhere.path(), elsewhere.path(), &[]).unwrap().iter().all(|path| beside.contains(path)), "{beside:?}");
    }
}
