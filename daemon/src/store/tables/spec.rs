//! What was asked for, apart from the prompt. Written once, with the operation, and never changed. Decides nothing.

use crate::appserver::translate::Marker;
use common::{
    ids::*,
    time::{Millis, Timestamp},
};
use domain::{
    locks::LockPath,
    operation::Target,
    schedule::{Cost, Priority},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub operation_type: OperationType,
    pub target: Target,
    pub project_id: ProjectId,
    pub project_root: PathBuf,
    pub cwd: PathBuf,
    pub title: Option<String>,
    pub model: Option<String>,
    pub sandbox: Option<Sandbox>,
    pub approval: Option<Approval>,
    pub priority: Priority,
    pub cost: Cost,
    pub agent_id: Option<String>,
    pub resource_keys: Vec<String>,
    /// What it may write; nothing where its sandbox lets it only read.
    pub writes: Vec<LockPath>,
    /// Patience with single requests to the app-server (ARCHITECTURE 21.8).
    pub request_ms_max: Millis,
    pub turn_ms_max: Option<Millis>,
    /// Starts at this moment at the earliest.
    pub not_before: Option<Timestamp>,
    pub output_schema: Option<OutputSchema>,
    /// How codex is to work; without one it stays in the mode that the thread is in (PROTOCOL 8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Its thread is a copy of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
    /// What is to be looked at, instead of something that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Beside the words of the prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The thread whose finished work it goes on from, although a new one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<OperationId>,
    /// The workflow whose step it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// What was asked for, where planning needs something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusted: Option<Adjusted>,
    pub asked_by: AskedBy,
    pub request_key_given: bool,
}

impl Spec {
    pub fn own_thread(&self) -> bool {
        self.target == Target::NewThread
    }

    /// What stands for our message where codex takes none.
    pub fn marker(&self) -> Option<Marker> {
        match self.operation_type {
            OperationType::ReviewStart => Some(Marker::Review),
            OperationType::CompactThread => Some(Marker::Compaction),
            OperationType::StartChat
            | OperationType::SendMessage
            | OperationType::ExecutePlan
            | OperationType::ForkThread
            | OperationType::SteerTurn
            | OperationType::ArchiveThread
            | OperationType::UnarchiveThread => None,
        }
    }

    pub fn is_steer(&self) -> bool {
        matches!(self.target, Target::Turn { .. })
    }

    /// The turn of another operation that its message goes into.
    pub fn target_turn(&self) -> Option<&TurnId> {
        match &self.target {
            Target::Turn { turn, .. } => Some(turn),
            Target::NewThread | Target::Thread(_) => None,
        }
    }
}

/// What a review looks at, as codex names it (PROTOCOL 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ReviewTarget {
    UncommittedChanges,
    BaseBranch {
        branch: String,
    },
    Commit {
        sha: String,
        title: Option<String>,
    },
    /// What to look at is the prompt.
    Custom,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub target: ReviewTarget,
    /// On the thread that was named, or on one of its own.
    pub inline: bool,
    pub source: Option<ThreadId>,
}

/// A picture beside the words, checked when it was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Image {
    Image { url: String, detail: Option<String> },
    LocalImage { path: PathBuf, detail: Option<String> },
}

/// A copy up to now; the thread it is made of stays as it is (PROTOCOL 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    pub source: ThreadId,
    pub config: Option<serde_json::Value>,
    /// Kept in memory only: gone with its app-server.
    #[serde(default)]
    pub ephemeral: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Plan,
    Default,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Mode::Plan => "plan",
            Mode::Default => "default",
        }
    }
}

/// A planning turn runs with no less than its floor (BEHAVIOUR 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    pub sandbox: Option<Sandbox>,
    pub approval: Option<Approval>,
}

/// What the report is asked to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    pub schema: serde_json::Value,
    pub hash: String,
    pub chars: usize,
}

/// Who handed it in, and over what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    pub program: String,
    pub connection: String,
    /// The codex thread of a caller that is codex itself.
    pub thread: Option<ThreadId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationType {
    StartChat,
    SendMessage,
    ExecutePlan,
    ForkThread,
    SteerTurn,
    ReviewStart,
    ArchiveThread,
    UnarchiveThread,
    CompactThread,
}

impl OperationType {
    pub fn word(self) -> &'static str {
        match self {
            OperationType::StartChat => "start_chat",
            OperationType::SendMessage => "send_message",
            OperationType::ExecutePlan => "execute_plan",
            OperationType::ForkThread => "fork_thread",
            OperationType::SteerTurn => "steer_turn",
            OperationType::ReviewStart => "review_start",
            OperationType::ArchiveThread => "archive_thread",
            OperationType::UnarchiveThread => "unarchive_thread",
            OperationType::CompactThread => "compact_thread",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    ReadOnly,
    WorkspaceWrite,
    DangerFullAccess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// From the strictest to the loosest, as `policy.approval_min` compares them.
    Untrusted,
    OnRequest,
    OnFailure,
    Never,
}
