//! Where a task goes: its project, its folder, its thread or its turn, from what a caller named. Starts nothing.

use super::{fork, submit::Input};
use crate::{
    projects::Project,
    store::tables::{
        operations::{self, OperationType},
        turns,
    },
    tools::{Cx, ToolError},
};
use common::{error::ErrorCode, ids::*, safe::Redactor};
use domain::operation::Target;
use std::path::PathBuf;

pub(super) async fn place(cx: &Cx, input: &Input, operation_type: OperationType) -> Result<(Project, PathBuf, Target), ToolError> {
    // A review without a thread makes one.
    let makes_thread =
        operation_type == OperationType::StartChat || (operation_type == OperationType::ReviewStart && input.thread_id.is_none());
    match operation_type {
        _ if makes_thread => {
            let reference = input.project_id.as_deref().filter(|text| !text.trim().is_empty()).ok_or_else(|| {
                ToolError::invalid(
                    "argument project_id: start_chat needs the id, name or path of a project; codex_list_projects lists them",
                )
            })?;
            let project = cx.policy.project(reference).await?.ok_or_else(|| {
                ToolError::new(ErrorCode::ProjectNotFound, "no project has this id, name or path; codex_list_projects lists them")
                    .with("projectId", Redactor.text(reference))
            })?;
            let cwd = input.cwd.as_deref().map_or_else(|| project.root.clone(), |cwd| project.root.join(cwd));
            let cwd = cx.policy.allowed(&cwd)?;
            Ok((project, cwd, Target::NewThread))
        }
        OperationType::ForkThread => {
            let (root, cwd) = folders_of(cx, &fork::source(input)?).await?;
            let cwd = input.cwd.as_deref().map_or(cwd, |asked| root.join(asked));
            let cwd = cx.policy.allowed(&cwd)?;
            // What was said on the thread belongs to its own folder, wherever it goes on.
            cx.policy.allowed(&root)?;
            Ok((cx.policy.at(root).await, cwd, Target::NewThread))
        }
        OperationType::SteerTurn => {
            let named = |value: &Option<String>| value.as_deref().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned);
            let (Some(thread), Some(turn)) = (named(&input.thread_id), named(&input.expected_turn_id)) else {
                return Err(ToolError::invalid(
                    "arguments thread_id and expected_turn_id: steer_turn needs both; a running operation shows them",
                ));
            };
            let (thread, turn) = (ThreadId::new(thread), TurnId::new(turn));
            let wanted = turn.clone();
            let read = cx.reader.peek(move |tx| match turns::by_id(tx, &wanted)? {
                Some(turn) => operations::by_id(tx, &turn.operation),
                None => Ok(None),
            });
            let unknown = || {
                ToolError::new(ErrorCode::TurnNotFound, "no turn of ours has this id; name the turnId of a running operation")
                    .with("turnId", turn.clone())
            };
            let owner = read.await?.ok_or_else(unknown)?;
            cx.policy.allowed(&owner.spec.project_root)?;
            Ok((cx.policy.at(owner.spec.project_root).await, owner.spec.cwd, Target::Turn { thread, turn }))
        }
        // Its folder may be gone: that is when one puts it away.
        OperationType::ArchiveThread | OperationType::UnarchiveThread => {
            let thread = ThreadId::new(input.thread_id.as_deref().map(str::trim).unwrap_or_default());
            let (root, cwd) = folders_of(cx, &thread).await?;
            cx.policy.allowed_gone(&root)?;
            Ok((cx.policy.at(root).await, cwd, Target::Thread(thread)))
        }
        OperationType::StartChat
        | OperationType::SendMessage
        | OperationType::ExecutePlan
        | OperationType::ReviewStart
        | OperationType::CompactThread => {
            let chat = input.chat_id.as_deref().or(input.thread_id.as_deref()).filter(|text| !text.trim().is_empty());
            let thread = ThreadId::new(
                chat.ok_or_else(|| ToolError::invalid("argument chat_id: name the thread to continue (execute_plan: or workflow_id)"))?,
            );
            let (root, cwd) = folders_of(cx, &thread).await?;
            let cwd = input.cwd.as_deref().map_or(cwd, |asked| root.join(asked));
            let cwd = cx.policy.allowed(&cwd)?;
            // What was said on the thread belongs to its own folder, wherever it goes on.
            cx.policy.allowed(&root)?;
            Ok((cx.policy.at(root).await, cwd, Target::Thread(thread)))
        }
    }
}

/// From our own work on the thread, else from codex: the thread may have been made anywhere.
pub(in crate::tools) async fn folders_of(cx: &Cx, thread: &ThreadId) -> Result<(PathBuf, PathBuf), ToolError> {
    let wanted = thread.clone();
    if let Some(row) = cx.reader.read(move |tx| operations::newest_on_thread(tx, &wanted)).await? {
        return Ok((row.spec.project_root, row.spec.cwd));
    }
    let unavailable = |_| {
        ToolError::new(
            ErrorCode::AppServerUnavailable,
            "could not ask codex for the thread: the app-server is not running; see codex_get_app_server_status",
        )
    };
    match cx.inventory.thread(thread).await.map_err(unavailable)? {
        Some(known) => Ok((known.cwd.clone(), known.cwd)),
        None => {
            Err(ToolError::new(ErrorCode::ThreadNotFound, "no thread has this id; start one with start_chat")
                .with("threadId", thread.clone()))
        }
    }
}
