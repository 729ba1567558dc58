//! Commands of the model that knock at the daemon's socket as somebody else: behind a process that is gone, behind one
//! that may not be read, as a shim in a home of its own (FAULTS B1, B15).

use super::{quoted, written_by_the_model};
use crate::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::client::id_of;

const MAX: Duration = Duration::from_secs(120);

/// Asks for the list of operations, over a connection that it makes in the way its first argument says.
const KNOCKS: &str = r#"
import array, ctypes, os, socket, sys, time
how, path, out = sys.argv[1:4]
def connect():
    one = socket.socket(socket.AF_UNIX); one.connect(path); return one
def handed_over(dies):
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        made = connect()
        fds = array.array("i", [made.fileno()])
        theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        if not dies: time.sleep(60)
        os._exit(0)
    theirs.close()
    _, control, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
    if dies == "reaped": os.waitpid(child, 0)
    elif dies: time.sleep(0.2)
    return socket.socket(fileno=array.array("i", control[0][2])[0])
if how == "unreadable":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
one = {"gone": lambda: handed_over("reaped"), "zombie": lambda: handed_over("zombie"), "unreadable": connect}[how]()
one.sendall(b"POST /v1/tools/codex_get_events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
answer = b""
one.settimeout(10)
while piece := one.recv(65536):
    answer += piece
open(out, "ab").write(answer + b"\n")
"#;

async fn turn(home: &tests::home::Home, command: &str) {
    let message = format!("SHELL {command} ;; SAY tried");
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": message, "sandbox": "danger-full-access", "approval_policy": "never"});
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    home.ended(&[id], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_maker_is_gone_or_cannot_be_read_is_from_below() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (script, out) = (home.project.join("knock.py"), home.project.join("seen.txt"));
    std::fs::write(&script, KNOCKS).unwrap();
    let socket = quoted(&home.place.daemon_socket());
    // Without the mark, so that only the process itself tells.
    let knock = |how: &str| format!("env -u CODEXCP_BELOW python3 {} {how} {socket} {}", quoted(&script), quoted(&out));
    turn(&home, &["gone", "zombie", "unreadable"].map(knock).join("; ")).await;
    let seen = written_by_the_model(&home, &out);
    assert_eq!(seen.matches("CODEXCP_REFUSED").count(), 3, "{seen}");
    assert!(!seen.contains("operation.accepted"), "{seen}");
}

/// As a plugin or a launcher of codex would start it: nothing of our environment is left, and the home is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shim_below_codex_starts_no_daemon_in_any_home() {
    let home = home().await;
    home.start_daemon().unwrap();
    let elsewhere = home.project.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let line = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "codex_submit_task", "arguments": {"operation_type": "start_chat", "project_id": home.project, "message": "SAY again", "sandbox": "danger-full-access"}}});
    let (input, out) = (home.project.join("input.ndjson"), home.project.join("said.txt"));
    std::fs::write(&input, format!("{line}\n")).unwrap();
    let bare =
        format!("env -i PATH=\"$PATH\" CODEXCP_HOME={} CODEXCP_DAEMON_PROGRAM={}", quoted(&elsewhere), quoted(&home.programs.daemon));
    let command = format!(
        "{bare} {} < {} > {out}; {bare} {} status >> {out} 2>&1; {bare} {} >> {out} 2>&1",
        quoted(&home.programs.shim),
        quoted(&input),
        quoted(&home.programs.codexcp),
        quoted(&home.programs.daemon),
        out = quoted(&out),
    );
    turn(&home, &command).await;
    let said = written_by_the_model(&home, &out);
    assert_eq!(said.matches("may not start a control plane").count(), 3, "{said}");
    let answer: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(answer["id"], 1, "{said}");
    assert!(!elsewhere.join("state.sqlite3").exists());
}

/// Runs what follows as a process that its own user may not read, as sshd's own of a session is.
const HIDES: &str = "import ctypes, subprocess, sys; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); sys.exit(subprocess.call(sys.argv[1:]))";

/// The daemon and its callers as an ordinary user, below an init of root (and, where the tests are root's, a test of root).
#[cfg(target_os = "linux")]
#[test]
fn an_ordinary_user_is_served_below_an_init_of_root_and_below_sshd() {
    use std::os::unix::{fs::MetadataExt, fs::PermissionsExt, fs::chown, process::CommandExt};
    use std::process::{Command, Output};
    let folder = tempfile::Builder::new().prefix("cxcp-user-").tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let ordinary = (std::fs::metadata("/proc/self").unwrap().uid() == 0).then_some(65_534);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copied = |from: &str, name: &str| {
        let to = root.join(name);
        std::fs::copy(from, &to).unwrap();
        to
    };
    let daemon = copied(env!("CARGO_BIN_EXE_daemon_twin"), "codexcp-daemon");
    let codexcp = copied(env!("CARGO_BIN_EXE_codexcp_twin"), "codexcp");
    let home = root.join("home");
    std::fs::create_dir(&home).unwrap();
    if let Some(user) = ordinary {
        chown(&home, Some(user), Some(user)).unwrap();
    }
    let run = |words: &[&str]| -> Output {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", &home).env("CODEXCP_HOME", &home);
        command.env("CODEXCP_DAEMON_PROGRAM", &daemon).current_dir(&root);
        if let Some(user) = ordinary {
            command.uid(user).gid(user);
        }
        command.output().unwrap()
    };
    let codexcp = codexcp.to_str().unwrap();
    let served = run(&[codexcp, "list", "--json"]);
    assert!(served.status.success(), "{served:?}");
    let below_sshd = run(&["python3", "-c", HIDES, codexcp, "list", "--json"]);
    assert!(below_sshd.status.success(), "whoever came from another user is only unreadable: {below_sshd:?}");
    // Started by a program of the same user it hides something.
    let line = format!("python3 -c '{HIDES}' {codexcp} list --json; exit $?");
    let hidden = run(&["sh", "-c", &line]);
    let said = String::from_utf8_lossy(&hidden.stdout).into_owned() + &String::from_utf8_lossy(&hidden.stderr);
    let stopped = run(&[codexcp, "daemon", "stop", "--all"]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(said.contains("may not use the control plane"), "{said}");
}
