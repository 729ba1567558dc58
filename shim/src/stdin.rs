//! The lines of the MCP client. Pipes and sockets are read where the rest of the shim works; what cannot be waited for
//! that way (files, terminals, everything on Windows) is read by a thread of its own. Knows nothing of what a line says.

use common::wire;
use std::io::{BufRead, Read};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::mpsc,
};

/// Lines that the thread reads ahead of a daemon that is away or busy.
const LINES_WAITING_MAX: usize = 8;

pub(crate) struct Lines {
    source: Source,
    /// What has come of the next one.
    line: Vec<u8>,
}

enum Source {
    Here(BufReader<Box<dyn AsyncRead + Unpin>>),
    Thread(mpsc::Receiver<Vec<u8>>),
}

impl Lines {
    /// Needs the runtime. An error means that the system gives no more threads.
    pub(crate) fn of_stdin() -> std::io::Result<Lines> {
        let source = match waitable() {
            Some(stdin) => Source::Here(BufReader::new(stdin)),
            None => Source::Thread(thread()?),
        };
        Ok(Lines { source, line: Vec::new() })
    }

    /// A line with its end. One that is longer than the daemon takes comes in pieces, so that it is never held as a
    /// whole; the daemon passes over it and answers. `None`: the client closed its end. May be dropped at any moment.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        let stdin = match &mut self.source {
            Source::Here(stdin) => stdin,
            Source::Thread(lines) => return lines.recv().await,
        };
        loop {
            // A read that fails is an end like any other.
            let there = stdin.fill_buf().await.unwrap_or_default();
            if there.is_empty() {
                return (!self.line.is_empty()).then(|| ended(std::mem::take(&mut self.line)));
            }
            let room = &there[..there.len().min(wire::LINE_BYTES_MAX + 1 - self.line.len())];
            let taken = room.iter().position(|byte| *byte == b'\n').map_or(room.len(), |at| at + 1);
            self.line.extend_from_slice(&room[..taken]);
            stdin.consume(taken);
            if self.line.ends_with(b"\n") || self.line.len() > wire::LINE_BYTES_MAX {
                return Some(std::mem::take(&mut self.line));
            }
        }
    }
}

/// Not where the answers go to the same thing: a write to it must be able to wait.
#[cfg(unix)]
fn waitable() -> Option<Box<dyn AsyncRead + Unpin>> {
    use rustix::fs::{FileType, fstat};
    use std::os::fd::AsFd;
    let stdin = fstat(std::io::stdin()).ok()?;
    let is_stdin = |other: rustix::fs::Stat| (other.st_dev, other.st_ino) == (stdin.st_dev, stdin.st_ino);
    if fstat(std::io::stdout()).is_ok_and(is_stdin) || fstat(std::io::stderr()).is_ok_and(is_stdin) {
        return None;
    }
    let handle = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    match FileType::from_raw_mode(stdin.st_mode) {
        FileType::Fifo => Some(Box::new(tokio::net::unix::pipe::Receiver::from_owned_fd(handle).ok()?)),
        FileType::Socket => {
            let socket = std::os::unix::net::UnixStream::from(handle);
            socket.set_nonblocking(true).ok()?;
            Some(Box::new(tokio::net::UnixStream::from_std(socket).ok()?))
        }
        _ => None,
    }
}

#[cfg(windows)]
fn waitable() -> Option<Box<dyn AsyncRead + Unpin>> {
    None
}

/// A read of stdin cannot be cancelled; and the library would go to another thread for each.
fn thread() -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    const PIECE_BYTES_MAX: u64 = wire::LINE_BYTES_MAX as u64 + 1;
    let (sender, lines) = mpsc::channel(LINES_WAITING_MAX);
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match (&mut stdin).take(PIECE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(n) if n > 0 => {}
                _ => return,
            }
            let piece = line.len() > wire::LINE_BYTES_MAX;
            if sender.blocking_send(if line.ends_with(b"\n") || piece { line } else { ended(line) }).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}

fn ended(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}
