//! What a task may ask of sandbox and approvals: the ceiling of this installation bounds it (ARCHITECTURE 21.20).

use crate::{
    store::tables::operations::{Approval, Sandbox},
    tools::{Cx, ToolError, views::operation},
};
use common::error::ErrorCode;

/// `respect_existing` leaves the thread as it is. The ceiling bounds what may be asked (ARCHITECTURE 21.20).
pub(in crate::tools) fn sandbox(cx: &Cx, asked: Option<&str>) -> Result<Option<Sandbox>, ToolError> {
    let sandbox = match asked {
        // What the thread has now is not known here, so a ceiling could not be kept.
        Some("respect_existing") if cx.config.sandbox_max == Sandbox::DangerFullAccess => return Ok(None),
        Some("respect_existing") => return Err(unbounded("sandbox", "policy.sandbox_max")),
        Some("read-only") => Sandbox::ReadOnly,
        Some("workspace-write") => Sandbox::WorkspaceWrite,
        Some("danger-full-access") => Sandbox::DangerFullAccess,
        _ => cx.config.default_sandbox,
    };
    if sandbox > cx.config.sandbox_max {
        return Err(ToolError::new(ErrorCode::Refused, "argument sandbox: wider than policy.sandbox_max allows; ask for a narrower one")
            .with("sandboxMax", operation::sandbox_word(cx.config.sandbox_max)));
    }
    Ok(Some(sandbox))
}

fn unbounded(argument: &str, ceiling: &str) -> ToolError {
    ToolError::new(
        ErrorCode::Refused,
        &format!("argument {argument}: respect_existing is not possible while {ceiling} bounds it; name one"),
    )
}

pub(in crate::tools) fn approval(cx: &Cx, asked: Option<&str>) -> Result<Option<Approval>, ToolError> {
    let approval = match asked {
        Some("respect_existing") if cx.config.approval_min == Approval::Never => return Ok(None),
        Some("respect_existing") => return Err(unbounded("approval_policy", "policy.approval_min")),
        Some("never" | "never_auto_approve") => Approval::Never,
        Some("untrusted") => Approval::Untrusted,
        Some("on-failure") => Approval::OnFailure,
        Some("on-request" | "ask_openclaw") => Approval::OnRequest,
        _ => cx.config.default_approval,
    };
    if approval > cx.config.approval_min {
        return Err(ToolError::new(
            ErrorCode::Refused,
            "argument approval_policy: looser than policy.approval_min allows; ask for a stricter one",
        )
        .with("approvalMin", operation::approval_word(cx.config.approval_min)));
    }
    Ok(Some(approval))
}
