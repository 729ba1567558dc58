//! What only the admin command asks: operations by what people type, configuration, allowed folders, stopping.
//! Raw local detail is reachable only here (ARCHITECTURE 12).

use super::{
    forget, roots,
    router::{Door, Stop, refuse, too_many_values},
};
use crate::{
    engine::{Cause, PausedProject},
    projects,
    store::tables::{interactions, operations, workflows},
    tools::{
        ToolError,
        views::decision::{self, Length},
    },
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use common::{ids::InteractionId, safe::Redactor, wire};
use domain::advice;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Ask {
    id: String,
    path: PathBuf,
    all: bool,
    limit: Option<u32>,
    project: Option<String>,
    before: String,
    codex: bool,
    after: i64,
}

pub(super) async fn admin(State(door): State<Door>, Path(what): Path<String>, body: Bytes) -> Response {
    if wire::has_too_many_values(&body) {
        return refuse(&too_many_values());
    }
    let ask: Ask = match if body.is_empty() { Ok(Ask::default()) } else { serde_json::from_slice(&body) } {
        Ok(ask) => ask,
        Err(error) => return refuse(&ToolError::invalid(&format!("the body does not fit: {error}"))),
    };
    let answer = match what.as_str() {
        "list" => list(&door, &ask).await,
        "plans" => plans(&door).await,
        "prompt" => prompt(&door, &ask).await,
        "question" => question(&door, &ask).await,
        "config" => Ok(shown_config(&door)),
        "allow" => roots::allow(&door, &ask.path),
        "disallow" => roots::disallow(&door, &ask.path),
        "forget" => {
            let wanted = forget::Wanted { id: ask.id, before: ask.before, in_codex: ask.codex, after: ask.after };
            forget::forget(&door, &wanted).await
        }
        "pause" | "resume" => pause(&door, &ask, what == "pause").await,
        "stop" => {
            door.stop.send_replace(Some(if ask.all { Stop::All } else { Stop::Daemon }));
            Ok(json!({"stopping": true}))
        }
        other => Err(ToolError::invalid(&format!("there is nothing called {other} here"))),
    };
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(&error),
    }
}

/// The newest operations; a line each.
async fn list(door: &Door, ask: &Ask) -> Result<Value, ToolError> {
    const LISTED: u32 = 50;
    let (live_only, limit) = (!ask.all, ask.limit.unwrap_or(LISTED));
    let rows = door.reader.read(move |tx| operations::listed(tx, live_only, limit)).await?;
    let line = |row: &operations::OperationRow| {
        let advice = advice::operation(&row.state, None, None);
        json!({
            "operationId": row.id, "type": row.spec.operation_type.word(), "status": advice.status, "project": row.spec.project_root,
            "title": row.spec.title, "threadId": row.thread, "createdAtMs": row.created, "endedAtMs": row.ended,
        })
    };
    Ok(json!({"operations": rows.iter().map(line).collect::<Vec<_>>()}))
}

/// Plans that wait for somebody's yes.
async fn plans(door: &Door) -> Result<Value, ToolError> {
    const LISTED: u32 = 50;
    let read = door.reader.read(|tx| {
        let mut all = Vec::new();
        for workflow in workflows::planned(tx, LISTED)? {
            if let Some(row) = operations::by_id(tx, &workflow.plan_operation)?.filter(|row| row.cleared.is_none()) {
                all.push((workflow, row));
            }
        }
        Ok(all)
    });
    let line = |(workflow, row): &(workflows::WorkflowRow, operations::OperationRow)| {
        json!({
            "workflowId": workflow.id, "operationId": row.id, "version": workflow.state.version(), "plannedAtMs": workflow.updated,
            "project": row.spec.project_root, "title": row.spec.title,
        })
    };
    Ok(json!({"plans": read.await?.iter().map(line).collect::<Vec<_>>()}))
}

/// What `retry` and `resume` need to know of an operation: where it worked, and its prompt where it is still kept.
async fn prompt(door: &Door, ask: &Ask) -> Result<Value, ToolError> {
    let part = ask.id.to_lowercase();
    let read = door.reader.read(move |tx| match operations::ids_like(tx, &part)?.as_slice() {
        [only] => operations::by_id(tx, only),
        _ => Ok(None),
    });
    let row =
        read.await?.ok_or_else(|| ToolError::invalid("no operation, or more than one, fits this id; `codexcp list --all` shows them"))?;
    Ok(json!({
        "operationId": row.id, "threadId": row.thread, "project": row.spec.project_root, "cwd": row.spec.cwd,
        "prompt": row.prompt.as_ref().map(|prompt| prompt.expose()), "title": row.spec.title, "model": row.spec.model,
        "sandbox": row.spec.sandbox, "approvalPolicy": row.spec.approval, "ended": row.state.is_ended(),
        "turnSecondsMax": row.spec.turn_ms_max.map(|limit| limit.0 / 1000),
    }))
}

/// All that an interaction asks, nothing left out: a person decides on it.
async fn question(door: &Door, ask: &Ask) -> Result<Value, ToolError> {
    let id = InteractionId::new(ask.id.trim());
    let row = door.reader.read(move |tx| interactions::by_id(tx, &id)).await?;
    let row = row.ok_or_else(|| ToolError::invalid("no interaction has this id; `codexcp pending` shows what waits"))?;
    Ok(json!({"text": Redactor.decided_on(&decision::text(&row, Length::Whole))}))
}

/// As resolved at the start; the allowed folders as they are now.
fn shown_config(door: &Door) -> Value {
    let mut settings = json!(door.config.shown);
    for one in settings.as_array_mut().into_iter().flatten().filter(|one| one["key"] == "allowed_roots") {
        let now = json!(door.policy.roots());
        if one["value"] != now {
            // Somebody allowed a folder or took one back since the start.
            one["origin"] = json!(format!("file {}", door.place.config_file.display()));
        }
        one["value"] = now;
    }
    json!({"settings": settings, "configFile": door.place.config_file, "home": door.place.home})
}

/// Nothing new starts, in a project or anywhere; or it does again. What is at work goes on.
async fn pause(door: &Door, ask: &Ask, pauses: bool) -> Result<Value, ToolError> {
    let project = match &ask.project {
        Some(reference) => Some(
            door.policy
                .project(reference)
                .await?
                .ok_or_else(|| ToolError::invalid("no project has this id, name or path; `codexcp allow DIR` allows one"))?,
        ),
        None => None,
    };
    let paused = project.as_ref().map(|one| PausedProject { key: projects::key_of(&one.root), id: one.id.clone() });
    let key = paused.as_ref().map(|one| one.key.clone());
    door.engine.apply(if pauses { Cause::Pause { project: paused } } else { Cause::Resume { project: paused } }).await?;
    let active = door.reader.read(|tx| operations::active(tx)).await?;
    let at_work = active.iter().filter(|row| key.as_ref().is_none_or(|key| *key == row.project_key)).map(|row| row.id.clone());
    Ok(json!({"paused": pauses, "project": project.map(|one| one.root), "atWork": at_work.collect::<Vec<_>>()}))
}
