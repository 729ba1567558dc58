//! The table of transitions, compared whole, and the property that holds for every order of events:
//! a prompt is sent again only after a proof that the model never saw it.

use super::*;
use common::time::Millis;
use common::{error::ErrorCode, safe::SafeText};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000);

fn thread() -> ThreadId {
    ThreadId::new("thread")
}

fn turn() -> TurnId {
    TurnId::new("turn")
}

fn tries() -> Tries {
    Tries { sends: 1, refusals: 0 }
}

fn running(heard: Heard) -> Operation {
    Operation::Running { thread: thread(), turn: turn(), since: NOW, stop: Stop::NotAsked, heard }
}

/// The name of the stored row, and what the table must tell apart besides.
fn shown(state: &Operation) -> String {
    match state {
        Operation::Steering { sent: false, .. } => "steering, to be sent".to_owned(),
        Operation::Accepted { stop: Stop::ByCaller, .. } => "accepted, to be stopped".to_owned(),
        Operation::Unresolved { remnant: Some(_), .. } => "unresolved, reverting".to_owned(),
        Operation::Running { heard: Heard::Gap, .. } => "running, looked up".to_owned(),
        Operation::Running { heard: Heard::Cleaning { .. }, .. } => "running, cleaning".to_owned(),
        Operation::Running { heard: Heard::GapThenEnd(_), .. } => "running, looked up, end heard".to_owned(),
        other => other.name().to_owned(),
    }
}

pub(super) fn states() -> Vec<Operation> {
    let (stop, tries) = (Stop::NotAsked, tries());
    vec![
        Operation::Queued { target: Target::NewThread, tries: Tries::default(), not_before: NOW, reason: QueuedReason::Waiting },
        Operation::CreatingThread { tries: Tries::default() },
        Operation::StartingTurn { thread: thread(), tries, stop },
        Operation::Accepted { thread: thread(), turn: turn(), since: NOW, tries, stop },
        Operation::Accepted { thread: thread(), turn: turn(), since: NOW, tries, stop: Stop::ByCaller },
        running(Heard::All),
        running(Heard::Gap),
        running(Heard::Cleaning { end: TurnEnd::Interrupted { process_gone: false }, until: NOW }),
        Operation::Unresolved { thread: thread(), tries, stop, remnant: None },
        Operation::Unresolved { thread: thread(), tries, stop, remnant: Some(turn()) },
        Operation::MovingThread { thread: thread(), tries: Tries::default() },
        Operation::Steering { thread: thread(), turn: turn(), sent: false },
        Operation::Steering { thread: thread(), turn: turn(), sent: true },
        Operation::SteerUnresolved { thread: thread(), turn: turn() },
        Operation::Following { thread: thread(), turn: turn() },
        Operation::Ended { outcome: Outcome::Completed, at: NOW },
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let looked = |finding| Event::LookedUp(finding);
    vec![
        ("granted", Event::Granted),
        ("thread created", Event::ThreadCreated { thread: thread() }),
        ("thread moved", Event::ThreadMoved),
        ("sending", Event::Sending),
        ("target ended", Event::TargetEnded { outcome: Outcome::Completed }),
        ("turn accepted", Event::TurnAccepted { turn: turn() }),
        ("message seen", Event::MessageSeen { turn: turn() }),
        ("turn completed", Event::TurnEnded { turn: turn(), end: TurnEnd::Completed }),
        ("turn interrupted", Event::TurnEnded { turn: turn(), end: TurnEnd::Interrupted { process_gone: false } }),
        ("refused: not ready", Event::Refused(Refusal::NotReady)),
        ("refused: thread gone", Event::Refused(Refusal::ThreadGone)),
        ("refused for good", Event::Refused(Refusal::Final { code: ErrorCode::SendFailed, message: SafeText::fixed("no") })),
        ("server lost", Event::ServerLost),
        ("found running", looked(Finding::Turn { turn: turn(), end: None })),
        ("found completed", looked(Finding::Turn { turn: turn(), end: Some(TurnEnd::Completed) })),
        ("found cut by exit", looked(Finding::Turn { turn: turn(), end: Some(TurnEnd::Interrupted { process_gone: true }) })),
        ("found active, unlisted", looked(Finding::ActiveUnlisted)),
        ("found absent", looked(Finding::Absent)),
        ("found a remnant", looked(Finding::Remnant { turn: TurnId::new("remnant") })),
        ("reverted", Event::Reverted),
        ("cleaned", Event::Cleaned),
        ("found no rollout", looked(Finding::NoRollout)),
        ("found unreadable", looked(Finding::Unreadable)),
        ("thread idle", Event::ThreadIdle),
        ("stop asked", Event::StopAsked(Stop::ByCaller)),
        ("time over", Event::StopAsked(Stop::ByLimit)),
        ("interrupt refused", Event::InterruptRefused),
        ("first failed", Event::FirstFailed { first: common::ids::OperationId::new("first") }),
    ]
}

/// The table as text: what `docs/state-machines.md` shows.
pub(super) fn table() -> String {
    let mut out = String::from("| state | event | next | effects |\n|---|---|---|---|\n");
    for state in states() {
        for (name, event) in events() {
            let facts = Facts { now: NOW, own_thread: true, asks: Asks::Turn };
            let Ok(step) = state.clone().step(event, facts) else { continue };
            let effects: Vec<_> = step.effects.iter().map(|effect| effect.name()).collect();
            let next = match &step.next {
                Operation::Ended { outcome, .. } => format!("ended: {}", crate::advice::outcome_word(outcome)),
                other => shown(other),
            };
            out.push_str(&format!("| {} | {name} | {next} | {} |\n", shown(&state), effects.join(", ")));
        }
    }
    out
}

#[test]
fn the_table_of_transitions_is_the_documented_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machines.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let (start, end) = ("<!-- operation: begin -->\n", "<!-- operation: end -->");
    let shown = page.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map(|(table, _)| table);
    assert_eq!(shown, Some(table().as_str()), "docs/state-machines.md is not the table of operation.rs; it should read:\n{}", table());
}

#[test]
fn an_ended_operation_refuses_every_event() {
    for (_, event) in events() {
        let ended = Operation::Ended { outcome: Outcome::Completed, at: NOW };
        assert!(ended.step(event, Facts { now: NOW, own_thread: true, asks: Asks::Turn }).is_err());
    }
}

#[test]
fn a_stop_asked_while_unresolved_is_kept_until_it_is_known() {
    let facts = Facts { now: NOW, own_thread: true, asks: Asks::Turn };
    let state = Operation::Unresolved { thread: thread(), tries: tries(), stop: Stop::NotAsked, remnant: None };
    let asked = state.step(Event::StopAsked(Stop::ByCaller), facts).unwrap().next;
    let absent = asked.clone().step(Event::LookedUp(Finding::Absent), facts).unwrap();
    assert_eq!(absent.next, Operation::Ended { outcome: Outcome::Cancelled, at: NOW });
    let found = asked.step(Event::LookedUp(Finding::Turn { turn: turn(), end: None }), facts).unwrap();
    assert_eq!(found.effects, [Effect::Interrupt { thread: thread(), turn: turn() }]);
}

#[test]
fn an_end_that_is_heard_during_a_look_up_waits_for_what_the_look_up_brings() {
    let facts = Facts { now: NOW, own_thread: true, asks: Asks::Turn };
    let over = running(Heard::Gap).step(Event::TurnEnded { turn: turn(), end: TurnEnd::Completed }, facts).unwrap();
    assert_eq!(over.next, running(Heard::GapThenEnd(TurnEnd::Completed)));
    let lost_again = over.next.clone().step(Event::ServerLost, facts).unwrap();
    assert_eq!((lost_again.next, lost_again.effects.len()), (over.next.clone(), 1), "the end is kept, the rest looked up again");
    for finding in [Finding::Turn { turn: turn(), end: None }, Finding::Unreadable] {
        let step = over.next.clone().step(Event::LookedUp(finding), facts).unwrap();
        assert_eq!(step.next, Operation::Ended { outcome: Outcome::Completed, at: NOW });
    }
}

#[test]
fn what_may_stand_in_the_history_is_taken_out_before_the_prompt_is_sent_again() {
    let facts = Facts { now: NOW, own_thread: true, asks: Asks::Turn };
    let remnant = TurnId::new("remnant");
    let lost = Operation::Unresolved { thread: thread(), tries: tries(), stop: Stop::NotAsked, remnant: None };
    let found = lost.step(Event::LookedUp(Finding::Remnant { turn: remnant.clone() }), facts).unwrap();
    assert_eq!(found.effects, [Effect::Revert { thread: thread(), turn: remnant }]);
    let sent = found.next.clone().step(Event::Reverted, facts).unwrap();
    assert_eq!(sent.effects, [Effect::StartTurn { thread: thread(), fresh: false }]);
    let stopped = found.next.clone().step(Event::StopAsked(Stop::ByCaller), facts).unwrap().next.step(Event::Reverted, facts).unwrap();
    assert_eq!(stopped.next, Operation::Ended { outcome: Outcome::Cancelled, at: NOW });
    let refused = found.next.step(Event::Refused(Refusal::ThreadBusy), facts).unwrap();
    assert!(matches!(refused.next, Operation::Ended { outcome: Outcome::Failed { .. }, .. }), "{refused:?}");
}

#[test]
fn a_turn_that_has_a_name_and_has_not_begun_is_stopped_and_its_time_counts() {
    let facts = Facts { now: NOW, own_thread: true, asks: Asks::Turn };
    let accepted = Operation::StartingTurn { thread: thread(), tries: tries(), stop: Stop::NotAsked };
    let accepted = accepted.step(Event::TurnAccepted { turn: turn() }, facts).unwrap().next;
    assert_eq!(accepted.wake_at(Some(Millis(5_000))), Some(NOW + Millis(5_000)));
    let stopped = accepted.step(Event::StopAsked(Stop::ByLimit), facts).unwrap();
    assert_eq!(stopped.effects, [Effect::Interrupt { thread: thread(), turn: turn() }]);
    let again = stopped.next.step(Event::InterruptRefused, facts).unwrap();
    assert_eq!(again.effects, [Effect::Interrupt { thread: thread(), turn: turn() }]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource("regressions"))), ..ProptestConfig::default() })]

    /// Random events in any order: after a `StartTurn`, another one needs a refusal or an absence in between.
    #[test]
    fn a_prompt_is_sent_again_only_after_a_proof_that_nothing_ran(
        picks in prop::collection::vec(0_usize..28, 0..60),
        kind in 0_usize..3,
    ) {
        let target = [Target::NewThread, Target::Thread(thread()), Target::Turn { thread: thread(), turn: turn() }][kind].clone();
        let own_thread = target == Target::NewThread;
        let mut state = Operation::accepted(target, NOW);
        let mut may_send = true;
        let mut ended = false;
        for pick in picks {
            let (_, event) = events().swap_remove(pick);
            let proof = matches!(
                event,
                Event::Refused(_) | Event::Reverted | Event::LookedUp(Finding::Absent | Finding::NoRollout)
            );
            let Ok(step) = state.clone().step(event, Facts { now: NOW, own_thread, asks: Asks::Turn }) else { continue };
            prop_assert!(!ended, "nothing leaves the end");
            if proof {
                may_send = true;
            }
            for effect in &step.effects {
                let starts = matches!(effect, Effect::StartTurn { .. } | Effect::Steer { .. });
                if starts {
                    prop_assert!(may_send, "sent twice without a proof, in {:?}", step.next);
                    may_send = false;
                }
            }
            state = step.next;
            ended = state.is_ended();
            let looks_up = step.effects.iter().any(|effect| matches!(effect, Effect::LookUp { .. }));
            let waiting = matches!(state, Operation::Unresolved { .. } | Operation::SteerUnresolved { .. });
            let running = matches!(state, Operation::Running { .. });
            prop_assert!(!looks_up || waiting || running);
        }
    }
}

#[test]
fn a_bare_copy_of_a_thread_is_done_when_the_thread_is_there() {
    let facts = Facts { now: NOW, own_thread: true, asks: Asks::Thread };
    let creating = Operation::accepted(Target::NewThread, NOW).step(Event::Granted, facts).unwrap().next;
    let done = creating.step(Event::ThreadCreated { thread: thread() }, facts).unwrap();
    assert_eq!(done, Step { next: Operation::Ended { outcome: Outcome::Completed, at: NOW }, effects: Vec::new() });
}
