//! Hand in work. Answers as soon as it is stored; nothing has been said to codex by then, and nothing can be forgotten.

use super::{
    ceiling::{approval, sandbox},
    continuation, fork, input_items, locks,
    output_schema::output_schema,
    place::place,
    plan_mode,
};
use crate::{
    clock,
    engine::{Cause, NewOperation, Submitted},
    projects,
    store::tables::operations::{self, AskedBy, Mode, OperationRow, OperationType, Review, Sandbox, Spec},
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
    pub(in crate::tools) expected_turn_id: Option<String>,
    pub(in crate::tools) message: Option<String>,
    pub(in crate::tools) input_items: Option<Vec<input_items::Item>>,
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
    /// What is to be looked at, where nothing is said.
    #[serde(skip)]
    pub(in crate::tools) review: Option<Review>,
}

impl Tool for SubmitTask {
    const NAME: &'static str = "codex_submit_task";
    const ABOUT: &'static str = "Hand a task to codex: start_chat (a new thread in a project), send_message (more on a thread), steer_turn (a word into its running turn), execute_plan (its plan), or fork_thread (a copy of it). \
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
pub(in crate::tools) async fn new_operation(cx: &Cx, mut input: Input, request_key: RequestKey) -> Result<NewOperation, ToolError> {
    let operation_type = available(&input)?;
    let message = input.message.as_deref().filter(|text| !text.trim().is_empty());
    let bare = message.is_none() && operation_type == OperationType::ForkThread;
    if bare && (input.output_schema.is_some() || input.input_items.is_some()) {
        return Err(ToolError::invalid("arguments output_schema and input_items: a fork alone says nothing to codex; add a message"));
    }
    let says_nothing = match operation_type {
        OperationType::ReviewStart | OperationType::ArchiveThread | OperationType::UnarchiveThread | OperationType::CompactThread => true,
        OperationType::StartChat | OperationType::SendMessage | OperationType::ExecutePlan | OperationType::SteerTurn => false,
        OperationType::ForkThread => bare,
    };
    let message =
        message.or(says_nothing.then_some("")).ok_or_else(|| ToolError::invalid("argument message: must not be blank"))?.to_owned();
    let message = message.as_str();
    let prompt = Prompt::new(message);
    let form = dedup::normal_form(&message.nfkc().collect::<String>());
    let (project, cwd, target) = place(cx, &input, operation_type).await?;
    let images = input_items::images(cx, input.input_items.take().unwrap_or_default(), &cwd)?;
    let mode = mode(&input, operation_type);
    let fork = fork::fork(&input, operation_type)?;
    let output_schema = input.output_schema.take().map(output_schema).transpose()?;
    // The same words with another schema ask for another thing (BEHAVIOUR 8).
    let form = output_schema.as_ref().map_or(form.clone(), |asked| format!("{form}\noutput_schema:{}", asked.hash));
    let form = if images.is_empty() { form } else { format!("{form}\ninput_items:{}", input_items::digest(&images)) };
    let form = input.plan.as_ref().map_or(form.clone(), |plan| format!("{form}\n\n[latest completed plan]\n{plan}"));
    let prompt_form = blake3::hash(form.as_bytes()).to_hex().to_string();
    let project_key = projects::key_of(&project.root);
    let earlier = continuation::earlier(cx, &input, operation_type, &project_key, &prompt_form).await?;
    let (operation_type, target, continues) = match earlier {
        Some((thread, earlier)) => (OperationType::SendMessage, Target::Thread(thread), Some(earlier)),
        None => (operation_type, target, None),
    };
    let (sandbox, approval, adjusted) = match operation_type {
        // The turn has what it was started with.
        OperationType::SteerTurn => (None, None, None),
        _ => plan_mode::floor(cx, mode, sandbox(cx, input.sandbox.as_deref())?, approval(cx, input.approval_policy.as_deref())?),
    };
    let writes_nothing = sandbox == Some(Sandbox::ReadOnly)
        || bare
        || match operation_type {
            // It shares the lock of the turn; the others run nothing of the model's.
            OperationType::SteerTurn | OperationType::ArchiveThread | OperationType::UnarchiveThread | OperationType::CompactThread => true,
            OperationType::StartChat
            | OperationType::SendMessage
            | OperationType::ExecutePlan
            | OperationType::ForkThread
            | OperationType::ReviewStart => false,
        };
    let resource_keys = locks::resource_keys(input.resource_keys.unwrap_or_default())?;
    let project_root = project.root;
    let spec = Spec {
        operation_type,
        target,
        project_id: project.id,
        project_root: project_root.clone(),
        title: input.title,
        model: input.model.or_else(|| cx.config.default_model.clone()),
        sandbox,
        approval,
        priority: input.priority,
        cost: input.estimated_cost_class,
        agent_id: input.agent_id.filter(|agent| !agent.trim().is_empty()),
        fork,
        writes: if writes_nothing { Vec::new() } else { locks::writes(&project_root, &cwd, &resource_keys)? },
        cwd,
        resource_keys,
        request_ms_max: input.timeout_seconds.map_or(cx.config.request_ms_max, Millis::from_seconds),
        turn_ms_max: input.turn_seconds_max.map(Millis::from_seconds),
        not_before: input.not_before.as_deref().map(moment).transpose()?,
        output_schema,
        mode,
        review: input.review,
        images,
        continues,
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
        guard_duplicates: is_guarded(operation_type) && input.dedup_policy.as_deref() != Some("idempotency_only"),
    })
}

/// A copy of a thread and a turn that runs are other places to say the same thing; the rest says nothing.
fn is_guarded(operation_type: OperationType) -> bool {
    match operation_type {
        OperationType::StartChat | OperationType::SendMessage | OperationType::ExecutePlan => true,
        OperationType::ForkThread
        | OperationType::SteerTurn
        | OperationType::ReviewStart
        | OperationType::ArchiveThread
        | OperationType::UnarchiveThread
        | OperationType::CompactThread => false,
    }
}

/// The kind of work, with arguments that make sense for it (BEHAVIOUR 7.3, 7.5).
fn available(input: &Input) -> Result<OperationType, ToolError> {
    let no = |sentence: &str| Err(ToolError::invalid(sentence));
    let operation_type = match input.operation_type.as_str() {
        "start_chat" => OperationType::StartChat,
        "send_message" => OperationType::SendMessage,
        "execute_plan" => OperationType::ExecutePlan,
        "fork_thread" => OperationType::ForkThread,
        "steer_turn" => OperationType::SteerTurn,
        "review_start" if input.review.is_some() => OperationType::ReviewStart,
        "archive_thread" => OperationType::ArchiveThread,
        "unarchive_thread" => OperationType::UnarchiveThread,
        "compact_thread" => OperationType::CompactThread,
        _ => return no("argument operation_type: name start_chat, send_message, execute_plan, steer_turn or fork_thread"),
    };
    let is_fork = operation_type == OperationType::ForkThread;
    if input.fork_config.is_some() && !is_fork {
        return no("argument fork_config: only fork_thread takes it");
    }
    if input.ephemeral && !is_fork {
        return no("argument ephemeral: only fork_thread takes it");
    }
    if input.allow_historical_continuation && (operation_type, input.thread_mode.as_deref()) != (OperationType::StartChat, Some("auto")) {
        return no("argument allow_historical_continuation: only start_chat with thread_mode auto takes it");
    }
    let of_a_turn = input.output_schema.is_some()
        || input.input_items.is_some()
        || input.turn_seconds_max.is_some()
        || input.not_before.is_some()
        || !input.depends_on.is_empty();
    match (operation_type, input.thread_mode.as_deref()) {
        (OperationType::StartChat, Some("continue_thread")) => {
            no("argument thread_mode: start_chat makes a new thread; use send_message to continue one")
        }
        (OperationType::SendMessage | OperationType::ExecutePlan | OperationType::SteerTurn, Some("new_thread")) => {
            no("argument thread_mode: send_message, execute_plan and steer_turn continue a thread; use start_chat for a new one")
        }
        (OperationType::SteerTurn, _) if of_a_turn => no(
            "steer_turn goes into a turn that runs already: it takes no output_schema, input_items, turn_seconds_max, not_before or depends_on",
        ),
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
