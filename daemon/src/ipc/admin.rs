//! What only the admin command asks: operations by what people type, configuration, allowed folders, stopping.
//! Raw local detail is reachable only here (ARCHITECTURE 12).

use super::{
    forget,
    router::{Door, Stop, refuse, too_many_values},
};
use crate::{
    config,
    engine::{Cause, PausedProject},
    projects,
    store::tables::{interactions, operations},
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
use common::{error::ErrorCode, files, ids::InteractionId, safe::Redactor, wire};
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
        "prompt" => prompt(&door, &ask).await,
        "question" => question(&door, &ask).await,
        "config" => Ok(shown_config(&door)),
        "allow" => allow(&door, &ask),
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
        one["value"] = json!(door.policy.roots());
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

/// Written to the configuration file first, so that it holds after a restart too.
fn allow(door: &Door, ask: &Ask) -> Result<Value, ToolError> {
    let root = dunce::canonicalize(&ask.path).ok().filter(|path| path.is_dir());
    let root = root.ok_or_else(|| {
        ToolError::invalid(&format!("{} does not exist or is not a folder; name a folder that exists", ask.path.display()))
    })?;
    if let Some(own) = door.policy.own_below(&root) {
        let sentence = format!(
            "{} contains the control plane's own folder {}; allow the folders of your projects one by one",
            root.display(),
            own.display()
        );
        return Err(ToolError::new(ErrorCode::Refused, &sentence));
    }
    let overridden = door.config.shown.iter().any(|one| one.key == "allowed_roots" && one.origin.starts_with("environment"));
    write_root(door, &root).map_err(|why| ToolError::invalid(&format!("could not write the configuration: {why}")))?;
    door.policy.allow(root.clone());
    let note = overridden.then_some("CODEX_ALLOWED_ROOTS is set and counts after the next start; add the folder there too");
    Ok(json!({"allowed": root, "roots": door.policy.roots(), "configFile": door.place.config_file, "note": note}))
}

fn write_root(door: &Door, root: &std::path::Path) -> Result<(), String> {
    let path = &door.place.config_file;
    let text = match files::read_text(path, files::SETTINGS_BYTES_MAX) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        text => text.unwrap_or_default(),
    };
    config::table(&text)?;
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
    let roots = document.entry("allowed_roots").or_insert(toml_edit::value(toml_edit::Array::new()));
    let roots = roots.as_array_mut().ok_or("allowed_roots is not a list")?;
    let text = root.to_string_lossy().into_owned();
    if !roots.iter().any(|one| one.as_str() == Some(&text)) {
        roots.push(text);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    }
    // Beside, then renamed: a crash leaves the old file or the new one.
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, document.to_string()).and_then(|()| std::fs::rename(&beside, path)).map_err(|e| e.to_string())
}
