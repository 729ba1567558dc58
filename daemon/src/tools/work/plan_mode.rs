//! What a planning turn runs with at least (BEHAVIOUR 7.2): codex plans by looking, and may need to run what looks.
//! Never wider than the ceiling of this installation.

use crate::{
    store::tables::operations::{Adjusted, Approval, Mode, Sandbox},
    tools::Cx,
};

pub(super) fn floor(
    cx: &Cx,
    mode: Option<Mode>,
    sandbox: Option<Sandbox>,
    approval: Option<Approval>,
) -> (Option<Sandbox>, Option<Approval>, Option<Adjusted>) {
    if mode != Some(Mode::Plan) {
        return (sandbox, approval, None);
    }
    let floor = cx.config.default_sandbox.max(Sandbox::WorkspaceWrite).min(cx.config.sandbox_max);
    let raised = sandbox.map(|asked| asked.max(floor));
    let forced = match cx.config.default_approval {
        Approval::Never => Some(Approval::Never.min(cx.config.approval_min)),
        Approval::Untrusted | Approval::OnRequest | Approval::OnFailure => approval,
    };
    let changed = raised != sandbox || forced != approval;
    (raised, forced, changed.then_some(Adjusted { sandbox, approval }))
}
