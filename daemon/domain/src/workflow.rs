//! A plan workflow: a planning turn, a plan that somebody approves, its execution. It moves when one of its operations
//! ends and when somebody decides; nothing moves it by looking. The operations themselves are like any other.

pub mod goal;
pub mod plan;

use crate::operation::Outcome;
use common::{
    ids::OperationId,
    safe::{Redactor, SafeText},
};
use plan::Quality;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Workflow {
    Planning {
        operation: OperationId,
    },
    /// There is a plan, and somebody has to decide.
    Planned {
        version: u32,
        quality: Quality,
    },
    /// The planning turn left none that is of use. Comments or another plan can still help.
    NotPlanned {
        why: SafeText,
        /// What became of the turn cannot be told.
        orphaned: bool,
    },
    Executing {
        version: u32,
        operation: OperationId,
    },
    Ended {
        version: u32,
        end: End,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    Completed,
    Failed { why: SafeText },
    Orphaned { why: SafeText },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One of its operations has ended; a planning turn may have left a plan.
    OperationEnded {
        operation: OperationId,
        outcome: Outcome,
        plan: Option<(u32, Quality)>,
    },
    /// Comments go back in a new planning turn.
    ReviseAsked {
        operation: OperationId,
    },
    /// The plan of another turn takes the place of the last one.
    Adopted {
        version: u32,
    },
    Approved {
        operation: OperationId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the workflow has no completed plan yet; wait for the planning turn to end")]
    NoPlanYet,
    #[error("the workflow has no completed plan; ask for one with codex_revise_plan")]
    NoPlan,
    #[error("the plan is not a valid one; read it, then revise it with codex_revise_plan")]
    NotValid,
    #[error("its execution has begun; follow it with codex_get_workflow_status")]
    Executing,
    #[error("the event is of an operation that this workflow no longer waits for")]
    Late,
}

impl Workflow {
    pub fn step(self, event: Event) -> Result<Workflow, Refused> {
        use Workflow as W;
        match (self, event) {
            (W::Planning { operation }, Event::OperationEnded { operation: ended, outcome, plan }) if operation == ended => {
                Ok(planned(&outcome, plan))
            }
            (W::Executing { version, operation }, Event::OperationEnded { operation: ended, outcome, .. }) if operation == ended => {
                Ok(W::Ended { version, end: end(&outcome) })
            }
            (W::Planned { .. } | W::NotPlanned { .. }, Event::ReviseAsked { operation }) => Ok(W::Planning { operation }),
            (W::Planned { .. } | W::NotPlanned { .. }, Event::Adopted { version }) => {
                Ok(W::Planned { version, quality: Quality::ValidPlan })
            }
            (W::Planned { version, quality: Quality::ValidPlan }, Event::Approved { operation }) => Ok(W::Executing { version, operation }),
            (W::Planned { .. }, Event::Approved { .. }) => Err(Refused::NotValid),
            (W::Planning { .. }, Event::Approved { .. } | Event::Adopted { .. } | Event::ReviseAsked { .. }) => Err(Refused::NoPlanYet),
            (W::NotPlanned { .. }, Event::Approved { .. }) => Err(Refused::NoPlan),
            (W::Executing { .. } | W::Ended { .. }, Event::ReviseAsked { .. } | Event::Adopted { .. } | Event::Approved { .. }) => {
                Err(Refused::Executing)
            }
            (
                W::Planning { .. } | W::Planned { .. } | W::NotPlanned { .. } | W::Executing { .. } | W::Ended { .. },
                Event::OperationEnded { .. },
            ) => Err(Refused::Late),
        }
    }

    /// The operation that it waits for.
    pub fn current(&self) -> Option<&OperationId> {
        match self {
            Workflow::Planning { operation } | Workflow::Executing { operation, .. } => Some(operation),
            Workflow::Planned { .. } | Workflow::NotPlanned { .. } | Workflow::Ended { .. } => None,
        }
    }

    /// The version of the plan that counts now.
    pub fn version(&self) -> Option<u32> {
        match self {
            Workflow::Planned { version, .. } | Workflow::Executing { version, .. } | Workflow::Ended { version, .. } => Some(*version),
            Workflow::Planning { .. } | Workflow::NotPlanned { .. } => None,
        }
    }

    pub fn has_begun_execution(&self) -> bool {
        matches!(self, Workflow::Executing { .. } | Workflow::Ended { .. })
    }

    /// The tag of the stored row.
    pub fn name(&self) -> &'static str {
        match self {
            Workflow::Planning { .. } => "planning",
            Workflow::Planned { .. } => "planned",
            Workflow::NotPlanned { .. } => "not_planned",
            Workflow::Executing { .. } => "executing",
            Workflow::Ended { .. } => "ended",
        }
    }

    /// The contract's word (BEHAVIOUR 6.3), apart from what waits for a person within the turn.
    pub fn phase(&self) -> &'static str {
        match self {
            Workflow::Planning { .. } => "planning",
            Workflow::Planned { quality: Quality::ValidPlan, .. } => "plan_ready",
            Workflow::Planned { .. } => "plan_needs_review",
            Workflow::NotPlanned { orphaned: true, .. } | Workflow::Ended { end: End::Orphaned { .. }, .. } => {
                "orphaned_after_app_server_exit"
            }
            Workflow::NotPlanned { orphaned: false, .. } | Workflow::Ended { end: End::Failed { .. }, .. } => "failed",
            Workflow::Executing { .. } => "executing",
            Workflow::Ended { end: End::Completed, .. } => "completed",
        }
    }

    pub fn why(&self) -> Option<&SafeText> {
        match self {
            Workflow::NotPlanned { why, .. } | Workflow::Ended { end: End::Failed { why } | End::Orphaned { why }, .. } => Some(why),
            Workflow::Planning { .. }
            | Workflow::Planned { .. }
            | Workflow::Executing { .. }
            | Workflow::Ended { end: End::Completed, .. } => None,
        }
    }
}

fn planned(outcome: &Outcome, plan: Option<(u32, Quality)>) -> Workflow {
    let failed = |why| Workflow::NotPlanned { why, orphaned: false };
    match (outcome, plan) {
        (Outcome::Completed, Some((_, Quality::Blocker))) => failed(SafeText::fixed(
            "the planning turn ended with a blocker instead of a plan: read latestPlan, then say with codex_revise_plan how to go on",
        )),
        (Outcome::Completed, Some((version, quality))) => Workflow::Planned { version, quality },
        (Outcome::Completed, None) => failed(SafeText::fixed("the planning turn ended without a plan; ask for one with codex_revise_plan")),
        (Outcome::Unknown, _) => Workflow::NotPlanned { why: why(outcome), orphaned: true },
        (Outcome::Failed { .. } | Outcome::Interrupted { .. } | Outcome::Cancelled | Outcome::NotRun { .. }, _) => failed(why(outcome)),
    }
}

fn end(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Completed => End::Completed,
        Outcome::Unknown => End::Orphaned { why: why(outcome) },
        Outcome::Failed { .. } | Outcome::Interrupted { .. } | Outcome::Cancelled | Outcome::NotRun { .. } => {
            End::Failed { why: why(outcome) }
        }
    }
}

fn why(outcome: &Outcome) -> SafeText {
    Redactor.text(crate::advice::why_ended(outcome).unwrap_or_default())
}

#[cfg(test)]
mod tests;
