//! Clients that take what they can: connections that say nothing, lines that never end (FAULTS B7).

use super::quoted;
use crate::home;
use serde_json::json;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};
use tests::client::id_of;

const MAX: Duration = Duration::from_secs(120);

fn resident_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kb = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    kb.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_are_closed() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut silent: Vec<_> = (0..200).map(|_| UnixStream::connect(home.place.daemon_socket()).unwrap()).collect();
    home.ok("codex_health_summary", json!({})).await.unwrap();
    tokio::task::spawn_blocking(move || {
        for one in &mut silent {
            one.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // At once or with an answer that says why; in the end it is closed.
            assert!(one.read_to_end(&mut Vec::new()).is_ok());
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_from_below_codex_leave_places_for_everybody_else() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (script, out) = (home.project.join("flood.py"), home.project.join("seen.txt"));
    let flood = "import socket, sys, time\n\
        all = []\n\
        for _ in range(500):\n    one = socket.socket(socket.AF_UNIX); one.connect(sys.argv[1]); all.append(one)\n\
        time.sleep(1)\nclosed = 0\n\
        for one in all:\n    one.setblocking(False)\n    try: closed += one.recv(1) == b''\n    except BlockingIOError: pass\n\
        open(sys.argv[2], 'w').write(str(closed))\n";
    std::fs::write(&script, flood).unwrap();
    let command = format!("python3 {} {} {}", quoted(&script), quoted(&home.place.daemon_socket()), quoted(&out));
    let message = format!("SHELL {command} ;; SAY tried");
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": message, "sandbox": "danger-full-access", "approval_policy": "never"});
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(&[id], MAX).await.unwrap();
    let closed: usize = super::written_by_the_model(&home, &out).parse().unwrap();
    assert!(closed >= 500 - 32, "{closed} of 500 were closed at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_without_end_take_bounded_memory_and_hold_nobody_up() {
    let home = home().await;
    home.start_daemon().unwrap();
    let pid = home.daemon_pid().unwrap();
    let before = resident_mb(pid);
    let socket = home.place.daemon_socket();
    let floods: Vec<_> = (0..40)
        .map(|_| {
            let socket = socket.clone();
            std::thread::spawn(move || {
                let mut one = UnixStream::connect(socket).unwrap();
                one.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
                one.write_all(b"GET /v1/mcp HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: mcp-stdio\r\n\r\n").unwrap();
                one.read_exact(&mut [0; 12]).unwrap();
                // Those without a place are not read any further.
                drop(one.write_all(&vec![b' '; 15_000_000]));
                one
            })
        })
        .collect();
    let open: Vec<UnixStream> = floods.into_iter().map(|one| one.join().unwrap()).collect();
    let most = resident_mb(pid);
    home.ok("codex_health_summary", json!({})).await.unwrap();
    drop(open);
    assert!(most < before + 300, "{before} MB before, {most} MB with 600 MB of unfinished lines on their way");
    // Given back: not at once, but without anybody asking.
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while resident_mb(pid) > before + 60 {
        assert!(std::time::Instant::now() < until, "{before} MB before, {} MB long after", resident_mb(pid));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
