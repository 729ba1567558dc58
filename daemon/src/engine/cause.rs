//! What can make a state change: a caller, the app-server, a finished effect, a timer, a start.
//! A cause carries everything it needs: applying one reads nothing but the store.

use crate::{
    appserver::translate::ChildEvent,
    store::{
        StoreError,
        tables::{app_server::Process, operations::Spec},
    },
};
use common::{
    error::ErrorCode,
    ids::*,
    safe::{Prompt, SafeMap, SafeText},
    time::Timestamp,
};
use domain::{
    interaction::AnsweredBy,
    operation::{Finding, Refusal, Stop},
    supervise,
    workflow::goal::{Synced, Wanted},
};
use serde_json::Value;

#[derive(Debug, Clone)]
pub enum Cause {
    /// The daemon came up: a crash, seen from the other side.
    Started,
    Submit(Box<NewOperation>),
    Workflow(Box<WorkflowChange>),
    Stop {
        operation: OperationId,
        stop: Stop,
    },
    /// Nothing new starts, in a project or anywhere.
    Pause {
        project: Option<PausedProject>,
    },
    Resume {
        project: Option<PausedProject>,
    },
    Answer {
        interaction: InteractionId,
        response: Value,
        by: AnsweredBy,
    },
    /// A process was started; nothing was said to it yet.
    Spawned {
        generation: Generation,
        process: Process,
    },
    /// The link is up, to the process of this generation.
    LinkUp {
        generation: Generation,
        process: Option<Process>,
    },
    /// The connection broke; the process may live.
    LinkLost {
        generation: Generation,
    },
    /// The process is gone.
    ProcessGone {
        generation: Generation,
        /// `None`: it was told to end while it was idle.
        why: Option<SafeText>,
    },
    Supervise(supervise::Event),
    Child {
        generation: Generation,
        event: ChildEvent,
    },
    /// The app-server named the turn of an operation's `turn/start`, in order with its other lines.
    TurnAccepted {
        generation: Generation,
        operation: OperationId,
        turn: TurnId,
    },
    /// The message of a steer, or the request for a review or a compaction, is about to be written: from now on it may
    /// have arrived.
    Sending {
        operation: OperationId,
        /// The newest turn of its thread.
        after: Option<TurnId>,
    },
    EffectDone {
        effect: EffectId,
        generation: Generation,
        done: Done,
    },
    /// A stored moment has come.
    Tick,
    /// What ended long ago gives its texts and events back, a bounded number at a time.
    Tidy(Tidy),
    /// Somebody wants every word of these gone. All of them have ended.
    Forget {
        operations: Vec<OperationId>,
    },
}

/// What is old enough to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tidy {
    /// Whatever ended before.
    pub ended_before: Timestamp,
    /// Texts of work that ended without success before.
    pub texts_before: Timestamp,
    /// At most so many operations, texts and events each.
    pub most: u32,
}

/// A project by the key that its operations carry, and by the id that may be shown.
#[derive(Debug, Clone)]
pub struct PausedProject {
    pub key: String,
    pub id: ProjectId,
}

/// How an effect went.
#[derive(Debug, Clone)]
pub enum Done {
    ThreadCreated {
        thread: ThreadId,
    },
    ThreadMoved,
    /// How codex shows the goal of a workflow now.
    GoalSynced(Synced),
    /// Accepted; what follows comes as events of the turn.
    Sent,
    Refused(Refusal),
    /// No answer, or the connection broke in between.
    Lost,
    LookedUp {
        finding: Finding,
        missed: Vec<ChildEvent>,
    },
    InterruptRefused,
    /// The turn that was left behind is listed no more.
    Reverted,
    /// No command of the thread's turns runs any more.
    Cleaned,
    /// Could not be tried now; again after a pause. Nothing was sent.
    Later,
}

/// A submit, checked and resolved by its tool.
#[derive(Debug, Clone)]
pub struct NewOperation {
    pub id: OperationId,
    pub request_key: RequestKey,
    pub request_digest: String,
    pub spec: Spec,
    pub prompt: Prompt,
    pub prompt_digest: String,
    /// Digest of the prompt's normal form: equal prompts have equal ones.
    pub prompt_form: String,
    pub project_key: String,
    pub client_message: ClientMessageId,
    pub guard_duplicates: bool,
    /// Must complete first.
    pub firsts: Vec<OperationId>,
}

impl Cause {
    /// Who is written on the events.
    pub fn actor(&self) -> String {
        match self {
            Cause::Submit(new) => new.spec.asked_by.program.clone(),
            Cause::Workflow(change) => change.actor(),
            Cause::Stop { stop: Stop::ByLimit | Stop::Stalled, .. } | Cause::Started | Cause::Tick | Cause::Tidy(_) => "daemon".to_owned(),
            Cause::Stop { .. }
            | Cause::Pause { .. }
            | Cause::Resume { .. }
            | Cause::Forget { .. }
            | Cause::Answer { by: AnsweredBy::Caller, .. } => "caller".to_owned(),
            Cause::Answer { .. }
            | Cause::Spawned { .. }
            | Cause::LinkUp { .. }
            | Cause::LinkLost { .. }
            | Cause::ProcessGone { .. }
            | Cause::Sending { .. }
            | Cause::Supervise(_) => "daemon".to_owned(),
            Cause::Child { .. } | Cause::TurnAccepted { .. } | Cause::EffectDone { .. } => "app-server".to_owned(),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Cause::Started => "started",
            Cause::Submit(_) => "submit",
            Cause::Workflow(_) => "workflow",
            Cause::Stop { .. } => "stop",
            Cause::Pause { .. } => "pause",
            Cause::Resume { .. } => "resume",
            Cause::Answer { .. } => "answer",
            Cause::Spawned { .. } => "spawned",
            Cause::LinkUp { .. } => "link_up",
            Cause::LinkLost { .. } => "link_lost",
            Cause::ProcessGone { .. } => "process_gone",
            Cause::Supervise(_) => "supervise",
            Cause::Child { .. } => "child",
            Cause::TurnAccepted { .. } => "turn_accepted",
            Cause::Sending { .. } => "sending",
            Cause::EffectDone { .. } => "effect_done",
            Cause::Tick => "tick",
            Cause::Tidy(_) => "tidy",
            Cause::Forget { .. } => "forget",
        }
    }
}

/// What a cause changed, for whoever asked.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    pub cursor: Cursor,
    pub submitted: Option<Submitted>,
    pub workflow: Option<Changed>,
    /// Rows that gave something back.
    pub cleared: usize,
}

/// What somebody wants of a workflow. The operation that follows from it is created in the same commit.
#[derive(Debug, Clone)]
pub enum WorkflowChange {
    Start {
        id: WorkflowId,
        request_key: RequestKey,
        request_digest: String,
        planning: NewOperation,
        goal: Option<Wanted>,
    },
    Revise {
        id: WorkflowId,
        planning: NewOperation,
    },
    Adopt {
        id: WorkflowId,
        turn: TurnId,
        hash: String,
    },
    /// `version`: of the plan that was seen.
    Approve {
        id: WorkflowId,
        version: Option<u32>,
        execution: NewOperation,
    },
}

impl WorkflowChange {
    fn actor(&self) -> String {
        match self {
            WorkflowChange::Start { planning: new, .. }
            | WorkflowChange::Revise { planning: new, .. }
            | WorkflowChange::Approve { execution: new, .. } => new.spec.asked_by.program.clone(),
            WorkflowChange::Adopt { .. } => "caller".to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Changed {
    pub workflow: WorkflowId,
    /// It was so before; nothing was done again.
    pub idempotent: bool,
}

#[derive(Debug, Clone)]
pub struct Submitted {
    pub operation: OperationId,
    /// The same request was accepted before; nothing was done again.
    pub idempotent: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// An ordinary no, with what to do.
    #[error("{message}")]
    Rejected { code: ErrorCode, message: SafeText, details: SafeMap },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the daemon is stopping; call again in a moment")]
    Stopping,
}

impl EngineError {
    pub fn rejected(code: ErrorCode, message: &'static str) -> EngineError {
        EngineError::Rejected { code, message: SafeText::fixed(message), details: SafeMap::default() }
    }
}
