//! A state database with many finished operations. One operation goes through the real engine; its rows are then
//! written again and again under other ids, by the store's own functions. So the rows are what the engine writes,
//! without an fsync for each.

use crate::fake_codex;
use anyhow::Context;
use common::{
    ids::*,
    safe::{Prompt, Redactor},
    time::{Millis, Timestamp},
};
use daemon::{
    appserver::translate::{ChildEvent, End, ThreadStatus},
    clock::{Clock, Hands},
    engine::{Applied, Cause, Done, Engine, NewOperation, Rules},
    store::{
        Reader, WriteTx, open_for_writing,
        tables::{
            effects,
            events::{self, About, EventRow},
            messages,
            operations::{self, Approval, AskedBy, OperationRow, OperationType, Sandbox, Spec},
            turns::{self, Tokens, TurnRow},
        },
    },
};
use domain::{
    operation::Target,
    schedule::{Cost, Limits, Priority, Turns},
};
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

/// In one transaction.
const AT_ONCE: usize = 5_000;
/// Autumn of 2026; each operation is a minute after the one before.
const FIRST: i64 = 1_790_000_000_000;
const STEP: i64 = 60_000;

/// Everything that one finished operation leaves behind.
struct Pattern {
    operation: OperationRow,
    turn: TurnRow,
    events: Vec<EventRow>,
    tokens_of: Option<Tokens>,
}

/// Fills a new database at `path`, which must not exist.
pub fn fill(path: &Path, count: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pattern = runtime.block_on(run_one(path))?;
    let mut connection = open_for_writing(path)?;
    // Nothing is lost if the machine dies here; it is made anew.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -512_000)?;
    for from in (1..count).step_by(AT_ONCE) {
        let tx = WriteTx::begin(&mut connection)?;
        for number in from..(from + AT_ONCE).min(count) {
            again(&tx, &pattern, number)?;
        }
        tx.commit()?;
    }
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    drop(connection);
    Ok(std::fs::File::open(path)?.sync_all()?)
}

/// One operation through the engine, from the submit to the report.
async fn run_one(path: &Path) -> anyhow::Result<Pattern> {
    let rules = Rules {
        limits: Limits { turns_active_max: 4, turns_per_project_max: 4, turns_per_agent_max: 4, asking_max: 64 },
        operations_live_max: 10,
        silence_max: Millis(900_000),
        silence_interrupts: false,
        waits_for_reset: true,
        approval_wait_max: None,
        approval_rules: &[],
        keep_prompts: false,
        retry_max: Millis(0),
    };
    let hands = Arc::new(Hands::default());
    hands.wall.store(FIRST, Ordering::SeqCst);
    let clock = Clock::Manual(hands);
    let (engine, writer) = Engine::start(open_for_writing(path)?, clock, rules)?;
    let reader = Reader::open(path)?;
    let generation = Generation(1);
    let (thread, turn) = (ThreadId::new(id(0, 1)), TurnId::new(id(0, 2)));
    let new = new_operation();
    let (operation, client) = (new.id.clone(), new.client_message.clone());
    let apply = async |cause| -> anyhow::Result<Applied> { Ok(engine.apply(cause).await?) };
    apply(Cause::Started).await?;
    apply(Cause::LinkUp { generation, process: None }).await?;
    apply(Cause::Submit(Box::new(new))).await?;
    let effect = reader.read(|tx| effects::all(tx)).await?.pop().context("the submit asked for no thread")?.id;
    apply(Cause::EffectDone { effect, generation, done: Done::ThreadCreated { thread: thread.clone() } }).await?;
    apply(Cause::TurnAccepted { generation, operation: operation.clone(), turn: turn.clone() }).await?;
    let said = [
        ChildEvent::ThreadStatus { thread: thread.clone(), status: ThreadStatus::Active },
        ChildEvent::UserMessage { thread: thread.clone(), turn: turn.clone(), client: Some(client) },
        ChildEvent::AgentMessage { thread: thread.clone(), turn: turn.clone(), item: item(0), text: fake_codex::report(0) },
        ChildEvent::Tokens {
            thread: thread.clone(),
            turn: turn.clone(),
            tokens: Tokens { total_tokens: 6950, input_tokens: 6930, output_tokens: 20 },
        },
        ChildEvent::TurnEnded { thread, turn, end: End::Completed },
    ];
    for event in said {
        apply(Cause::Child { generation, event }).await?;
    }
    let wanted = operation.clone();
    let read = reader.read(move |tx| {
        let Some(row) = operations::by_id(tx, &wanted)? else { return Ok(None) };
        let Some(turn) = row.turn.as_ref().map(|id| turns::by_id(tx, id)).transpose()?.flatten() else { return Ok(None) };
        Ok(Some((row, turn, events::after(tx, Cursor(0), &wanted, 1_000)?)))
    });
    let (row, turn, events) = read.await?.context("the engine left no finished operation")?;
    anyhow::ensure!(row.state.is_ended() && !events.is_empty(), "the operation did not end");
    drop(engine);
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
    Ok(Pattern { operation: row, tokens_of: turn.tokens, turn, events })
}

fn new_operation() -> NewOperation {
    let prompt = "Fix the failing test and tell me what was wrong with it.";
    NewOperation {
        id: OperationId::new(id(0, 0)),
        client_message: ClientMessageId::new(format!("codexcp:{}", id(0, 0))),
        request_key: RequestKey::new(id(0, 3)),
        request_digest: "d".repeat(64),
        spec: Spec {
            operation_type: OperationType::StartChat,
            target: Target::NewThread,
            project_id: ProjectId::new(id(0, 4)),
            project_root: "/home/somebody/projects/shop".into(),
            cwd: "/home/somebody/projects/shop".into(),
            title: None,
            model: None,
            sandbox: Some(Sandbox::ReadOnly),
            approval: Some(Approval::OnRequest),
            priority: Priority::Normal,
            cost: Cost::Normal,
            agent_id: None,
            resource_keys: Vec::new(),
            writes: Vec::new(),
            request_ms_max: Millis(30_000),
            turn_ms_max: None,
            not_before: None,
            output_schema: None,
            mode: None,
            fork: None,
            review: None,
            images: Vec::new(),
            continues: None,
            workflow: None,
            adjusted: None,
            asked_by: AskedBy { program: "shim".to_owned(), connection: "c".repeat(32), thread: None },
            request_key_given: true,
        },
        prompt: Prompt::new(prompt),
        prompt_digest: "e".repeat(64),
        prompt_form: "f".repeat(64),
        project_key: "/home/somebody/projects/shop".to_owned(),
        firsts: Vec::new(),
        guard_duplicates: true,
    }
}

/// The pattern once more, as operation `number`.
fn again(tx: &WriteTx<'_>, pattern: &Pattern, number: usize) -> anyhow::Result<()> {
    let later = STEP * i64::try_from(number)?;
    let moved = |at: Timestamp| Timestamp(at.0 + later);
    let (operation, thread, turn) = (OperationId::new(id(number, 0)), ThreadId::new(id(number, 1)), TurnId::new(id(number, 2)));
    let mut row = pattern.operation.clone();
    row.id = operation.clone();
    row.accepted = i64::try_from(number)? + 1;
    row.request_key = RequestKey::new(id(number, 3));
    row.client_message = ClientMessageId::new(format!("codexcp:{operation}"));
    (row.thread, row.turn) = (Some(thread.clone()), Some(turn.clone()));
    (row.created, row.updated) = (moved(row.created), moved(row.updated));
    (row.started, row.ended) = (row.started.map(moved), row.ended.map(moved));
    operations::insert(tx, &row, Turns::default())?;
    operations::update(tx, &row)?;
    turns::put(
        tx,
        &TurnRow {
            id: turn.clone(),
            thread: thread.clone(),
            operation: operation.clone(),
            started: moved(pattern.turn.started),
            ended: pattern.turn.ended.map(moved),
            heard: moved(pattern.turn.heard),
            tokens: pattern.tokens_of,
            ..pattern.turn.clone()
        },
    )?;
    messages::insert(tx, &turn, &item(number), &fake_codex::report(number as u64), moved(pattern.turn.heard))?;
    for event in &pattern.events {
        let about = About {
            operation: Some(operation.clone()),
            thread: event.thread.as_ref().map(|_| thread.clone()),
            turn: event.turn.as_ref().map(|_| turn.clone()),
            ..About::default()
        };
        events::append(tx, moved(event.at), &event.kind, &about, &event.actor, &Redactor.json(&event.body))?;
    }
    Ok(())
}

/// A UUIDv7 of the time of operation `number`; `which` tells its ids apart.
fn id(number: usize, which: u64) -> String {
    let at = u64::try_from(FIRST).unwrap_or(0) + 60_000 * number as u64;
    let noise = (number as u64 * 16 + which).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}", at >> 16, at & 0xffff, noise & 0xfff, noise >> 12 & 0xfff, noise >> 16)
}

fn item(number: usize) -> ItemId {
    ItemId::new(format!("msg_{}", id(number, 5).replace('-', "")))
}
