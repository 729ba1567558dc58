//! What is let go when nothing is to come: threads of work that has ended, an app-server that nobody needs or that has
//! grown. Asks before it lets go: live work, commands in the background, copies that exist in memory alone stay.

use super::{link::Link, rpc::RpcError, terminals};
use crate::store::{
    Reader, StoreError,
    tables::{app_server::Process, interactions, operations},
};
use common::ids::ThreadId;
use serde_json::json;
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Nobody waits for longer to hear that nothing is loaded.
const ASK_MAX: Duration = Duration::from_secs(2);
/// More is likely to come on a thread within this time.
pub(super) const REST: Duration = Duration::from_secs(5);
/// Threads that rest and are still loaded; each takes about a megabyte and up to three descriptors of the app-server.
pub(super) const KEPT_MAX: usize = 32;

/// What an app-server may have become before it makes room for a new one, as soon as it has nothing to do.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub memory_bytes_max: u64,
    pub age_max: Duration,
    /// Without any work for so long it is ended; the next work starts another.
    pub idle_max: Duration,
}

/// For as long as the connection lives.
pub(super) async fn let_go(link: std::sync::Arc<Link>, reader: Reader) {
    loop {
        link.somebody_rested(REST).await;
        leave_threads(&link, &reader).await;
    }
}

/// Lets go of the threads that nobody works on. What cannot be asked now is asked again after another rest.
async fn leave_threads(link: &Link, reader: &Reader) {
    for thread in link.rested(REST, KEPT_MAX) {
        let Some(_held) = link.held.try_hold(&thread) else {
            link.touch(&thread);
            continue;
        };
        match may_leave(link, reader, &thread).await {
            Ok(true) => {
                if let Err(error) = link.leave(&thread).await {
                    tracing::debug!(%thread, %error, "a thread was not let go");
                    link.touch(&thread);
                }
            }
            Ok(false) => link.touch(&thread),
            Err(error) => {
                tracing::debug!(%thread, %error, "whether a thread is still needed could not be asked");
                link.rested(REST, KEPT_MAX).iter().for_each(|thread| link.touch(thread));
                return;
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

async fn may_leave(link: &Link, reader: &Reader, thread: &ThreadId) -> Result<bool, Unknown> {
    let of = thread.clone();
    let (live, ephemeral) = reader
        .peek(move |tx| {
            let newest = operations::newest_on_thread(tx, &of)?;
            let ephemeral = newest.is_some_and(|row| row.spec.fork.is_some_and(|fork| fork.ephemeral));
            Ok((operations::lives_on_thread(tx, &of)?, ephemeral))
        })
        .await?;
    Ok(!live && !ephemeral && terminals::listed(link, thread).await?.is_empty())
}

/// Whether nothing is at work, asked, or loaded for something that is to come.
pub(super) async fn is_unused(link: &Link, reader: &Reader) -> bool {
    let read = reader.read(|tx| Ok(operations::live_count(tx)? == 0 && interactions::open(tx, None)?.is_empty()));
    if !read.await.unwrap_or(false) {
        return false;
    }
    let loaded = link.rpc.request("thread/loaded/list", json!({}), ASK_MAX).await.unwrap_or_default();
    loaded["data"].as_array().is_some_and(Vec::is_empty)
}

/// Why the process should make room for a new one.
pub(super) fn worn(process: &Process, up: Duration, bounds: Bounds) -> Option<String> {
    let memory = memory_bytes(process.pid);
    if memory.is_some_and(|bytes| bytes > bounds.memory_bytes_max) {
        return Some(format!("it has {} MB of memory", memory.unwrap_or_default() / 1_000_000));
    }
    if up > bounds.age_max {
        return Some(format!("it is {} hours old", up.as_secs() / 3_600));
    }
    let (open, limit) = descriptors(process.pid)?;
    (open * 2 > limit).then(|| format!("it has {open} of {limit} descriptors open"))
}

fn memory_bytes(pid: u32) -> Option<u64> {
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing().with_memory());
    system.process(pid).map(|process| process.memory())
}

/// Open, and allowed. Where the system does not tell, nothing is worn by it.
fn descriptors(pid: u32) -> Option<(u64, u64)> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    Some((open, line.split_whitespace().next()?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::store::tables::app_server::Address;

    #[test]
    fn a_process_is_worn_by_memory_age_and_open_files() {
        let pid = std::process::id();
        let process = Process {
            pid,
            started_s: 0,
            start_mark: None,
            address: Address::Stdio,
            codex_home: Default::default(),
            binary: Default::default(),
            binary_mark: String::new(),
        };
        let bounds = Bounds { memory_bytes_max: u64::MAX, age_max: Duration::from_secs(100), idle_max: Duration::MAX };
        assert_eq!(worn(&process, Duration::ZERO, bounds), None);
        assert!(worn(&process, Duration::from_secs(101), bounds).unwrap().contains("hours old"));
        assert!(worn(&process, Duration::ZERO, Bounds { memory_bytes_max: 1, ..bounds }).unwrap().contains("of memory"));
    }
}
