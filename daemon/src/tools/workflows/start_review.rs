//! Start a review: codex looks at changes and says what it finds. One operation, shown as a workflow.

use super::{CHARS_MAX, stands};
use crate::{
    store::tables::operations::{self, Review, ReviewTarget},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            review,
            workflow::{Extent, WorkflowView},
        },
        work::{place, submit},
    },
};
use common::ids::*;
use serde::Deserialize;

pub struct StartReview;

#[derive(Deserialize)]
pub struct Input {
    thread_id: Option<String>,
    project_id: Option<String>,
    cwd: Option<String>,
    target_type: String,
    base_branch: Option<String>,
    commit_sha: Option<String>,
    commit_title: Option<String>,
    instructions: Option<String>,
    delivery: Option<String>,
    client_request_id: Option<String>,
    model: Option<String>,
    sandbox: Option<String>,
    approval_policy: Option<String>,
    timeout_seconds: Option<i64>,
    turn_seconds_max: Option<i64>,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for StartReview {
    const NAME: &'static str = "codex_start_review_workflow";
    const ABOUT: &'static str = "Let codex review changes: uncommitted ones, those against a base branch, a commit, or what instructions say. \
        In a project (project_id), or on a thread (thread_id): inline there, or detached on a thread of its own. Answers at once; wait with codex_wait \
        for currentOperationId.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "workflow", next_tools: &["codex_get_workflow_status", "codex_wait"], bare: false };
    const INPUT: &'static str = include_str!("start_review.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let target = target(&input)?;
        let thread = named(&input.thread_id).map(ThreadId::new);
        let inline = match (input.delivery.as_deref(), &thread) {
            (Some("inline"), _) | (None, None) => true,
            (Some("detached"), None) => {
                return Err(ToolError::invalid("argument delivery: detached needs a thread_id to be detached from; leave it out"));
            }
            _ => false,
        };
        // Before everything else: a repeated call is answered even if codex is away or the project gone.
        let key = submit::request_key(cx, input.client_request_id.as_deref());
        let earlier = cx.reader.peek(move |tx| operations::by_request_key(tx, &key)).await?;
        if let Some(same) = earlier.filter(|earlier| earlier.request_digest == input.request_digest) {
            return started(cx, &same.id, true).await;
        }
        let mut cwd = input.cwd.clone();
        let project = match (&thread, named(&input.project_id), &input.cwd) {
            // Detached: on a thread of its own, in the folder of that one (PROTOCOL 8).
            (Some(thread), _, _) if !inline => {
                let (root, folder) = place::folders_of(cx, thread).await?;
                cwd = cwd.or(Some(folder.to_string_lossy().into_owned()));
                Some(root.to_string_lossy().into_owned())
            }
            (Some(_), _, _) => None,
            (None, Some(project), _) => Some(project),
            (None, None, Some(cwd)) => Some(cwd.clone()),
            (None, None, None) => {
                return Err(ToolError::invalid("name what to review in: a thread_id, a project_id or a cwd"));
            }
        };
        let wanted = submit::Input {
            operation_type: "review_start".to_owned(),
            client_request_id: input.client_request_id,
            message: input.instructions.filter(|_| target == ReviewTarget::Custom),
            review: Some(Review { target, inline, source: thread.clone() }),
            thread_id: thread.filter(|_| inline).map(|thread| thread.to_string()),
            project_id: project,
            title: Some("Review".to_owned()),
            cwd,
            model: input.model,
            sandbox: input.sandbox,
            approval_policy: input.approval_policy,
            timeout_seconds: input.timeout_seconds,
            turn_seconds_max: input.turn_seconds_max,
            request_digest: input.request_digest,
            ..submit::Input::default()
        };
        let (submitted, _) = submit::hand_in(cx, wanted).await?;
        started(cx, &submitted.operation, submitted.idempotent).await
    }
}

async fn started(cx: &Cx, operation: &OperationId, idempotent: bool) -> Result<WorkflowView, ToolError> {
    let view = stands(cx, review::workflow_of(operation), Extent { messages: 1, chars_max: CHARS_MAX, events: false }).await?;
    Ok(WorkflowView { idempotent: Some(idempotent), idempotency_scope: idempotent.then_some("start"), ..view })
}

fn named(value: &Option<String>) -> Option<String> {
    value.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn target(input: &Input) -> Result<ReviewTarget, ToolError> {
    let needed = |value: &Option<String>, sentence: &'static str| named(value).ok_or_else(|| ToolError::invalid(sentence));
    Ok(match input.target_type.as_str() {
        "base_branch" => {
            ReviewTarget::BaseBranch { branch: needed(&input.base_branch, "argument base_branch: name the branch to compare with")? }
        }
        "commit" => ReviewTarget::Commit {
            sha: needed(&input.commit_sha, "argument commit_sha: name the commit to review")?,
            title: named(&input.commit_title),
        },
        "custom" => {
            needed(&input.instructions, "argument instructions: say what to review")?;
            ReviewTarget::Custom
        }
        _ => ReviewTarget::UncommittedChanges,
    })
}
