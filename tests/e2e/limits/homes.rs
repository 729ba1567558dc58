//! Homes in which nothing can be kept: read-only, not a folder, on a network drive, or held by another daemon.

use super::{all_say, home, run, words};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_is_no_folder_is_refused_with_what_to_do() {
    let mut home = home().await;
    let file = home.path().join("file");
    std::fs::write(&file, "x").unwrap();
    home.set("CODEXCP_HOME", file);
    all_say(&home, &["check that it belongs to you and is writable"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_the_home_that_is_a_file_is_named() {
    let home = home().await;
    std::fs::write(home.place.home.join("logs"), "x").unwrap();
    all_say(&home, &["logs", "check that it belongs to you and is writable"]).await;
}

/// Where nobody, the superuser included, may make a folder.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_cannot_be_written_is_refused_with_what_to_do() {
    let mut home = home().await;
    home.set("CODEXCP_HOME", "/sys/kernel/codexcp-home");
    all_say(&home, &["/sys/kernel/codexcp-home", "check that it belongs to you and is writable"]).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_on_a_network_drive_is_refused_unless_the_owner_takes_the_risk() {
    const NFS: u32 = 0x6969;
    let mut home = home().await;
    home.set("FAILPOINTS", format!("drive.magic=return({NFS})"));
    for arguments in [[].as_slice(), &["--check"]] {
        let refused = run(&home, &home.programs.daemon, arguments).await;
        assert!(!refused.status.success());
        for part in ["NFS", "CODEXCP_HOME", "CODEXCP_NETWORK_DRIVE=1"] {
            assert!(words(&refused).contains(part), "{}", words(&refused));
        }
    }
    assert!(!home.place.state_file().exists(), "nothing was put there");
    home.set("CODEXCP_NETWORK_DRIVE", "1");
    home.start_daemon().unwrap();
    home.ok("codex_health_summary", json!({})).await.unwrap();
}

/// (`trust.rs` has the same home by the same name.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_home_by_another_name_changes_nothing_for_the_first() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&home.place.home, &link).unwrap();
    home.set("CODEXCP_HOME", link);
    let second = run(&home, &home.programs.daemon, &[]).await;
    assert!(!second.status.success());
    let said = words(&second);
    assert!(said.contains(&format!("pid {}", home.daemon_pid().unwrap())) && said.contains("codexcp daemon stop"), "{said}");
    home.ok("codex_health_summary", json!({})).await.unwrap();
}
