//! The contract's words for settings of an operation. Nothing here decides anything.

use crate::store::tables::operations;
use domain::schedule;

pub(crate) fn sandbox_word(sandbox: operations::Sandbox) -> &'static str {
    match sandbox {
        operations::Sandbox::ReadOnly => "read-only",
        operations::Sandbox::WorkspaceWrite => "workspace-write",
        operations::Sandbox::DangerFullAccess => "danger-full-access",
    }
}

pub(crate) fn approval_word(approval: operations::Approval) -> &'static str {
    match approval {
        operations::Approval::Untrusted => "untrusted",
        operations::Approval::OnRequest => "on-request",
        operations::Approval::OnFailure => "on-failure",
        operations::Approval::Never => "never",
    }
}

pub(crate) fn priority_word(priority: schedule::Priority) -> &'static str {
    match priority {
        schedule::Priority::High => "high",
        schedule::Priority::Normal => "normal",
        schedule::Priority::Low => "low",
    }
}
