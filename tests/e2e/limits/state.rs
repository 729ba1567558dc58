//! A state database that this daemon cannot use: it is refused with what to do, and stays as it is to the last byte.

use super::{all_say, home, run};
use rusqlite::Connection;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tests::home::Home;

const MAX: Duration = Duration::from_secs(120);

/// The database and what lies beside it under its name.
fn files(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = std::fs::read_dir(&home.place.home).unwrap().map(|entry| entry.unwrap().path());
    let state = all.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("state.sqlite3")));
    // The index of the log is shared memory: whoever reads may make it, and an empty log with it.
    let kept = state.filter(|path| !path.ends_with("state.sqlite3-shm"));
    kept.map(|path| (path.clone(), std::fs::read(&path).unwrap())).filter(|(_, bytes)| !bytes.is_empty()).collect()
}

/// A home with some finished work in its database, and no daemon.
async fn used() -> Home {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("SAY done", "one").await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
    home.kill_daemon().unwrap();
    // All that was stored into the file itself: what lies in the log would mend a damaged file.
    Connection::open(home.place.state_file()).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    home
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_is_refused_and_left_as_it_is() {
    let home = used().await;
    Connection::open(home.place.state_file()).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let before = files(&home);
    all_say(&home, &["state.sqlite3", "newer version", "install that version"]).await;
    assert!(files(&home) == before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_database_is_refused_and_left_as_it_is() {
    let home = used().await;
    let path = home.place.state_file();
    std::fs::write(&path, "a letter, not a database ".repeat(1_000)).unwrap();
    let before = files(&home);
    all_say(&home, &["state.sqlite3", "damaged or not a database", "aside"]).await;
    assert!(files(&home) == before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_damaged_pages_is_refused_and_work_begins_anew_beside_it() {
    let home = used().await;
    let path = home.place.state_file();
    // The first page is whole, so that only a look at the others tells.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    all_say(&home, &["state.sqlite3", "damaged or not a database", "aside"]).await;
    assert_eq!(std::fs::read(&path).unwrap(), bytes);

    // As the sentence says.
    let aside = home.place.home.join("aside");
    std::fs::create_dir(&aside).unwrap();
    for name in ["state.sqlite3", "state.sqlite3-wal", "state.sqlite3-shm"] {
        std::fs::rename(home.place.home.join(name), aside.join(name)).unwrap_or_default();
    }
    assert!(run(&home, &home.programs.daemon, &["--check"]).await.status.success());
    home.start_daemon().unwrap();
    let id = home.submit("SAY anew", "two").await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
    assert_eq!(std::fs::read(aside.join("state.sqlite3")).unwrap(), bytes, "what was moved aside is kept");
}
