//! Whether a process was started, however indirectly, by an app-server of ours: of this instance or of any other. Code
//! that a model runs is below one, and is not trusted. What cannot be looked at counts as below; nothing is changed here.
//!
//! Two signs: the mark that each app-server of ours carries in its environment, looked for in the process and in all its
//! ancestors of the same user, and the pid of the app-server that is on record. A process that its parents left behind
//! (its parent is init then) and that took the mark out of its environment is not known: docs/security.md says so.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux::look;
#[cfg(not(target_os = "linux"))]
use other::look;

/// In the environment of each app-server that we start, and so of what it starts.
pub const MARKER: &str = "CODEXCP_BELOW";
/// Deeper trees than this are loops of pids that were used again.
const ANCESTORS_MAX: usize = 256;

/// What was found out about a process and its ancestors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Neither it nor an ancestor of this user is an app-server of ours or carries its mark.
    Free,
    Below,
    /// It is gone, is another user's, or may not be read.
    Unseen,
}

/// `app_server`: the pid of the one that is on record, if there is one.
pub fn is_below(pid: u32, app_server: Option<u32>) -> bool {
    match look(pid, app_server) {
        Seen::Free => false,
        Seen::Below | Seen::Unseen => true,
    }
}

/// Whether this process is below one itself. Such a one starts no daemon.
pub fn are_we_below() -> bool {
    is_below(std::process::id(), None)
}

/// Whether an entry of an environment, `NAME=value`, is the mark.
fn is_mark(entry: &[u8]) -> bool {
    entry.strip_prefix(MARKER.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        process::{Child, Command, Stdio},
    };

    /// A program that waits for its input to end, started and at work.
    fn waiting(mut command: Command) -> Child {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It has said something: the system shows a program's environment a moment after its start.
        child.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    fn end(mut child: Child) {
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    /// Says something, and ends with its input.
    const ECHOES: &str = if cfg!(windows) { "cmd" } else { "cat" };

    #[test]
    fn this_test_is_below_nothing_and_its_child_is_below_whoever_is_on_record_above_it() {
        assert_eq!(look(std::process::id(), None), Seen::Free);
        let child = waiting(Command::new(ECHOES));
        assert!(!is_below(child.id(), None));
        assert!(is_below(child.id(), Some(std::process::id())));
        end(child);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_mark_counts_in_an_ancestor_too_whatever_the_process_did_to_its_own_environment() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "env -i cat; true"]).env(MARKER, "1");
        let shell = waiting(shell);
        let pids = std::fs::read_dir("/proc").unwrap().filter_map(|one| one.ok()?.file_name().to_str()?.parse().ok());
        let children: Vec<u32> = pids.filter(|pid| linux::parent_of(*pid) == Some(shell.id())).collect();
        assert_eq!(children.len(), 1);
        assert!(is_below(children[0], None));
        end(shell);
    }

    /// A parent on its way out has no environment any more, and proves nothing by that.
    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_was_started_by_a_program_that_is_ending_is_as_free_as_before() {
        for round in 0..20 {
            let mut shell = Command::new("sh");
            // Memory to give back makes its end a long one.
            shell.args(["-c", "x=$(head -c 8000000 /dev/zero | tr '\\0' x); exec 3<&0; cat <&3 >/dev/null & echo $!"]);
            let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(shell.stdout.as_mut().unwrap()), &mut line).unwrap();
            let pid = line.trim().parse().unwrap();
            for _ in 0..200 {
                assert_eq!(look(pid, None), Seen::Free, "round {round}");
            }
            end(shell);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_has_ended_is_unseen_whether_its_parent_asked_for_its_end_or_not() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        // It ends by itself; until it is waited for it is a zombie, whose environment reads as empty.
        while look(pid, None) != Seen::Unseen {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(look(pid, None), Seen::Unseen);
    }
}
