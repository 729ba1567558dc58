//! Service files: written whole or not at all, readable by this user only, and never taken for ours without the mark.

use super::ServiceError;
use std::path::{Path, PathBuf};

/// In every file that an install writes.
pub(super) const MARK: &str = "Written by `codexcp service install`";

/// A file, and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Definition {
    /// Beside, then renamed. 0600: the address of a proxy can hold a password.
    pub(super) fn write(&self) -> Result<(), ServiceError> {
        let folder = self.path.parent().ok_or(ServiceError::NoHome)?;
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let beside = self.path.with_extension("new");
        remove(&beside)?;
        let mut options = std::fs::OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside).map_err(|error| failed(&beside, &error))?;
        std::io::Write::write_all(&mut file, self.text.as_bytes()).map_err(|error| failed(&beside, &error))?;
        std::fs::rename(&beside, &self.path).map_err(|error| failed(&self.path, &error))
    }
}

/// `None` where nothing is; an error where something of somebody else is.
pub(super) fn read_ours(path: &Path) -> Result<Option<String>, ServiceError> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.contains(MARK) => Ok(Some(text)),
        Ok(_) => Err(ServiceError::Foreign(path.to_path_buf())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Gone already is as good.
pub(super) fn remove(path: &Path) -> Result<(), ServiceError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> ServiceError {
    ServiceError::File { path: path.to_path_buf(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_somebody_else_is_not_taken_for_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/codexcp.service");
        assert!(read_ours(&path).unwrap().is_none());
        let ours = Definition { path: path.clone(), text: format!("# {MARK}\n") };
        ours.write().unwrap();
        ours.write().unwrap();
        assert_eq!(read_ours(&path).unwrap().as_ref(), Some(&ours.text));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        std::fs::write(&path, "[Unit]\n").unwrap();
        assert!(matches!(read_ours(&path), Err(ServiceError::Foreign(foreign)) if foreign == path));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left beside it");
    }
}
