//! The two ends that the MCP client has of us. Pipes and sockets are read and written where the rest of the shim works;
//! what cannot be waited for that way (files, terminals, everything on Windows) is written at once and read by a thread of
//! its own. A client that writes before it reads is still read while its answers wait. Knows nothing of what a line says.

use common::wire;
use std::{
    collections::VecDeque,
    io::{BufRead, Read, Write},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
};

/// Lines read ahead of a daemon that is away or busy, or of a client that does not read.
const LINES_WAITING_MAX: usize = 8;

/// Both ends, as far as they can be waited for. Needs the runtime. An error means that the system gives no more threads.
pub(crate) fn ends() -> std::io::Result<(Lines, Answers)> {
    let lines = |source| Lines { source, line: Vec::new(), ahead: VecDeque::new(), over: false };
    Ok(match waitable() {
        Some((stdin, stdout)) => (lines(Source::Here(BufReader::new(stdin))), Answers::Here(stdout)),
        None => (lines(Source::Thread(thread()?)), Answers::AtOnce),
    })
}

pub(crate) enum Answers {
    Here(Box<dyn AsyncWrite + Unpin>),
    AtOnce,
}

impl Answers {
    /// Returns when the client's end has taken the line. What the client says meanwhile is kept for later.
    pub(crate) async fn tell(&mut self, line: &[u8], lines: &mut Lines) -> std::io::Result<()> {
        match self {
            Answers::Here(stdout) => {
                let written = stdout.write_all(line);
                tokio::pin!(written);
                loop {
                    tokio::select! {
                        done = &mut written => return done,
                        () = lines.read_ahead() => {}
                    }
                }
            }
            // The library's own stdout would pass each line to another thread and back.
            Answers::AtOnce => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(line)?;
                stdout.flush()
            }
        }
    }
}

pub(crate) struct Lines {
    source: Source,
    /// What has come of the next one.
    line: Vec<u8>,
    ahead: VecDeque<Vec<u8>>,
    /// The client has closed its end.
    over: bool,
}

enum Source {
    Here(BufReader<Box<dyn AsyncRead + Unpin>>),
    Thread(mpsc::Receiver<Vec<u8>>),
}

impl Lines {
    /// A line with its end. One that is longer than the daemon takes comes in pieces, so that it is never held as a
    /// whole; the daemon passes over it and answers. `None`: the client closed its end. May be dropped at any moment.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        match self.ahead.pop_front() {
            Some(line) => Some(line),
            None if self.over => None,
            None => self.read().await,
        }
    }

    /// Keeps one more for `next`; never returns where that is not for it to do. May be dropped at any moment.
    async fn read_ahead(&mut self) {
        // The thread reads ahead by itself.
        if self.over || self.ahead.len() >= LINES_WAITING_MAX || matches!(self.source, Source::Thread(_)) {
            return std::future::pending().await;
        }
        if let Some(line) = self.read().await {
            self.ahead.push_back(line);
        }
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let stdin = match &mut self.source {
            Source::Here(stdin) => stdin,
            Source::Thread(lines) => return lines.recv().await,
        };
        loop {
            // A read that fails is an end like any other.
            let there = stdin.fill_buf().await.unwrap_or_default();
            if there.is_empty() {
                self.over = true;
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

type Waitable = (Box<dyn AsyncRead + Unpin>, Box<dyn AsyncWrite + Unpin>);

/// Only where each of the three is a thing of its own: what is waited for must not be told so behind another's back.
#[cfg(unix)]
fn waitable() -> Option<Waitable> {
    use rustix::fs::{FileType, Stat, fstat};
    use std::os::fd::{AsFd, OwnedFd};
    use tokio::net::{UnixStream, unix::pipe};
    let (stdin, stdout) = (fstat(std::io::stdin()).ok()?, fstat(std::io::stdout()).ok()?);
    let same = |a: &Stat, b: &Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
    let stderr = fstat(std::io::stderr()).ok();
    if same(&stdin, &stdout) || stderr.is_some_and(|stderr| same(&stderr, &stdin) || same(&stderr, &stdout)) {
        return None;
    }
    let socket = |handle: OwnedFd| {
        let socket = std::os::unix::net::UnixStream::from(handle);
        socket.set_nonblocking(true).ok()?;
        UnixStream::from_std(socket).ok()
    };
    let kind = |of: &Stat| FileType::from_raw_mode(of.st_mode);
    let known = |of: &Stat| matches!(kind(of), FileType::Fifo | FileType::Socket);
    if !known(&stdin) || !known(&stdout) {
        return None;
    }
    let handle = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let read: Box<dyn AsyncRead + Unpin> = match kind(&stdin) {
        FileType::Fifo => Box::new(pipe::Receiver::from_owned_fd(handle).ok()?),
        _ => Box::new(socket(handle)?),
    };
    let handle = std::io::stdout().as_fd().try_clone_to_owned().ok()?;
    let write: Box<dyn AsyncWrite + Unpin> = match kind(&stdout) {
        FileType::Fifo => Box::new(pipe::Sender::from_owned_fd(handle).ok()?),
        _ => Box::new(socket(handle)?),
    };
    Some((read, write))
}

#[cfg(windows)]
fn waitable() -> Option<Waitable> {
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
