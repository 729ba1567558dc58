//! Where one instance keeps its things: configuration, state, sockets, logs, lock files.
//! `CODEXCP_HOME` puts all of it into one folder; two homes never meet. Reads the environment, creates nothing.

use std::path::{Path, PathBuf};

/// Longest socket path that every unix takes, with room to spare (macOS: 104 bytes with the closing zero).
const SOCKET_PATH_BYTES_MAX: usize = 100;

#[derive(Debug, Clone)]
pub struct Place {
    /// Holds the state database and the lock files.
    pub home: PathBuf,
    pub config_file: PathBuf,
    pub logs_dir: PathBuf,
    /// Holds the sockets; 0700.
    pub run_dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum NoHome {
    #[error("could not find a home folder for this user; set CODEXCP_HOME to a folder of your own")]
    None,
    /// Each folder would get a daemon of its own.
    #[error("CODEXCP_HOME={0} is no absolute path; set it to one")]
    Relative(String),
}

impl Place {
    /// From `CODEXCP_HOME`, else the usual folders of this system.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place outside config/ that must know the environment: every program starts here"
    )]
    pub fn from_environment() -> Result<Place, NoHome> {
        match std::env::var_os("CODEXCP_HOME").filter(|home| !home.is_empty()) {
            Some(home) if Path::new(&home).is_absolute() => Ok(Place::named(Path::new(&home))),
            Some(home) => Err(NoHome::Relative(home.to_string_lossy().into_owned())),
            None => Place::usual(),
        }
    }

    /// Where `CODEXCP_HOME` is not set.
    pub fn usual() -> Result<Place, NoHome> {
        let dirs = directories::ProjectDirs::from("", "", "codexcp").ok_or(NoHome::None)?;
        let home = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_path_buf();
        Ok(Place { config_file: dirs.config_dir().join("config.toml"), logs_dir: home.join("logs"), run_dir: run_dir(&home), home })
    }

    /// As `CODEXCP_HOME` names it, relative to where this program was started.
    pub fn named(home: &Path) -> Place {
        Place::in_folder(&absolute(home))
    }

    /// Everything in one folder.
    pub fn in_folder(home: &Path) -> Place {
        Place { config_file: home.join("config.toml"), logs_dir: home.join("logs"), run_dir: run_dir(home), home: home.to_path_buf() }
    }

    pub fn state_file(&self) -> PathBuf {
        self.home.join("state.sqlite3")
    }

    /// Held by the daemon for its life; its text names the holder.
    pub fn daemon_lock(&self) -> PathBuf {
        self.home.join("daemon.lock")
    }

    /// Held by whoever starts a daemon, until it answers.
    pub fn start_lock(&self) -> PathBuf {
        self.home.join("start.lock")
    }

    /// What only this home knows: names that others must not guess are made with it.
    pub fn instance_key(&self) -> PathBuf {
        self.home.join("instance.key")
    }

    /// The folders that are ours: nobody works in them, and no sandboxed command looks into them. None lies in another.
    pub fn own_folders(&self) -> Vec<PathBuf> {
        let config = self.config_file.parent().map(Path::to_path_buf);
        let mut all: Vec<PathBuf> = vec![self.home.clone()];
        for folder in config.into_iter().chain([self.run_dir.clone(), self.logs_dir.clone()]) {
            if !all.iter().any(|known| folder.starts_with(known)) {
                all.push(folder);
            }
        }
        all
    }

    /// Names the holder of the lock. A file of its own: a locked one cannot be read on Windows.
    pub fn daemon_pid(&self) -> PathBuf {
        self.home.join("daemon.pid")
    }

    /// What a daemon said that ended before it could log, and had nobody to say it to.
    pub fn last_words(&self) -> PathBuf {
        self.logs_dir.join("last-words.txt")
    }

    #[cfg(unix)]
    pub fn daemon_socket(&self) -> PathBuf {
        self.run_dir.join("d.sock")
    }

    /// A pipe's name is known to the whole machine, so it is made of what only this home knows: nobody else can take it first,
    /// two homes never meet, and a home is the same however it is spelled. Before its first start a home has none.
    #[cfg(windows)]
    pub fn daemon_socket(&self) -> PathBuf {
        const KEY_CHARS_MIN: usize = 32;
        let user = crate::owner::own_sid().unwrap_or_default();
        let key = crate::files::read_text(&self.instance_key(), crate::files::SETTINGS_BYTES_MAX).unwrap_or_default();
        let of_home = Some(key.trim().to_owned()).filter(|key| key.len() >= KEY_CHARS_MIN);
        let of_home = of_home.unwrap_or_else(|| self.home.to_string_lossy().to_lowercase());
        let hash = blake3::hash(format!("{user}\n{of_home}").as_bytes()).to_hex();
        PathBuf::from(format!(r"\\.\pipe\codexcp-{}", &hash[..32]))
    }

    pub fn app_server_socket(&self) -> PathBuf {
        self.run_dir.join("a.sock")
    }
}

/// In the home where the longest socket name fits, else a folder of this home in the user's own folder for such things, else
/// under `/tmp`. That folder is looked for and not read from `XDG_RUNTIME_DIR`: most MCP clients do not hand it on, and
/// whoever looks for the daemon must look where it is. Windows has pipes, which lie nowhere.
fn run_dir(home: &Path) -> PathBuf {
    let inside = home.join("run");
    if cfg!(windows) || inside.as_os_str().len() + "/d.sock".len() <= SOCKET_PATH_BYTES_MAX {
        return inside;
    }
    let hash = blake3::hash(home.as_os_str().as_encoded_bytes()).to_hex();
    runtime_dir().unwrap_or_else(|| PathBuf::from("/tmp")).join(format!("codexcp-{}", &hash[..16]))
}

/// Nobody else can put anything there first, as they can in `/tmp`.
#[cfg(unix)]
fn runtime_dir() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    let folder = PathBuf::from(format!("/run/user/{user}"));
    folder.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == user && meta.mode() & 0o077 == 0).then_some(folder)
}

#[cfg(not(unix))]
fn runtime_dir() -> Option<PathBuf> {
    None
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_homes_share_no_path() {
        let (a, b) = (Place::in_folder(Path::new("/a")), Place::in_folder(Path::new("/b")));
        assert_ne!(a.daemon_socket(), b.daemon_socket());
        assert_ne!(a.state_file(), b.state_file());
    }

    /// FAULTS W5, W10.
    #[cfg(windows)]
    #[test]
    fn a_home_has_one_pipe_however_it_is_spelled_and_its_name_cannot_be_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let (home, other) = (folder.path().join("Home"), folder.path().join("Other"));
        for (one, key) in [(&home, "a"), (&other, "b")] {
            std::fs::create_dir(one).unwrap();
            std::fs::write(one.join("instance.key"), key.repeat(32)).unwrap();
        }
        let pipe = |text: String| Place::named(Path::new(&text)).daemon_socket();
        let text = home.to_string_lossy().into_owned();
        let guessed = Place::named(&folder.path().join("nowhere")).daemon_socket();
        assert_eq!(pipe(format!("{text}\\")), pipe(text.clone()));
        assert_eq!(pipe(format!(r"\\?\{text}")), pipe(text.to_uppercase()));
        assert_ne!(pipe(text.clone()), pipe(other.to_string_lossy().into_owned()));
        std::fs::remove_file(home.join("instance.key")).unwrap();
        assert_ne!(pipe(text), guessed);
    }

    #[test]
    fn a_long_home_gets_a_short_socket_path_of_its_own() {
        let long = |name: &str| Place::in_folder(Path::new(&format!("/{}/{name}", "x".repeat(200)))).daemon_socket();
        assert!(long("a").as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
    }
}
