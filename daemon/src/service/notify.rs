//! Words to systemd (`sd_notify(3)`): a datagram to the socket that NOTIFY_SOCKET names. A word that cannot be sent is
//! logged and stops nothing.

use crate::config;
use std::os::{
    linux::net::SocketAddrExt,
    unix::net::{SocketAddr, UnixDatagram},
};

/// Does nothing where nobody asked for words.
pub(super) fn tell(word: &str) {
    let Some(name) = config::variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    if let Err(error) = send(&name, word) {
        tracing::warn!(%error, name, word, "the service manager could not be told");
    }
}

/// A name that begins with `@` is in no folder.
fn send(name: &str, word: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let bytes = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    }

    #[test]
    fn a_word_arrives_at_a_socket_in_a_folder_and_at_one_in_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap(), "READY=1").unwrap();
        assert_eq!(heard(&socket), "READY=1");
        let name = format!("codexcp-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&format!("@{name}"), "STOPPING=1").unwrap();
        assert_eq!(heard(&socket), "STOPPING=1");
    }

    #[test]
    fn nobody_who_listens_is_an_error_for_the_log() {
        assert!(send("/nowhere/n.sock", "READY=1").is_err());
    }
}
