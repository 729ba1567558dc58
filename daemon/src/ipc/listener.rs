//! The socket: in a folder that is ours alone, with a lock file besides it that says who holds it.

#[cfg(windows)]
use super::owner_only;
use super::{counted::Counted, peer::Peer};
use crate::{descriptors, engine::Head, own, service::Handed, tools::Standing};
use common::{files, place::Place};
use interprocess::local_socket::{
    GenericFilePath, ListenerOptions, ToFsName,
    tokio::{Listener, Stream, prelude::*},
};
#[cfg(unix)]
use interprocess::os::unix::uds_local_socket::tokio::Listener as UdsListener;
use std::{
    fs::File,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("another daemon already serves this home ({holder}); stop it with `codexcp daemon stop`, or set CODEXCP_HOME")]
    Held { holder: String },
    #[error("could not prepare {path}: {why}; check that it belongs to you and is writable")]
    Folder { path: std::path::PathBuf, why: String },
    #[error("could not listen on {path}: {why}")]
    Socket { path: std::path::PathBuf, why: String },
}

/// The single-daemon lock. Held as long as this lives.
pub struct Listening {
    listener: Listener,
    #[cfg(unix)]
    watched: Watched,
    _lock: File,
}

/// Whoever finds the home held and nobody listening sends a signal: a socket can be removed, and nothing tells its owner
/// (FAULTS C17). A pipe of Windows cannot.
#[cfg(unix)]
struct Watched {
    place: Place,
    /// Which file the socket is; another one in its place is not ours.
    mark: Option<Mark>,
    told: tokio::signal::unix::Signal,
}

/// Device and number of a file.
#[cfg(unix)]
type Mark = (u64, u64);

/// Folders 0700, socket 0600, one daemon a home.
pub fn listen(place: &Place) -> Result<Listening, ListenError> {
    // Before anybody can see that we hold the home: whoever does may tell us at once.
    #[cfg(unix)]
    let told = told(place)?;
    let lock = prepare(place)?;
    let listener = bind(place)?;
    Ok(Listening {
        listener,
        #[cfg(unix)]
        watched: Watched { mark: mark(place), place: place.clone(), told },
        _lock: lock,
    })
}

fn bind(place: &Place) -> Result<Listener, ListenError> {
    let path = place.daemon_socket();
    let failed = |why: io::Error| ListenError::Socket { path: path.clone(), why: why.to_string() };
    let name = path.as_os_str().to_fs_name::<GenericFilePath>().map_err(failed)?;
    // We hold the lock, so a socket that is there is a dead one.
    let options = ListenerOptions::new().name(name).try_overwrite(true);
    #[cfg(unix)]
    let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
    #[cfg(windows)]
    let options = {
        let descriptor = owner_only::pipe_descriptor().map_err(failed)?;
        interprocess::os::windows::local_socket::ListenerOptionsExt::security_descriptor(options, descriptor)
    };
    options.create_tokio().map_err(failed)
}

#[cfg(unix)]
fn told(place: &Place) -> Result<tokio::signal::unix::Signal, ListenError> {
    let failed = |why: io::Error| ListenError::Socket { path: place.daemon_socket(), why: why.to_string() };
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).map_err(failed)
}

#[cfg(unix)]
fn mark(place: &Place) -> Option<Mark> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(place.daemon_socket()).ok().map(|meta| (meta.dev(), meta.ino()))
}

impl Listening {
    /// The next connection. Listens anew first, where somebody says that the socket is gone and it is.
    #[cfg(unix)]
    async fn accept(&mut self) -> io::Result<Stream> {
        loop {
            tokio::select! {
                stream = self.listener.accept() => return stream,
                _ = self.watched.told.recv() => self.listen_again(),
            }
        }
    }

    #[cfg(not(unix))]
    async fn accept(&mut self) -> io::Result<Stream> {
        self.listener.accept().await
    }

    #[cfg(unix)]
    fn listen_again(&mut self) {
        let place = self.watched.place.clone();
        if self.watched.mark.is_some() && mark(&place) == self.watched.mark {
            return;
        }
        let again =
            own_folder(&place.run_dir).map_err(|why| ListenError::Folder { path: place.run_dir.clone(), why }).and_then(|()| bind(&place));
        match again {
            Ok(listener) => {
                // The old one would remove the file of its name when it goes, which is the new one's now.
                self.listener.do_not_reclaim_name_on_drop();
                self.listener = listener;
                self.watched.mark = mark(&place);
                tracing::warn!("the socket was gone; the daemon listens on a new one");
            }
            Err(error) => tracing::error!(%error, "the socket is gone, and there is no new one"),
        }
    }
}

/// As `listen`, on the socket that a service manager bound and keeps: it is there before us and after us.
#[cfg(unix)]
pub(crate) fn adopt(place: &Place, socket: Handed) -> Result<Listening, ListenError> {
    let told = told(place)?;
    let lock = prepare(place)?;
    let path = place.daemon_socket();
    let failed = |why: io::Error| ListenError::Socket { path: path.clone(), why: why.to_string() };
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
    let listener = UdsListener::try_from(std::os::fd::OwnedFd::from(socket)).map_err(failed)?;
    Ok(Listening { listener: listener.into(), watched: Watched { mark: mark(place), place: place.clone(), told }, _lock: lock })
}

#[cfg(not(unix))]
pub(crate) fn adopt(_place: &Place, socket: Handed) -> Result<Listening, ListenError> {
    match socket {}
}

fn prepare(place: &Place) -> Result<File, ListenError> {
    for folder in [&place.home, &place.logs_dir, &place.run_dir] {
        own_folder(folder).map_err(|why| ListenError::Folder { path: folder.clone(), why })?;
    }
    let lock = hold(place)?;
    // The name of a pipe is made of it, and only now nobody else makes one.
    own::key(place).map_err(|why| ListenError::Folder { path: place.instance_key(), why: why.to_string() })?;
    Ok(lock)
}

/// Whether the folders that a start needs can be had. Leaves nothing behind.
pub fn check(place: &Place) -> Result<(), ListenError> {
    for folder in [&place.home, &place.logs_dir, &place.run_dir] {
        usable(folder).map_err(|why| ListenError::Folder { path: folder.clone(), why })?;
    }
    Ok(())
}

/// Tried, not asked for: what a file system says that it allows is not what it does.
fn usable(path: &Path) -> Result<(), String> {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    if !there.is_dir() {
        return Err(format!("{} is not a folder", there.display()));
    }
    #[cfg(unix)]
    if there == path && !is_ours(&std::fs::metadata(path).map_err(|e| e.to_string())?) {
        return Err("it belongs to another user".to_owned());
    }
    let trial = there.join(format!(".codexcp-{}", std::process::id()));
    std::fs::create_dir(&trial).and_then(|()| std::fs::remove_dir(&trial)).map_err(|e| e.to_string())
}

#[cfg(unix)]
fn is_ours(meta: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(meta) == rustix::process::geteuid().as_raw()
}

/// Longer than anybody looks.
const LOOK_MAX: Duration = Duration::from_millis(200);

#[expect(clippy::disallowed_methods, reason = "nothing tells when a lock is free, and nobody is served yet")]
fn hold(place: &Place) -> Result<File, ListenError> {
    let path = place.daemon_lock();
    let failed = |why: io::Error| ListenError::Folder { path: path.clone(), why: why.to_string() };
    let lock = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    // Whoever only looks whether the home is held takes the lock for a moment (`shim/src/holder.rs`).
    let until = Instant::now() + LOOK_MAX;
    let mut held = lock.try_lock().is_err();
    while held && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
        held = lock.try_lock().is_err();
    }
    if held {
        let holder = files::read_text(&place.daemon_pid(), files::SETTINGS_BYTES_MAX).unwrap_or_default();
        let holder = Some(holder.trim()).filter(|text| !text.is_empty()).unwrap_or("it is just starting");
        return Err(ListenError::Held { holder: holder.to_owned() });
    }
    std::fs::write(place.daemon_pid(), format!("pid {}\n", std::process::id())).map_err(failed)?;
    Ok(lock)
}

#[cfg(unix)]
fn own_folder(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| e.to_string())?;
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !is_ours(&meta) {
        return Err("it belongs to another user".to_owned());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(|e| e.to_string())
}

#[cfg(windows)]
fn own_folder(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|e| e.to_string())?;
    owner_only::close_folder(path).map_err(|e| e.to_string())
}

/// What the HTTP server accepts from: peers that are this user's, nobody else's, and only so many at once that the
/// daemon keeps descriptors for itself. Those below codex have few places of their own: they shut nobody out.
pub(super) struct Accept {
    listening: Listening,
    places: Arc<Semaphore>,
    places_below: Arc<Semaphore>,
    head: watch::Receiver<Head>,
}

/// Connections from below codex at the same time; one more is closed at once.
const BELOW_MAX: usize = 32;

impl Accept {
    /// `head` tells which app-server is on record.
    pub(super) fn new(listening: Listening, head: watch::Receiver<Head>) -> Accept {
        let places = |count| Arc::new(Semaphore::new(count));
        Accept { listening, places: places(descriptors::connections_max()), places_below: places(BELOW_MAX), head }
    }

    pub(super) async fn next(&mut self) -> (Counted<Stream>, Peer) {
        if self.places.available_permits() == 0 {
            tracing::warn!("as many connections as may be open at once; the next ones wait");
        }
        let mut said = false;
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else { std::future::pending().await };
            match self.listening.accept().await {
                Ok(stream) => {
                    let Some(peer) = Peer::of(&stream, self.head.borrow().app_server) else {
                        tracing::warn!("a connection of another user was refused");
                        continue;
                    };
                    let place = match peer.standing {
                        Standing::User => place,
                        Standing::BelowAppServer => match self.places_below.clone().try_acquire_owned() {
                            Ok(place) => place,
                            Err(_) => {
                                tracing::warn!(limit = BELOW_MAX, "too many connections from below codex; one more was closed");
                                continue;
                            }
                        },
                    };
                    return (Counted { stream, _place: place }, peer);
                }
                Err(error) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::error!(%error, "could not accept a connection; trying again");
                    }
                    // Out of descriptors of the whole system, mostly: a moment for some to close.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
