//! Brings the goal on a thread to what its workflow wants, by what codex shows. Another one than ours is somebody else's
//! and stays as it is.

use super::{effects::Runner, link::Link, look_up, refusal, rpc::RpcError};
use crate::{
    engine::Done,
    store::tables::goals::{self, GoalRow},
};
use common::{ids::WorkflowId, safe::Redactor};
use domain::{
    operation::Refusal,
    workflow::goal::{Goal, Synced, Wanted},
};
use serde_json::{Value, json};

impl Runner {
    pub(super) async fn sync_goal(&self, link: &Link, workflow: WorkflowId) -> Done {
        match self.reader.peek(move |tx| goals::by_workflow(tx, &workflow)).await {
            Ok(Some(row)) => match sync(link, &row).await {
                Ok(synced) => Done::GoalSynced(synced),
                Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
                Err(error) => refused(&error),
            },
            Ok(None) => Done::Sent,
            Err(_) => Done::Later,
        }
    }
}

fn refused(error: &RpcError) -> Done {
    let RpcError::Refused { message, .. } = error else { return Done::Lost };
    if matches!(refusal::classify(error), Some(Refusal::NotReady | Refusal::HeldElsewhere | Refusal::ThreadBusy)) {
        return Done::Later;
    }
    // As an app-server says it that does not know the method (PROTOCOL 2).
    let unsupported = message.contains("unknown variant") || message.contains("requires experimentalApi");
    Done::GoalSynced(match unsupported {
        true => Synced::Unsupported,
        false => Synced::Failed { why: Redactor.text(&format!("codex did not take the goal: {message}")).truncated(400).0 },
    })
}

async fn sync(link: &Link, row: &GoalRow) -> Result<Synced, RpcError> {
    let Some(thread) = &row.thread else { return Ok(Synced::Cleared) };
    if !link.is_subscribed(thread) {
        look_up::resume(link, thread, None).await?;
    }
    let there = match link.request("thread/goal/get", json!({"threadId": thread})).await {
        // The app-server has put it away meanwhile.
        Err(RpcError::Refused { message, .. }) if message.contains("thread not found") => {
            link.unsubscribe(thread);
            look_up::resume(link, thread, None).await?;
            link.request("thread/goal/get", json!({"threadId": thread})).await?["goal"].take()
        }
        answer => answer?["goal"].take(),
    };
    let ours = is_ours(&there, &row.wanted);
    match &row.state {
        Goal::Setting | Goal::Set if ours => Ok(Synced::Set),
        Goal::Setting if there.is_null() => {
            let wanted = &row.wanted;
            let goal = json!({"threadId": thread, "objective": wanted.objective, "tokenBudget": wanted.token_budget, "status": "paused"});
            link.request("thread/goal/set", goal).await?;
            Ok(Synced::Set)
        }
        Goal::Finishing { complete: false } if there.is_null() => Ok(Synced::Cleared),
        Goal::Finishing { complete: true } if is_complete(&there, &row.wanted) => Ok(Synced::Complete),
        Goal::Finishing { complete: false } if ours => {
            link.request("thread/goal/clear", json!({"threadId": thread})).await?;
            Ok(Synced::Cleared)
        }
        Goal::Finishing { complete: true } if ours => {
            let mut goal = json!({"threadId": thread, "status": "complete"});
            if let Some(objective) = &row.wanted.end_objective {
                goal["objective"] = json!(objective);
            }
            link.request("thread/goal/set", goal).await?;
            Ok(Synced::Complete)
        }
        _ => Ok(Synced::Overridden),
    }
}

/// By what was set of it; codex counts tokens and time beside that.
pub(crate) fn is_ours(there: &Value, wanted: &Wanted) -> bool {
    there["objective"] == wanted.objective.as_str() && there["tokenBudget"] == wanted.token_budget
}

/// The answer to a request of before may have been lost.
fn is_complete(there: &Value, wanted: &Wanted) -> bool {
    let objective = wanted.end_objective.as_ref().unwrap_or(&wanted.objective);
    there["status"] == "complete" && there["objective"] == objective.as_str()
}
