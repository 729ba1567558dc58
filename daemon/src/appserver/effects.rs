//! The effect runner: tries what the store says is to be done, as soon as a link is there, and hands back how it
//! went. What may not be repeated is tried once; whether it arrived is then the domain's question.

use super::{link::Link, look_up, refusal, rpc::RpcError, server::Links, terminals, threads};
use crate::{
    engine::{Cause, Done, Engine, EngineError},
    projects::Policy,
    store::{
        Reader, StoreError,
        tables::{
            app_server,
            effects::{self, EffectRow},
            interactions, operations,
            operations::OperationRow,
        },
    },
};
use common::ids::*;
use domain::{
    effect::Effect,
    operation::Refusal,
    retry,
    supervise::{self, Server},
};
use futures_util::FutureExt;
use serde_json::json;
use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::mpsc;

pub struct Runner {
    pub engine: Engine,
    pub reader: Reader,
    pub links: Links,
    pub policy: Policy,
    pub effort: Option<String>,
}

impl Runner {
    /// Ends with the engine.
    pub async fn run(self) {
        let one = Arc::new(self);
        let mut head = one.engine.head();
        let mut link = one.links.watch();
        let (finished, mut done) = mpsc::unbounded_channel::<(EffectId, Kept)>();
        // At work, or done and kept as a row until an event of the app-server proves it: never tried again.
        let mut begun = HashSet::<EffectId>::new();
        loop {
            head.borrow_and_update();
            let connected = link.borrow_and_update().clone();
            let looked = match one.reader.peek(|tx| Ok((effects::all(tx)?, app_server::get(tx)?.state))).await {
                Ok((rows, server)) => one.begin(rows, connected, &server, &mut begun, &finished).await,
                Err(error) => {
                    tracing::error!(%error, "could not read the effects; trying again");
                    Looked::InVain
                }
            };
            tokio::select! {
                // The store refuses for now, and so there may be no commit that would wake us.
                () = tokio::time::sleep(Duration::from_secs(1)), if looked == Looked::InVain => {}
                changed = head.changed() => if changed.is_err() { return },
                changed = link.changed() => if changed.is_err() { return },
                Some((id, kept)) = done.recv() => if kept == Kept::No { begun.remove(&id); },
            }
        }
    }

    async fn begin(
        self: &Arc<Self>,
        rows: Vec<EffectRow>,
        link: Option<Arc<Link>>,
        server: &Server,
        begun: &mut HashSet<EffectId>,
        finished: &mpsc::UnboundedSender<(EffectId, Kept)>,
    ) -> Looked {
        begun.retain(|id| rows.iter().any(|row| row.id == *id));
        let now = self.engine.clock.now();
        let due: Vec<_> = rows.into_iter().filter(|row| retry::is_due(row.due, now) && !begun.contains(&row.id)).collect();
        let Some(link) = link else {
            // Said once: while it starts or backs off it knows, and every commit would bring us back here.
            if !due.is_empty() && *server == Server::Stopped {
                return wanted(self.engine.apply(Cause::Supervise(supervise::Event::Wanted)).await);
            }
            return Looked::Done;
        };
        for row in due {
            begun.insert(row.id);
            let (one, link, finished) = (self.clone(), link.clone(), finished.clone());
            tokio::spawn(async move {
                let id = row.id;
                // A fault of ours ends this try, not the work: what became of it is looked up (FAULTS A19).
                let done = AssertUnwindSafe(one.try_one(&link, row)).catch_unwind().await.unwrap_or_else(|_| {
                    tracing::error!("an effect panicked; its outcome is looked up");
                    Done::Lost
                });
                let kept = if matches!(done, Done::Sent) { Kept::Perhaps } else { Kept::No };
                one.record(Cause::EffectDone { effect: id, generation: link.generation, done }).await;
                // The runner may be gone already when the daemon stops.
                drop(finished.send((id, kept)));
            });
        }
        Looked::Done
    }

    /// How an effect went is recorded before anything is tried again, however long the store refuses.
    async fn record(&self, cause: Cause) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.engine.apply(cause.clone()).await {
                Ok(_) | Err(EngineError::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, "could not record how an effect went; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
            }
        }
    }

    async fn try_one(&self, link: &Link, row: EffectRow) -> Done {
        tracing::debug!(
            effect = row.effect.name(),
            operation = row.operation.as_ref().map(OperationId::as_str),
            generation = link.generation.0,
            "effect"
        );
        let tried = match &row.effect {
            Effect::Answer { interaction } => self.answer(link, interaction.clone()).await,
            Effect::Interrupt { thread, turn } => Ok(interrupt(link, thread, turn).await),
            Effect::SyncGoal { workflow } => Ok(self.sync_goal(link, workflow.clone()).await),
            Effect::MoveThread { thread, to } => Ok(threads::move_thread(link, thread, *to).await),
            Effect::Revert { thread, turn } => Ok(look_up::revert(link, thread, turn).await),
            Effect::CleanTerminals { thread } => Ok(terminals::clean(link, thread).await),
            Effect::StartThread | Effect::StartTurn { .. } | Effect::Steer { .. } | Effect::LookUp { .. } => {
                match self.operation(&row).await {
                    Ok(Some(operation)) => Ok(self.of_operation(link, &row.effect, operation).await),
                    Ok(None) => Ok(Done::Sent),
                    Err(error) => Err(error),
                }
            }
        };
        tried.unwrap_or_else(|error| {
            tracing::error!(%error, effect = row.effect.name(), "could not read what the effect needs");
            Done::Later
        })
    }

    async fn operation(&self, row: &EffectRow) -> Result<Option<OperationRow>, StoreError> {
        let Some(id) = row.operation.clone() else { return Ok(None) };
        self.reader.peek(move |tx| operations::by_id(tx, &id)).await
    }

    async fn of_operation(&self, link: &Link, effect: &Effect, operation: OperationRow) -> Done {
        match effect {
            Effect::StartThread => self.start_thread(link, &operation).await,
            Effect::StartTurn { thread, fresh } => self.start_turn(link, &operation, thread, *fresh).await,
            Effect::Steer { thread, turn } => self.steer(link, &operation, thread, turn).await,
            Effect::LookUp { thread, turn } => self.look_up(link, &operation, thread, turn.as_ref()).await,
            Effect::Interrupt { .. }
            | Effect::Revert { .. }
            | Effect::CleanTerminals { .. }
            | Effect::Answer { .. }
            | Effect::MoveThread { .. }
            | Effect::SyncGoal { .. } => Done::Later,
        }
    }

    async fn answer(&self, link: &Link, id: InteractionId) -> Result<Done, StoreError> {
        let Some(one) = self.reader.read(move |tx| interactions::by_id(tx, &id)).await? else { return Ok(Done::Sent) };
        let response = one.response.or_else(|| self.engine.live.secret(&one.id));
        let Some(response) = response.filter(|_| one.generation == link.generation) else { return Ok(Done::Sent) };
        // The request belongs to this connection once its thread is resumed (PROTOCOL 9).
        if let Some(thread) = &one.thread
            && !link.is_subscribed(thread)
            && look_up::resume(link, thread, None).await.is_err()
        {
            return Ok(Done::Later);
        }
        fail::fail_point!("answer.before", |_| std::process::abort());
        Ok(match link.rpc.respond(&one.request, &response).await {
            Ok(()) => Done::Sent,
            Err(_) => Done::Lost,
        })
    }
}

/// Whether what is due was seen to.
#[derive(PartialEq, Eq)]
enum Looked {
    Done,
    InVain,
}

/// Whether the row may still be there although the effect was done.
#[derive(PartialEq, Eq)]
enum Kept {
    No,
    Perhaps,
}

async fn interrupt(link: &Link, thread: &ThreadId, turn: &TurnId) -> Done {
    // Only a subscriber hears how the turn ends (PROTOCOL 3).
    if !link.is_subscribed(thread) && look_up::resume(link, thread, None).await.is_err() {
        return Done::InterruptRefused;
    }
    let asked = async |turn: &TurnId| link.request("turn/interrupt", json!({"threadId": thread, "turnId": turn})).await;
    let mut answer = asked(turn).await;
    if answer.as_ref().is_err_and(refusal::is_no_active_turn)
        && let Ok(Some(inner)) = look_up::turn_inside(link, thread, turn).await
    {
        answer = asked(&inner).await;
    }
    match answer {
        Ok(_) => Done::Sent,
        Err(error) if refusal::is_no_active_turn(&error) => Done::InterruptRefused,
        Err(error) if refusal::classify(&error) == Some(Refusal::NotReady) => Done::Later,
        Err(RpcError::Refused { .. }) => Done::InterruptRefused,
        Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
    }
}

fn wanted(applied: Result<crate::engine::Applied, EngineError>) -> Looked {
    match applied {
        Ok(_) | Err(EngineError::Stopping) => Looked::Done,
        Err(error) => {
            tracing::error!(%error, "could not ask for the app-server; trying again");
            Looked::InVain
        }
    }
}
