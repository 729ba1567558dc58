//! Hand in work. Answers as soon as it is stored; nothing has been said to codex by then, and nothing can be forgotten.

use super::{fork, locks, output_schema::output_schema, plan_mode};
use crate::{
    clock,
    engine::{Cause, NewOperation, Submitted},
    projects::{self, Project},
    store::tables::operations::{self, Approval, AskedBy, Mode, OperationRow, OperationType, Sandbox, Spec},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::operation::{self, Extent, OperationView, Similar},
        workflows::approve,
    },
};
use common::{
    error::ErrorCode,
    ids::*,
    safe::{Prompt, Redactor},
    time::{Millis, Timestamp},
};
use domain::{
    dedup,
    operation::Target,
    schedule::{Cost, Priority},
};
use serde::Deserialize;
use std::path::PathBuf;
use unicode_normalization::UnicodeNormalization;

pub struct SubmitTask;

#[derive(Default, Deserialize)]
pub struct Input {
    pub(in crate::tools) operation_type: String,
    pub(in crate::tools) client_request_id: Option<String>,
    pub(in crate::tools) agent_id: Option<String>,
    pub(in crate::tools) resource_keys: Option<Vec<String>>,
    pub(in crate::tools) priority: Priority,
    pub(in crate::tools) estimated_cost_class: Cost,
    pub(in crate::tools) thread_mode: Option<String>,
    pub(in crate::tools) dedup_policy: Option<String>,
    pub(in crate::tools) allow_historical_continuation: bool,
    pub(in crate::tools) project_id: Option<String>,
    pub(in crate::tools) chat_id: Option<String>,
    pub(in crate::tools) thread_id: Option<String>,
    pub(in crate::tools) source_thread_id: Option<String>,
    pub(in crate::tools) message: Option<String>,
    pub(in crate::tools) input_items: Option<serde_json::Value>,
    pub(in crate::tools) title: Option<String>,
    pub(in crate::tools) cwd: Option<String>,
    pub(in crate::tools) model: Option<String>,
    pub(in crate::tools) fork_config: Option<serde_json::Value>,
    pub(in crate::tools) ephemeral: bool,
    pub(in crate::tools) output_schema: Option<serde_json::Value>,
    pub(in crate::tools) collaboration_mode: Option<String>,
    pub(in crate::tools) approval_policy: Option<String>,
    pub(in crate::tools) sandbox: Option<String>,
    pub(in crate::tools) timeout_seconds: Option<i64>,
    pub(in crate::tools) turn_seconds_max: Option<i64>,
    pub(in crate::tools) not_before: Option<String>,
    #[serde(default)]
    pub(in crate::tools) depends_on: Vec<String>,
    pub(in crate::tools) workflow_id: Option<String>,
    /// Added by the table: digest of the arguments as given.
    pub(in crate::tools) request_digest: String,
    /// Whose step it is.
    #[serde(skip)]
    pub(in crate::tools) workflow: Option<WorkflowId>,
    /// The plan that the words refer to: the same words about another plan ask for another thing (BEHAVIOUR 8).
    #[serde(skip)]
    pub(in crate::tools) plan: Option<String>,
}

impl Tool for SubmitTask {
    const NAME: &'static str = "codex_submit_task";
    const ABOUT: &'static str = "Hand a task to codex: start_chat (a new thread in a project), send_message (more on a thread) or execute_plan (its plan), or fork_thread (a copy of it). \
        Answers at once with an operationId; the work goes on whatever happens to you, to the daemon or to codex. \
        Give a client_request_id of your own: the same call again never runs twice. Then wait with codex_wait.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "primary_write",
        next_tools: &["codex_wait", "codex_get_operation_status", "codex_list_pending_interactions"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("submit.input.json");
    type Input = Input;
    type Output = OperationView;

    async fn call(cx: &Cx, input: Input) -> Result<OperationView, ToolError> {
        if let Some(workflow) = input.workflow_id.as_deref().filter(|_| input.operation_type == "execute_plan") {
            let (execution, idempotent) = approve::hand_in(cx, workflow, None, &input).await?;
            return answer(cx, execution, idempotent, Vec::new()).await;
        }
        let (submitted, similar) = hand_in(cx, input).await?;
        answer(cx, submitted.operation, submitted.idempotent, similar).await
    }
}

/// The one way in for work, whichever tool was called.
pub(in crate::tools) async fn hand_in(cx: &Cx, input: Input) -> Result<(Submitted, Vec<Similar>), ToolError> {
    let key = request_key(cx, input.client_request_id.as_deref());
    let wanted = key.clone();
    let read = cx.reader.peek(move |tx| Ok((operations::by_request_key(tx, &wanted)?, operations::active(tx)?)));
    let (earlier, active) = read.await?;
    // Before everything else: a repeated call is answered even if its project is gone by now (BEHAVIOUR 7).
    if let Some(earlier) = earlier {
        return Ok((Submitted { operation: same_content(earlier, &input)?, idempotent: true }, Vec::new()));
    }
    let new = new_operation(cx, input, key).await?;
    let similar = similar(&new, &active);
    let applied = cx.engine.apply(Cause::Submit(Box::new(new))).await?;
    let submitted = applied.submitted.ok_or_else(|| ToolError::internal(&"a submit left no operation"))?;
    Ok((submitted, similar))
}

/// The caller's own, else one that the same call has when it is sent again.
pub(in crate::tools) fn request_key(cx: &Cx, given: Option<&str>) -> RequestKey {
    let given = given.map(str::trim).filter(|id| !id.is_empty());
    RequestKey::new(match (given, &cx.caller.call) {
        (Some(given), _) => given.to_owned(),
        // The same line sent again after a lost connection has the same nonce and id (ARCHITECTURE 14).
        (None, Some(call)) => format!("auto:{}:{call}", cx.caller.connection),
        (None, None) => format!("auto:{}", uuid::Uuid::now_v7().simple()),
    })
}

fn same_content(earlier: OperationRow, input: &Input) -> Result<OperationId, ToolError> {
    if earlier.request_digest == input.request_digest {
        return Ok(earlier.id);
    }
    Err(ToolError::new(
        ErrorCode::IdempotencyConflict,
        "could not accept the task: this client_request_id was used before with other arguments; use a new one for new work",
    )
    .with("existingOperationId", earlier.id))
}

async fn answer(cx: &Cx, id: OperationId, idempotent: bool, similar: Vec<Similar>) -> Result<OperationView, ToolError> {
    let (limits, now) = (cx.config.limits, cx.engine.clock.now());
    let parts = cx.reader.peek(move |tx| match operations::by_id(tx, &id)? {
        Some(row) => operation::read(tx, row, Extent::BRIEF, limits, now).map(Some),
        None => Ok(None),
    });
    let parts = parts.await?.ok_or_else(|| ToolError::internal(&"an accepted operation is not stored"))?;
    Ok(OperationView {
        idempotent: Some(idempotent),
        idempotency_scope: idempotent.then_some("operation"),
        similar_operations: similar,
        ..operation::view(&parts, Extent::BRIEF, &cx.policy, now)
    })
}

/// Checked and resolved; nothing is stored yet.
pub(in crate::tools) async fn new_operation(cx: &Cx, input: Input, request_key: RequestKey) -> Result<NewOperation, ToolError> {
    let operation_type = available(&input)?;
    let message = input.message.as_deref().filter(|text| !text.trim().is_empty());
    let bare = message.is_none() && operation_type == OperationType::ForkThread;
    if bare && input.output_schema.is_some() {
        return Err(ToolError::invalid("argument output_schema: a fork without a message gives no report; add the message"));
    }
    let message = message.or(bare.then_some("")).ok_or_else(|| ToolError::invalid("argument message: must not be blank"))?;
    let prompt = Prompt::new(message);
    let form = dedup::normal_form(&message.nfkc().collect::<String>());
    let (project, cwd, target) = place(cx, &input, operation_type).await?;
    let mode = mode(&input, operation_type);
    let fork = fork::fork(&input, operation_type)?;
    let output_schema = input.output_schema.map(output_schema).transpose()?;
    // The same words with another schema ask for another thing (BEHAVIOUR 8).
    let form = output_schema.as_ref().map_or(form.clone(), |asked| format!("{form}\noutput_schema:{}", asked.hash));
    let form = input.plan.as_ref().map_or(form.clone(), |plan| format!("{form}\n\n[latest completed plan]\n{plan}"));
    let prompt_form = blake3::hash(form.as_bytes()).to_hex().to_string();
    let project_key = projects::key_of(&project.root);
    let (sandbox, approval, adjusted) =
        plan_mode::floor(cx, mode, sandbox(cx, input.sandbox.as_deref())?, approval(cx, input.approval_policy.as_deref())?);
    let resource_keys = locks::resource_keys(input.resource_keys.unwrap_or_default())?;
    let project_root = project.root;
    let spec = Spec {
        operation_type,
        target,
        project_id: project.id,
        project_root: project_root.clone(),
        cwd,
        title: input.title,
        model: input.model.or_else(|| cx.config.default_model.clone()),
        sandbox,
        approval,
        priority: input.priority,
        cost: input.estimated_cost_class,
        agent_id: input.agent_id.filter(|agent| !agent.trim().is_empty()),
        fork,
        writes: if bare || sandbox == Some(Sandbox::ReadOnly) { Vec::new() } else { locks::writes(&project_root, &resource_keys)? },
        resource_keys,
        request_ms_max: input.timeout_seconds.map_or(cx.config.request_ms_max, Millis::from_seconds),
        turn_ms_max: input.turn_seconds_max.map(Millis::from_seconds),
        not_before: input.not_before.as_deref().map(moment).transpose()?,
        output_schema,
        mode,
        workflow: input.workflow,
        adjusted,
        asked_by: AskedBy {
            program: cx.caller.program.clone(),
            connection: cx.caller.connection.clone(),
            thread: cx.caller.thread.clone(),
        },
        request_key_given: input.client_request_id.is_some(),
    };
    let firsts = firsts(cx, &input.depends_on).await?;
    let id = uuid::Uuid::now_v7();
    Ok(NewOperation {
        id: OperationId::new(id.to_string()),
        client_message: ClientMessageId::new(format!("codexcp:{id}")),
        request_key,
        request_digest: input.request_digest,
        spec,
        prompt_digest: blake3::hash(message.as_bytes()).to_hex().to_string(),
        prompt,
        prompt_form,
        project_key,
        firsts,
        // A copy of a thread is another place to say the same thing.
        guard_duplicates: operation_type != OperationType::ForkThread && input.dedup_policy.as_deref() != Some("idempotency_only"),
    })
}

/// What this version does, and a clear word for what it does not do yet (ARCHITECTURE 21.5).
fn available(input: &Input) -> Result<OperationType, ToolError> {
    let later = |what: &str| {
        Err(ToolError::invalid(&format!("{what} is not available in this version; use start_chat or send_message with a message")))
    };
    let operation_type = match input.operation_type.as_str() {
        "start_chat" => OperationType::StartChat,
        "send_message" => OperationType::SendMessage,
        "execute_plan" => OperationType::ExecutePlan,
        "fork_thread" => OperationType::ForkThread,
        other => return later(&format!("operation_type {other}")),
    };
    for (given, name) in [
        (input.input_items.is_some(), "input_items"),
        (input.ephemeral, "ephemeral"),
        (input.allow_historical_continuation, "allow_historical_continuation"),
    ] {
        if given {
            return later(name);
        }
    }
    match (operation_type, input.thread_mode.as_deref()) {
        (OperationType::StartChat, Some("continue_thread")) => {
            Err(ToolError::invalid("argument thread_mode: start_chat makes a new thread; use send_message to continue one"))
        }
        (OperationType::SendMessage | OperationType::ExecutePlan, Some("new_thread")) => {
            Err(ToolError::invalid("argument thread_mode: send_message and execute_plan continue a thread; use start_chat for a new one"))
        }
        (operation_type, _) if operation_type != OperationType::ForkThread && input.fork_config.is_some() => {
            Err(ToolError::invalid("argument fork_config: only fork_thread takes it"))
        }
        (operation_type, _) => Ok(operation_type),
    }
}

/// An execution always sets the mode back: it is sticky (PROTOCOL 8).
fn mode(input: &Input, operation_type: OperationType) -> Option<Mode> {
    match (operation_type, input.collaboration_mode.as_deref()) {
        (OperationType::ExecutePlan, _) | (_, Some("default")) => Some(Mode::Default),
        (_, Some("plan")) => Some(Mode::Plan),
        _ => None,
    }
}

async fn place(cx: &Cx, input: &Input, operation_type: OperationType) -> Result<(Project, PathBuf, Target), ToolError> {
    match operation_type {
        OperationType::StartChat => {
            let reference = input.project_id.as_deref().filter(|text| !text.trim().is_empty()).ok_or_else(|| {
                ToolError::invalid(
                    "argument project_id: start_chat needs the id, name or path of a project; codex_list_projects lists them",
                )
            })?;
            let project = cx.policy.project(reference)?.ok_or_else(|| {
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
            Ok((cx.policy.at(root), cwd, Target::NewThread))
        }
        OperationType::SendMessage | OperationType::ExecutePlan => {
            let chat = input.chat_id.as_deref().or(input.thread_id.as_deref()).filter(|text| !text.trim().is_empty());
            let thread = ThreadId::new(
                chat.ok_or_else(|| ToolError::invalid("argument chat_id: name the thread to continue (execute_plan: or workflow_id)"))?,
            );
            let (root, cwd) = folders_of(cx, &thread).await?;
            let cwd = input.cwd.as_deref().map_or(cwd, |asked| root.join(asked));
            let cwd = cx.policy.allowed(&cwd)?;
            // What was said on the thread belongs to its own folder, wherever it goes on.
            cx.policy.allowed(&root)?;
            Ok((cx.policy.at(root), cwd, Target::Thread(thread)))
        }
    }
}

/// From our own work on the thread, else from codex: the thread may have been made anywhere.
async fn folders_of(cx: &Cx, thread: &ThreadId) -> Result<(PathBuf, PathBuf), ToolError> {
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

/// `respect_existing` leaves the thread as it is. The ceiling bounds what may be asked (ARCHITECTURE 21.20).
fn sandbox(cx: &Cx, asked: Option<&str>) -> Result<Option<Sandbox>, ToolError> {
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

fn approval(cx: &Cx, asked: Option<&str>) -> Result<Option<Approval>, ToolError> {
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

fn moment(text: &str) -> Result<Timestamp, ToolError> {
    clock::parse(text).ok_or_else(|| {
        ToolError::invalid("argument not_before: not a time; write it like 2026-11-30T08:00:00Z").with("notBefore", Redactor.text(text))
    })
}

/// Whole ids, or parts of them as people type them.
async fn firsts(cx: &Cx, given: &[String]) -> Result<Vec<OperationId>, ToolError> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let given = given.to_vec();
    let read = cx.reader.read(move |tx| given.iter().map(|part| super::named(tx, part)).collect::<Result<Vec<_>, _>>());
    read.await?.into_iter().collect()
}

/// Compared with work of the project that is past the queue and whose text is still stored; at most a handful.
fn similar(new: &NewOperation, active: &[OperationRow]) -> Vec<Similar> {
    const COMPARED_MAX: usize = 16;
    const ALIKE_PERCENT: u8 = 90;
    let form = dedup::normal_form(new.prompt.expose());
    let others = active.iter().filter(|row| row.project_key == new.project_key && row.prompt_form != new.prompt_form).take(COMPARED_MAX);
    let percent =
        others.filter_map(|row| Some((row.id.clone(), dedup::likeness_percent(&form, &dedup::normal_form(row.prompt.as_ref()?.expose())))));
    percent
        .filter(|(_, percent)| *percent >= ALIKE_PERCENT)
        .map(|(operation_id, similarity_percent)| Similar { operation_id, similarity_percent })
        .collect()
}
