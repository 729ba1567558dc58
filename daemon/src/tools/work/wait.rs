//! Wait for operations: many at once, from a cursor on, until any changes or all have ended. A time-out is no error.
//! Sleeps on the commit signal; polls nothing.

use crate::{
    store::tables::{events, history, interactions, operations},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{operation as view, waits},
    },
};
use common::{agent_safe, ids::*, safe::SafeText};
use domain::{advice, interaction::Kind};
use serde::Deserialize;
use std::{collections::HashSet, time::Duration};

pub struct Wait;

#[derive(Deserialize)]
pub struct Input {
    operation_ids: Vec<String>,
    after_cursor: Option<i64>,
    mode: Mode,
    max_seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Any,
    All,
}

agent_safe! {
    pub struct Output {
        /// Those that changed after the cursor; on the first call all that have ended.
        pub changed: Vec<Change>,
        /// How each of them stands now.
        pub operations: Vec<Change>,
        pub all_ended: bool,
        pub timed_out: bool,
        /// Give it as after_cursor of the next call.
        pub cursor: Cursor,
        /// Your after_cursor is of another database than this one; all of them count as changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cursor_reset: Option<bool>,
        pub next_recommended_action: &'static str,
    }

    pub struct Change {
        pub operation_id: OperationId,
        pub status: &'static str,
        pub ended: bool,
        pub turn_id: Option<TurnId>,
        pub pending_interactions: usize,
        pub last_error: Option<SafeText>,
        /// Why it stands still, where it does, and what can be done about that.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub waits_because: Option<SafeText>,
        pub next_recommended_action: &'static str,
    }
}

impl Tool for Wait {
    const NAME: &'static str = "codex_wait";
    const ABOUT: &'static str = "Wait until one of the operations changes (mode any) or all have ended (mode all), at most max_seconds. \
        Give the cursor of the last answer as after_cursor, so that nothing is missed in between. A time-out is no error: call again.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "poll_status",
        next_tools: &["codex_get_operation_status", "codex_list_pending_interactions"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("wait.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let mut ids = Vec::with_capacity(input.operation_ids.len());
        for text in &input.operation_ids {
            ids.push(super::operation_id(cx, text).await?);
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(input.max_seconds);
        let mut head = cx.engine.head();
        let mut after = input.after_cursor.map(Cursor);
        loop {
            head.borrow_and_update();
            let (output, settled) = look(cx, &ids, after, input.mode).await?;
            // Without a cursor, "changed" counts from the first look on.
            after = after.or(Some(output.cursor));
            if settled {
                return Ok(output);
            }
            let woken = tokio::time::timeout_at(deadline, head.changed()).await;
            if !matches!(woken, Ok(Ok(()))) {
                return Ok(Output { timed_out: true, ..output });
            }
        }
    }
}

async fn look(cx: &Cx, ids: &[OperationId], after: Option<Cursor>, mode: Mode) -> Result<(Output, bool), ToolError> {
    let ids = ids.to_vec();
    let (limits, now) = (cx.config.limits, cx.engine.clock.now());
    let read = cx.reader.peek(move |tx| {
        let mut operations = Vec::with_capacity(ids.len());
        // What happens to a turn happens to the messages that went into it.
        let (mut heard_as, mut listened) = (Vec::with_capacity(ids.len()), ids.clone());
        let (mut cleared, cut) = (Vec::new(), history::cut(tx)?);
        for id in &ids {
            if let Some(row) = operations::by_id(tx, id)? {
                if row.cleared.is_some() {
                    cleared.push(id.clone());
                }
                let of = operations::of_its_turn(tx, &row)?;
                let pending: Vec<_> = interactions::open(tx, Some(&of))?.into_iter().filter(|one| one.state.is_pending()).collect();
                if of != *id {
                    listened.push(of.clone());
                    heard_as.push((of, id.clone()));
                }
                let waits_because = waits::of(tx, &row, limits, now)?;
                operations
                    .push(Change { waits_because, ..change(&row, pending.first().map(interactions::InteractionRow::kind), pending.len()) });
            }
        }
        let moved = match after {
            Some(after) => events::newest_of(tx, &listened, after)?,
            None => Vec::new(),
        };
        let has_moved = |id: &OperationId| moved.iter().any(|(of, _)| of == id);
        let moved: HashSet<OperationId> =
            ids.iter().filter(|id| has_moved(id) || heard_as.iter().any(|(of, heard)| heard == *id && has_moved(of))).cloned().collect();
        let newest = events::head(tx)?;
        // A cursor of another database: whatever it was compared with is not here.
        let is_reset = after.is_some_and(|after| after > newest);
        // Of what was cleared nobody can tell any more when it changed.
        let is_cut = after.is_some_and(|after| after < cut);
        let unsure = cleared.into_iter().filter(|_| is_cut);
        let moved = if is_reset { ids.iter().cloned().collect() } else { moved.into_iter().chain(unsure).collect::<HashSet<_>>() };
        Ok((operations, moved, newest, is_reset))
    });
    let (operations, moved, cursor, is_reset) = read.await?;
    let all_ended = operations.iter().all(|one| one.ended);
    let has_changed = |one: &Change| match after {
        Some(_) => moved.contains(&one.operation_id),
        None => one.ended || one.pending_interactions > 0,
    };
    let changed: Vec<Change> = operations.iter().filter(|one| has_changed(one)).cloned().collect();
    let settled = match mode {
        Mode::Any => !changed.is_empty() || all_ended,
        // Whoever waits for all must still hear of a question, or it would never end.
        Mode::All => all_ended || operations.iter().any(|one| one.pending_interactions > 0),
    };
    let next = if operations.iter().any(|one| one.pending_interactions > 0) {
        "answer_pending_interaction"
    } else if all_ended {
        "read_final_report"
    } else {
        "wait_again"
    };
    Ok((
        Output {
            changed,
            operations,
            all_ended,
            timed_out: false,
            cursor,
            cursor_reset: is_reset.then_some(true),
            next_recommended_action: next,
        },
        settled,
    ))
}

fn change(row: &operations::OperationRow, waits_for: Option<Kind>, pending: usize) -> Change {
    let advice = advice::operation(&row.state, waits_for, None);
    Change {
        operation_id: row.id.clone(),
        status: advice.status,
        ended: row.state.is_ended(),
        turn_id: row.turn.clone(),
        pending_interactions: pending,
        last_error: view::last_error(&row.state),
        waits_because: None,
        next_recommended_action: advice.next,
    }
}
