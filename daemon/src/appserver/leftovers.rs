//! Empty folders that codex's sandbox leaves in a project: to protect what is not there it puts something in its place, and
//! does not always take it away (seen with codex 0.169.0 and 0.171.0 where a profile hides a folder). Removes a folder only
//! if it was not there before the turn and is still empty.

use common::ids::ThreadId;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const NAMES: [&str; 4] = [".agents", ".aws", ".codex", ".git"];

/// The folders that turns work in. While one of them works nothing is removed there: its sandbox may be in the making.
#[derive(Default)]
pub(super) struct Leftovers(Mutex<Folders>);

#[derive(Default)]
struct Folders {
    of_threads: HashMap<ThreadId, PathBuf>,
    absent: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Leftovers {
    /// Before a turn is sent. What is not there now, or was not there before the first of several turns, may go later.
    pub(super) fn look(&self, thread: &ThreadId, folder: &Path) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.of_threads.insert(thread.clone(), folder.to_owned());
        let missing = || NAMES.iter().map(|name| folder.join(name)).filter(|path| path.symlink_metadata().is_err()).collect();
        all.absent.entry(folder.to_owned()).or_insert_with(missing);
    }

    /// The turn is over.
    pub(super) fn remove(&self, thread: &ThreadId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(folder) = all.of_threads.remove(thread) else { return };
        if all.of_threads.values().any(|other| *other == folder) {
            return;
        }
        for path in all.absent.remove(&folder).into_iter().flatten() {
            // Refused where something is in it, or it is not there: both are as it should be.
            if std::fs::remove_dir(&path).is_ok() {
                tracing::debug!("removed an empty folder that a sandbox left");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_there_and_is_still_empty_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (leftovers, thread, other) = (Leftovers::default(), ThreadId::new("t"), ThreadId::new("u"));
        std::fs::create_dir(folder.path().join(".codex")).unwrap();
        leftovers.look(&thread, folder.path());
        for name in [".git", ".aws"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join(".git/HEAD"), "x").unwrap();
        leftovers.look(&other, folder.path());
        leftovers.remove(&thread);
        assert!(folder.path().join(".aws").exists(), "another turn works there");
        leftovers.remove(&other);
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".codex", ".git"]);
    }
}
