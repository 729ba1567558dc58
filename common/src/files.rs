//! Reading a file that somebody else could have made: only a regular file, opened without waiting, and no more of it than
//! fits. A pipe would be waited on for ever, and a device never ends.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Configuration, lists of projects, tokens, pids: nobody writes more of them by hand.
pub const SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The whole text. Errors say what is wrong with the file; what is not UTF-8 is one.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let bytes = read(path, bytes_max)?;
    String::from_utf8(bytes).map_err(|_| invalid("it is not text in UTF-8".to_owned()))
}

/// The whole file, but for one that is longer than `bytes_max`, which is an error.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(invalid(format!("it is longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// To read from; whatever is no regular file is refused.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // It neither waits for the other end of a pipe nor becomes our terminal.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(invalid("it is not a regular file".to_owned())) }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "text");
        assert!(read_text(&path, 3).unwrap_err().to_string().contains("longer than 3"));
        assert!(read(folder.path(), 4).is_err());
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 4).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_and_sockets_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        for path in [pipe, folder.path().join("socket"), "/dev/zero".into(), "/dev/tty".into()] {
            assert!(read(&path, 10).is_err(), "{}", path.display());
        }
    }
}
