//! `codexcp plan`, `approve`, `revise`: let codex plan before it works, read the plan, say yes or what is missing.
//! A workflow is named by its planning operation, or by the whole id that programs use.

use super::submit;
use crate::codexcp::{
    arguments::{Run, Task},
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids, live,
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn plan(daemon: &Daemon, out: &Output, asked: Run) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&asked.cwd)
        .map_err(|error| Failure::new(Exit::Usage, format!("--cwd {}: {error}; name a folder that exists", asked.cwd.display())))?;
    if asked.again {
        return Err(Failure::new(
            Exit::Usage,
            "a task is planned once at a time; wait for the plan that is being made, or stop it with `codexcp cancel`",
        ));
    }
    let mut arguments = json!({"project_id": folder, "message": submit::text(&asked.text)?});
    if let Some(title) = &asked.title {
        arguments["title"] = json!(title);
    }
    let workflow = daemon.tool("codex_start_plan_workflow", submit::with_task(arguments, &asked.task)).await?;
    planning(daemon, out, &workflow, asked.task.detach).await
}

pub(super) async fn revise(daemon: &Daemon, out: &Output, id: &str, comments: &str, detach: bool) -> Result<Exit, Failure> {
    let arguments = json!({"workflow_id": workflow(daemon, id).await?, "comments": submit::text(comments)?});
    let workflow = daemon.tool("codex_revise_plan", submit::with_task(arguments, &Task::default())).await?;
    planning(daemon, out, &workflow, detach).await
}

pub(super) async fn approve(daemon: &Daemon, out: &Output, id: &str, text: Option<&str>, task: Task) -> Result<Exit, Failure> {
    let mut arguments = json!({"workflow_id": workflow(daemon, id).await?});
    if let Some(text) = text {
        arguments["message"] = json!(submit::text(text)?);
    }
    let approved = daemon.tool("codex_approve_plan", submit::with_task(arguments, &task)).await?;
    let execution = word(&approved["executionOperationId"]);
    out.say(&format!("Approved; at work as {}.", ids::short(execution)));
    if !task.detach {
        return live::watch(daemon, out, execution).await;
    }
    if out.json {
        out.object(approved.clone())?
    } else {
        out.data(execution)?
    }
    Ok(Exit::Success)
}

/// Follows the planning turn, then shows what it left.
async fn planning(daemon: &Daemon, out: &Output, workflow: &Value, detach: bool) -> Result<Exit, Failure> {
    let operation = word(&workflow["planOperationId"]);
    let short = ids::short(operation);
    out.say(&format!("Planning as {short}."));
    if detach {
        if out.json {
            out.object(workflow.clone())?
        } else {
            out.data(operation)?
        }
        return Ok(Exit::Success);
    }
    let exit = live::watch(daemon, out, operation).await?;
    let planned = whole(daemon, &workflow["workflowId"]).await?;
    if out.json {
        out.object(planned)?;
        return Ok(exit);
    }
    tell(out, &planned, short)?;
    Ok(exit)
}

/// Of the planning of a workflow: its plan and what can be said to it. `false`: it is no planning, or there is no plan.
pub(super) async fn show(daemon: &Daemon, out: &Output, status: &Value) -> Result<bool, Failure> {
    if status["workflowId"].is_null() || status["completedAt"].is_null() {
        return Ok(false);
    }
    let planned = whole(daemon, &status["workflowId"]).await?;
    if planned["planOperationId"] != status["operationId"] || planned["latestPlan"].is_null() {
        return Ok(false);
    }
    tell(out, &planned, ids::short(word(&status["operationId"])))?;
    Ok(true)
}

async fn whole(daemon: &Daemon, workflow: &Value) -> Result<Value, Failure> {
    let arguments = json!({"workflow_id": workflow, "message_max_chars": 200_000, "include_events": false});
    daemon.tool("codex_get_workflow_status", arguments).await
}

fn tell(out: &Output, planned: &Value, short: &str) -> Result<(), Failure> {
    if let Some(markdown) = planned["latestPlan"]["markdown"].as_str() {
        out.data(&format!("\n{}", markdown.trim()))?;
    }
    if let Some(diff) = planned["plans"].as_array().and_then(|all| all.last()).and_then(|newest| newest["diff"].as_str()) {
        out.detail(diff);
    }
    out.say(&match word(&planned["phase"]) {
        "plan_ready" => format!("Approve it with `codexcp approve {short}`, or say what is missing with `codexcp revise {short} \"...\"`."),
        "executing" | "waiting_for_approval" | "waiting_for_user_input" | "completed" | "failed" | "interrupted" => {
            format!("It was approved; `codexcp show {}` shows its execution.", ids::short(word(&planned["executionOperationId"])))
        }
        _ => format!("{}\nSay how to go on with `codexcp revise {short} \"...\"`.", word(&planned["lastError"])),
    });
    Ok(())
}

/// The workflow of an operation that a person names, or the one that a program does.
async fn workflow(daemon: &Daemon, id: &str) -> Result<Value, Failure> {
    if id.starts_with("wf_") {
        return Ok(json!(id));
    }
    let status = daemon.status(id, Patience::Short).await?;
    match &status["workflowId"] {
        Value::Null => {
            let short = ids::short(word(&status["operationId"]));
            Err(Failure::new(Exit::Refused, format!("{short} is no step of a plan; start one with `codexcp plan`")))
        }
        workflow => Ok(workflow.clone()),
    }
}
