//! What the app-server says, applied. Lines of an older process are dropped; an ending never is.

use super::apply::{Apply, Nothing};
use crate::{
    appserver::translate::{Category, ChildEvent, ThreadStatus},
    store::{
        StoreError,
        tables::{
            app_server,
            events::About,
            messages, operations,
            operations::OperationRow,
            turns::{self, Tokens},
        },
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{Redactor, SafeText},
};
use domain::{
    operation::{Event, Operation},
    workflow::plan::Source,
};

agent_safe! {
    /// Body of `turn.progress`.
    struct Progress { item_id: Option<ItemId>, text: SafeText }
    /// Body of `message.completed`: the text is read with the status of the turn.
    struct Message { item_id: ItemId, chars: usize }
    struct UnknownMethod { method: SafeText }
}

impl Apply<'_> {
    pub(super) fn child(&self, generation: Generation, event: ChildEvent) -> Result<(), StoreError> {
        if generation != app_server::get(self.tx)?.generation {
            tracing::debug!(generation = generation.0, "line of an older process dropped");
            return Ok(());
        }
        match event {
            ChildEvent::UserMessage { turn, client, .. } => self.user_message(generation, turn, client),
            ChildEvent::AgentMessage { thread, turn, item, text } => self.message(thread, turn, item, &text),
            ChildEvent::Plan { thread, turn, item, text } => self.plan(thread, turn, item, &text),
            ChildEvent::GaveUp { thread, turn, text, end } => {
                let category = Some(Category::Warning.word());
                self.of_turn(thread.clone(), &turn, "turn.progress", category, &Progress { item_id: None, text })?;
                // What it was to look at is not there: nothing follows. Seen with codex 0.169.0 for a folder without git.
                match self.owner(&thread, &turn)? {
                    Some(row) if row.spec.review.is_some() && !matches!(row.state, Operation::Running { .. }) => {
                        self.step(row, Event::TurnEnded { turn, end: end.known(false) })
                    }
                    _ => Ok(()),
                }
            }
            ChildEvent::Progress { thread, turn, item, category, text } => {
                let category = Some(category.word());
                self.of_turn(thread, &turn, "turn.progress", category, &Progress { item_id: item, text })
            }
            ChildEvent::Tokens { turn, tokens, .. } => self.tokens(&turn, tokens),
            ChildEvent::TurnEnded { thread, turn, end } => {
                if let Some(row) = self.owner(&thread, &turn)? {
                    self.step(row, Event::TurnEnded { turn, end: end.known(false) })?;
                }
                self.steers_idle(&thread)
            }
            ChildEvent::Limits { resets } => self.limits_told(resets),
            ChildEvent::ThreadStatus { thread, status: ThreadStatus::Idle | ThreadStatus::SystemError } => {
                if let Some(row) = operations::holder_of_thread(self.tx, &thread)? {
                    self.step(row, Event::ThreadIdle)?;
                }
                self.steers_idle(&thread)
            }
            // Of a turn that is ours by name: others are reviewed and shortened too, and codex shortens by itself.
            ChildEvent::Marker { turn, marker, .. } => match operations::by_turn(self.tx, &turn)? {
                Some(row) if row.spec.marker() == Some(marker) => self.step(row, Event::MessageSeen { turn }),
                _ => Ok(()),
            },
            ChildEvent::Request { request, method, thread, turn, item, params } => {
                self.interaction_raised(generation, request, method, (thread, turn, item), params)
            }
            ChildEvent::RequestResolved { request } => self.interaction_resolved(generation, &request),
            ChildEvent::Changing { turn, item, changes, .. } => {
                self.live.sign_of_life(&turn);
                self.live.keep_changes(&turn, item, &changes);
                Ok(())
            }
            ChildEvent::Unknown { method } => {
                self.event("app_server.unknown_line", &About::default(), &UnknownMethod { method: Redactor.text(&method).truncated(200).0 })
            }
            ChildEvent::ThreadStatus { .. }
            | ChildEvent::TurnStarted { .. }
            | ChildEvent::Delta { .. }
            | ChildEvent::SignOfLife { .. }
            | ChildEvent::Settings { .. }
            | ChildEvent::Nothing => Ok(()),
        }
    }

    /// The items of a turn as a look-up read them, oldest first: messages and plans only, the rest cannot be told apart
    /// from what we have already.
    pub(super) fn missed(&self, items: Vec<ChildEvent>) -> Result<(), StoreError> {
        let mut listed: Option<(TurnId, Vec<ItemId>)> = None;
        for event in items {
            if let ChildEvent::AgentMessage { turn, item, text, .. } = event {
                messages::insert(self.tx, &turn, &item, &text, self.now)?;
                listed.get_or_insert_with(|| (turn, Vec::new())).1.push(item);
            } else if let ChildEvent::Plan { thread, turn, item, text } = event {
                self.keep_plan(thread, turn, item, text, Source::PlanItem)?;
            }
        }
        match listed {
            Some((turn, items)) => messages::put_in_order(self.tx, &turn, &items),
            None => Ok(()),
        }
    }

    fn user_message(&self, generation: Generation, turn: TurnId, client: Option<ClientMessageId>) -> Result<(), StoreError> {
        let Some(client) = client else { return Ok(()) };
        let Some(mut row) = operations::by_client_message(self.tx, &client)? else { return Ok(()) };
        row.generation = Some(generation);
        self.step(row, Event::MessageSeen { turn })
    }

    fn message(&self, thread: ThreadId, turn: TurnId, item: ItemId, text: &str) -> Result<(), StoreError> {
        if !messages::insert(self.tx, &turn, &item, text, self.now)? {
            return Ok(());
        }
        let body = Message { item_id: item, chars: text.chars().count() };
        self.of_turn(thread, &turn, "message.completed", None, &body)
    }

    fn plan(&self, thread: ThreadId, turn: TurnId, item: ItemId, text: &str) -> Result<(), StoreError> {
        self.keep_plan(thread.clone(), turn.clone(), item.clone(), text.to_owned(), Source::PlanItem)?;
        // The text is read with the status of the workflow.
        let words = Redactor.text(&format!("plan of {} characters completed", text.chars().count()));
        let category = Some(Category::PlanUpdated.word());
        self.of_turn(thread, &turn, "plan.completed", category, &Progress { item_id: Some(item), text: words })
    }

    fn tokens(&self, turn: &TurnId, tokens: Tokens) -> Result<(), StoreError> {
        let Some(mut row) = turns::by_id(self.tx, turn)? else { return Ok(()) };
        (row.tokens, row.heard) = (Some(tokens), self.now);
        turns::put(self.tx, &row)
    }

    /// An event of a turn, and a sign that it lives.
    fn of_turn(
        &self,
        thread: ThreadId,
        turn: &TurnId,
        kind: &str,
        category: Option<&'static str>,
        body: &impl common::safe::AgentSafe,
    ) -> Result<(), StoreError> {
        let operation = self.owner(&thread, turn)?.map(|row| row.id);
        let about = About { operation, thread: Some(thread), turn: Some(turn.clone()), category, ..About::default() };
        if let Some(mut row) = turns::by_id(self.tx, turn)? {
            if row.stalled.take().is_some() {
                self.event("turn.alive", &about, &Nothing {})?;
            }
            row.heard = self.now;
            turns::put(self.tx, &row)?;
        }
        self.event(kind, &about, body)
    }

    /// Whose turn this is: by its id, or because it holds the thread and does not know its turn yet.
    pub(super) fn owner(&self, thread: &ThreadId, turn: &TurnId) -> Result<Option<OperationRow>, StoreError> {
        match operations::by_turn(self.tx, turn)? {
            Some(row) => Ok(Some(row)),
            None => operations::holder_of_thread(self.tx, thread),
        }
    }
}
