//! The machine of a plan workflow: single steps, and what holds whatever comes in whatever order.

use super::*;
use common::error::ErrorCode;
use proptest::prelude::*;

fn id(n: u8) -> OperationId {
    OperationId::new(n.to_string())
}

fn ended(n: u8, outcome: Outcome, plan: Option<(u32, Quality)>) -> Event {
    Event::OperationEnded { operation: id(n), outcome, plan }
}

fn valid(version: u32) -> Workflow {
    Workflow::Planned { version, quality: Quality::ValidPlan }
}

#[test]
fn a_plan_is_approved_once_and_then_executed() {
    let planning = Workflow::Planning { operation: id(1) };
    let planned = planning.step(ended(1, Outcome::Completed, Some((1, Quality::ValidPlan)))).unwrap();
    assert_eq!(planned, valid(1));
    let executing = planned.step(Event::Approved { operation: id(2) }).unwrap();
    assert_eq!(executing.clone().step(Event::Approved { operation: id(3) }), Err(Refused::Executing));
    assert_eq!(executing.step(ended(2, Outcome::Completed, None)), Ok(Workflow::Ended { version: 1, end: End::Completed }));
}

#[test]
fn a_plan_of_no_use_can_be_revised_but_not_approved() {
    for plan in [None, Some((1, Quality::Blocker))] {
        let failed = Workflow::Planning { operation: id(1) }.step(ended(1, Outcome::Completed, plan)).unwrap();
        assert_eq!(failed.phase(), "failed");
        assert_eq!(failed.clone().step(Event::Approved { operation: id(2) }), Err(Refused::NoPlan));
        assert_eq!(failed.step(Event::ReviseAsked { operation: id(2) }), Ok(Workflow::Planning { operation: id(2) }));
    }
    let doubtful = Workflow::Planned { version: 1, quality: Quality::NeedsReview };
    assert_eq!(doubtful.phase(), "plan_needs_review");
    assert_eq!(doubtful.step(Event::Approved { operation: id(2) }), Err(Refused::NotValid));
}

#[test]
fn the_end_of_an_earlier_planning_turn_changes_nothing() {
    let revised = Workflow::Planning { operation: id(2) };
    assert_eq!(revised.step(ended(1, Outcome::Completed, Some((1, Quality::ValidPlan)))), Err(Refused::Late));
}

#[test]
fn what_became_of_the_work_is_what_became_of_the_workflow() {
    let executing = || Workflow::Executing { version: 1, operation: id(2) };
    let failed = Outcome::Failed { code: ErrorCode::SendFailed, message: SafeText::fixed("no") };
    assert_eq!(executing().step(ended(2, failed, None)).unwrap().phase(), "failed");
    assert_eq!(executing().step(ended(2, Outcome::Unknown, None)).unwrap().phase(), "orphaned_after_app_server_exit");
    assert_eq!(executing().step(ended(2, Outcome::Cancelled, None)).unwrap().phase(), "failed");
    let planning = Workflow::Planning { operation: id(1) };
    assert_eq!(planning.step(ended(1, Outcome::Unknown, None)).unwrap().phase(), "orphaned_after_app_server_exit");
}

fn event() -> impl Strategy<Value = Event> {
    let qualities = [Quality::ValidPlan, Quality::Blocker, Quality::Question, Quality::Partial, Quality::NeedsReview];
    let outcomes = [Outcome::Completed, Outcome::Cancelled, Outcome::Unknown];
    let plan = proptest::option::of((1_u32..4, proptest::sample::select(qualities.to_vec())));
    prop_oneof![
        (0_u8..4, proptest::sample::select(outcomes.to_vec()), plan).prop_map(|(n, outcome, plan)| ended(n, outcome, plan)),
        (0_u8..4).prop_map(|n| Event::ReviseAsked { operation: id(n) }),
        (1_u32..4).prop_map(|version| Event::Adopted { version }),
        (0_u8..4).prop_map(|n| Event::Approved { operation: id(n) }),
    ]
}

proptest! {
    #[test]
    fn nothing_is_executed_that_was_not_approved_and_nothing_is_executed_twice(events in proptest::collection::vec(event(), 0..40)) {
        let mut workflow = Workflow::Planning { operation: id(0) };
        let mut executions = 0;
        for event in events {
            let approvable = workflow == valid(workflow.version().unwrap_or_default());
            let approved = matches!(event, Event::Approved { .. });
            if let Ok(next) = workflow.clone().step(event) {
                if !workflow.has_begun_execution() && next.has_begun_execution() {
                    prop_assert!(approved && approvable);
                    executions += 1;
                }
                prop_assert!(next.has_begun_execution() || !workflow.has_begun_execution(), "an execution was taken back");
                workflow = next;
            }
        }
        prop_assert!(executions <= 1);
    }
}

/// Each kind of state with each kind of event, as the arrows of a diagram.
fn diagram() -> String {
    let no = || SafeText::fixed("no");
    let states = [
        Workflow::Planning { operation: id(1) },
        valid(1),
        Workflow::Planned { version: 1, quality: Quality::NeedsReview },
        Workflow::NotPlanned { why: no(), orphaned: false },
        Workflow::Executing { version: 1, operation: id(1) },
        Workflow::Ended { version: 1, end: End::Completed },
    ];
    let events = [
        ("completed with a plan", ended(1, Outcome::Completed, Some((1, Quality::ValidPlan)))),
        ("completed without", ended(1, Outcome::Completed, None)),
        ("ended without success", ended(1, Outcome::Cancelled, None)),
        ("revise", Event::ReviseAsked { operation: id(2) }),
        ("adopt", Event::Adopted { version: 2 }),
        ("approve", Event::Approved { operation: id(2) }),
    ];
    let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned(), "    [*] --> planning".to_owned()];
    for state in states {
        let review = matches!(state, Workflow::Planned { quality: Quality::NeedsReview, .. });
        for (words, event) in &events {
            let Ok(next) = state.clone().step(event.clone()) else { continue };
            let line = format!("    {} --> {}: {words}", state.name(), next.name());
            // A plan that needs a review allows no more than a valid one does.
            assert!(!review || lines.contains(&line));
            if !review {
                lines.push(line);
            }
        }
    }
    lines.push("    ended --> [*]\n```".to_owned());
    lines.join("\n")
}

#[test]
fn the_diagram_in_the_documents_is_the_machine() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machines.md");
    let document = std::fs::read_to_string(path).unwrap();
    let inside = document.split_once("<!-- workflow: begin -->").and_then(|(_, rest)| rest.split_once("<!-- workflow: end -->"));
    println!("{}", diagram());
    assert_eq!(inside.map(|(shown, _)| shown.trim()), Some(diagram().as_str()), "docs/state-machines.md should read:\n{}", diagram());
}
