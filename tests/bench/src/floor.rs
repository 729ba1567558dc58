//! What this machine needs for the least that each row must do, without any of our programs. A figure says something
//! only beside its floor.

use crate::Sample;
use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

/// Appends 4 kB to a file and waits until they are on the disk.
pub fn fsync(folder: &Path, times: usize) -> anyhow::Result<Sample> {
    let mut file = tempfile::tempfile_in(folder)?;
    let page = [7_u8; 4096];
    let mut sample = Sample::with_capacity(times);
    for _ in 0..times {
        sample.time(|| file.write_all(&page).and_then(|()| file.sync_data()))?;
    }
    Ok(sample)
}

/// One row in a table of SQLite, set up as our store is.
pub fn sqlite_commit(folder: &Path, times: usize) -> anyhow::Result<Sample> {
    let folder = tempfile::tempdir_in(folder)?;
    let connection = rusqlite::Connection::open(folder.path().join("bare.sqlite3"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT)", [])?;
    let mut insert = connection.prepare("INSERT INTO one (text) VALUES (?1)")?;
    let text = "x".repeat(200);
    let mut sample = Sample::with_capacity(times);
    for _ in 0..times {
        sample.time(|| insert.execute([&text]))?;
    }
    Ok(sample)
}

/// Starts `cat`, a small C program, and waits until it has answered one line.
pub fn spawn(times: usize) -> anyhow::Result<Sample> {
    let mut sample = Sample::with_capacity(times);
    for _ in 0..times {
        let mut child = sample.time(|| -> anyhow::Result<_> {
            let mut child = Command::new("/bin/cat").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            child.stdin.as_mut().context("no stdin")?.write_all(b"{\"id\":0}\n")?;
            let mut line = String::new();
            BufReader::new(child.stdout.as_mut().context("no stdout")?).read_line(&mut line)?;
            Ok(child)
        })?;
        drop(child.stdin.take());
        child.wait()?;
    }
    Ok(sample)
}

/// Kilobytes of `cat`, beside another `cat` that shares what can be shared.
pub fn memory() -> anyhow::Result<crate::process::Memory> {
    let start = || -> anyhow::Result<_> {
        let mut child = Command::new("/bin/cat").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.as_mut().context("no stdin")?.write_all(b"x\n")?;
        BufReader::new(child.stdout.as_mut().context("no stdout")?).read_line(&mut String::new())?;
        Ok(child)
    };
    let mut both = [start()?, start()?];
    let memory = crate::process::memory(both[0].id());
    for child in &mut both {
        drop(child.stdin.take());
        child.wait()?;
    }
    memory
}

/// A request and an answer of 2 kB over a unix socket, with hyper at both ends and nothing between.
pub fn round_trip(folder: &Path, times: usize) -> anyhow::Result<Sample> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("s");
    runtime.block_on(async move {
        let listener = tokio::net::UnixListener::bind(&path)?;
        tokio::spawn(async move {
            let Ok((stream, _)) = listener.accept().await else { return };
            let answer = || async { Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(&[b'x'; 2048])))) };
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(|_| answer()));
            // Ends when the other side does.
            drop(served.await);
        });
        let stream = tokio::net::UnixStream::connect(&path).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut sample = Sample::with_capacity(times);
        for _ in 0..times {
            sender.ready().await?;
            let begun = std::time::Instant::now();
            let request = Request::post("/").header("host", "x").body(Full::new(Bytes::from_static(b"{}")))?;
            let answer = sender.send_request(request).await?;
            answer.into_body().collect().await?;
            sample.add(begun.elapsed());
        }
        Ok(sample)
    })
}
