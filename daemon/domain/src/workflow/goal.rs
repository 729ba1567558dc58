//! The goal that a workflow sets on its thread: set when the thread is there, settled when the workflow has ended, and
//! never touched again once somebody else has set another one. What codex shows decides; nothing is assumed.
//! It is set as paused: an active one lets codex begin turns by itself, past the schedule and its locks (ADR 0009).

use common::safe::SafeText;
use serde::{Deserialize, Serialize};

/// What a caller wants of it. Written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub objective: String,
    pub token_budget: u32,
    pub at_end: AtEnd,
    /// Shown as the objective of the completed goal.
    pub end_objective: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    Clear,
    SetComplete,
    Leave,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Goal {
    PendingThread,
    Setting,
    Set,
    /// `complete`: marked as reached; else taken away.
    Finishing {
        complete: bool,
    },
    Cleared,
    Complete,
    /// Somebody else has set another one.
    Overridden,
    Unsupported,
    Failed {
        why: SafeText,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    ThreadKnown,
    WorkflowEnded { completed: bool, at_end: AtEnd },
    Synced(Synced),
}

/// How codex shows it after we asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    Set,
    Cleared,
    Complete,
    Overridden,
    Unsupported,
    Failed { why: SafeText },
}

impl Goal {
    /// The next state, and whether codex must be asked.
    pub fn step(self, event: Event) -> (Goal, bool) {
        match (self, event) {
            (Goal::PendingThread, Event::ThreadKnown) => (Goal::Setting, true),
            // It was never set.
            (Goal::PendingThread, Event::WorkflowEnded { .. }) => (Goal::Cleared, false),
            (Goal::Setting | Goal::Set, Event::WorkflowEnded { at_end: AtEnd::Clear | AtEnd::SetComplete, completed: false }) => {
                (Goal::Finishing { complete: false }, true)
            }
            (Goal::Setting | Goal::Set, Event::WorkflowEnded { at_end: AtEnd::Clear, .. }) => (Goal::Finishing { complete: false }, true),
            (Goal::Setting | Goal::Set, Event::WorkflowEnded { at_end: AtEnd::SetComplete, .. }) => {
                (Goal::Finishing { complete: true }, true)
            }
            // It may be there all the same.
            (Goal::Failed { .. }, Event::WorkflowEnded { at_end: AtEnd::Clear | AtEnd::SetComplete, .. }) => {
                (Goal::Finishing { complete: false }, true)
            }
            // A request of before was faster to ask and slower to set.
            (Goal::Cleared, Event::Synced(Synced::Set)) => (Goal::Finishing { complete: false }, true),
            (Goal::Complete, Event::Synced(Synced::Set)) => (Goal::Finishing { complete: true }, true),
            // The answer to a request of before: what is wanted now was asked for since.
            (same @ Goal::Finishing { .. }, Event::Synced(Synced::Set)) => (same, false),
            (Goal::Setting | Goal::Set, Event::Synced(Synced::Set)) => (Goal::Set, false),
            (Goal::Finishing { .. }, Event::Synced(Synced::Cleared)) => (Goal::Cleared, false),
            (Goal::Finishing { .. }, Event::Synced(Synced::Complete)) => (Goal::Complete, false),
            (Goal::Setting | Goal::Set | Goal::Finishing { .. }, Event::Synced(Synced::Overridden)) => (Goal::Overridden, false),
            (Goal::Setting | Goal::Set | Goal::Finishing { .. }, Event::Synced(Synced::Unsupported)) => (Goal::Unsupported, false),
            (Goal::Setting | Goal::Set | Goal::Finishing { .. }, Event::Synced(Synced::Failed { why })) => (Goal::Failed { why }, false),
            (same, Event::ThreadKnown | Event::WorkflowEnded { .. } | Event::Synced(_)) => (same, false),
        }
    }

    /// The contract's word (BEHAVIOUR 6.3).
    pub fn word(&self) -> &'static str {
        match self {
            Goal::PendingThread | Goal::Setting => "pending_thread",
            Goal::Set | Goal::Finishing { .. } => "active",
            Goal::Cleared => "cleared",
            Goal::Complete => "complete",
            Goal::Overridden => "external_override",
            Goal::Unsupported => "unsupported",
            Goal::Failed { .. } => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = Event> {
        let at_end = proptest::sample::select(vec![AtEnd::Clear, AtEnd::SetComplete, AtEnd::Leave]);
        let synced = vec![Synced::Set, Synced::Cleared, Synced::Complete, Synced::Overridden, Synced::Unsupported];
        prop_oneof![
            Just(Event::ThreadKnown),
            (any::<bool>(), at_end).prop_map(|(completed, at_end)| Event::WorkflowEnded { completed, at_end }),
            proptest::sample::select(synced).prop_map(Event::Synced),
        ]
    }

    proptest! {
        #[test]
        fn what_somebody_else_has_set_is_never_asked_about_again(events in proptest::collection::vec(event(), 0..30)) {
            let (mut goal, mut overridden) = (Goal::PendingThread, false);
            for event in events {
                let (next, asks) = goal.step(event);
                prop_assert!(!(overridden && asks));
                overridden |= next == Goal::Overridden;
                prop_assert!(!overridden || next == Goal::Overridden);
                goal = next;
            }
        }
    }

    /// Each state with each event, as the arrows of a diagram.
    fn diagram() -> String {
        let states = [
            ("pending_thread", Goal::PendingThread),
            ("setting", Goal::Setting),
            ("set", Goal::Set),
            ("finishing", Goal::Finishing { complete: true }),
        ];
        let failed = || Synced::Failed { why: SafeText::fixed("no") };
        let events = [
            ("the thread is there", Event::ThreadKnown),
            ("workflow ended", Event::WorkflowEnded { completed: true, at_end: AtEnd::SetComplete }),
            ("shown as wanted", Event::Synced(Synced::Set)),
            ("gone", Event::Synced(Synced::Cleared)),
            ("shown as complete", Event::Synced(Synced::Complete)),
            ("another is there", Event::Synced(Synced::Overridden)),
            ("not known to codex", Event::Synced(Synced::Unsupported)),
            ("refused", Event::Synced(failed())),
        ];
        let name = |goal: &Goal| match goal {
            Goal::PendingThread => "pending_thread",
            Goal::Setting => "setting",
            Goal::Set => "set",
            Goal::Finishing { .. } => "finishing",
            Goal::Cleared => "cleared",
            Goal::Complete => "complete",
            Goal::Overridden => "overridden",
            Goal::Unsupported => "unsupported",
            Goal::Failed { .. } => "failed",
        };
        let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned(), "    [*] --> pending_thread".to_owned()];
        for (from, state) in states {
            for (words, event) in &events {
                let (next, _) = state.clone().step(event.clone());
                if next != state {
                    lines.push(format!("    {from} --> {}: {words}", name(&next)));
                }
            }
        }
        lines.push("```".to_owned());
        lines.join("\n")
    }

    #[test]
    fn the_diagram_in_the_documents_is_the_machine() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/state-machines.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        let (start, end) = ("<!-- goal: begin -->", "<!-- goal: end -->");
        let inside = page.split_once(start).and_then(|(_, rest)| rest.split_once(end));
        assert_eq!(inside.map(|(shown, _)| shown.trim()), Some(diagram().as_str()), "docs/state-machines.md should read:\n{}", diagram());
    }

    #[test]
    fn it_is_set_with_its_thread_and_settled_with_its_workflow() {
        let ended = |completed, at_end| Event::WorkflowEnded { completed, at_end };
        assert_eq!(Goal::PendingThread.step(Event::ThreadKnown), (Goal::Setting, true));
        assert_eq!(Goal::Setting.step(Event::Synced(Synced::Set)), (Goal::Set, false));
        assert_eq!(Goal::Set.step(ended(true, AtEnd::Clear)), (Goal::Finishing { complete: false }, true));
        assert_eq!(Goal::Set.step(ended(true, AtEnd::SetComplete)), (Goal::Finishing { complete: true }, true));
        assert_eq!(Goal::Set.step(ended(false, AtEnd::SetComplete)), (Goal::Finishing { complete: false }, true), "it was not reached");
        assert_eq!(Goal::Set.step(ended(true, AtEnd::Leave)), (Goal::Set, false));
        assert_eq!(Goal::PendingThread.step(ended(false, AtEnd::Clear)), (Goal::Cleared, false));
        assert_eq!(Goal::Finishing { complete: true }.step(Event::Synced(Synced::Complete)), (Goal::Complete, false));
    }
}
