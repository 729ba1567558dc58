//! What a start, a lost connection and a lost process mean to the work that was under way.
//! The same for all three: what may or may not have arrived is looked up. There is no other recovery code.

use super::{apply::Apply, clock_set};
use crate::store::{
    StoreError,
    tables::{
        app_server::{self, Process},
        effects, interactions,
        operations::{self, OperationRow},
        provider_limit::{self, ProviderLimit},
        turns,
    },
};
use common::{ids::Generation, safe::SafeText};
use domain::{effect::Repeat, interaction, operation::Event, supervise};

impl Apply<'_> {
    /// The daemon came up. Nothing is known but what is stored; the app-server may have gone on without us.
    pub(super) fn started(&self) -> Result<(), StoreError> {
        let mut row = app_server::get(self.tx)?;
        row.state = supervise::Server::Stopped;
        app_server::put(self.tx, &row)?;
        clock_set::not_after(self.tx, self.now, self.rules)?;
        if !self.rules.waits_for_reset {
            provider_limit::put(self.tx, ProviderLimit::default())?;
        }
        self.forget_deliveries()?;
        self.in_doubt()?;
        self.may_grant();
        Ok(())
    }

    pub(super) fn spawned(&self, generation: Generation, process: Process) -> Result<(), StoreError> {
        let mut row = app_server::get(self.tx)?;
        (row.generation, row.process) = (generation, Some(process));
        app_server::put(self.tx, &row)?;
        // Asked for while there was none: this is the process that will run it.
        for waiting in effects::all(self.tx)?.into_iter().filter(|one| one.effect.repeat() == Repeat::Once) {
            let operation = waiting.operation.map(|id| operations::by_id(self.tx, &id)).transpose()?.flatten();
            if let Some(mut operation) = operation {
                operation.generation = Some(generation);
                operations::update(self.tx, &operation)?;
            }
        }
        Ok(())
    }

    pub(super) fn link_up(&self, generation: Generation, process: Option<Process>) -> Result<(), StoreError> {
        let mut row = app_server::get(self.tx)?;
        (row.generation, row.process) = (generation, process);
        app_server::put(self.tx, &row)?;
        self.supervise(supervise::Event::Up { generation })
    }

    pub(super) fn link_lost(&self, generation: Generation) -> Result<(), StoreError> {
        if generation != app_server::get(self.tx)?.generation {
            return Ok(());
        }
        self.in_doubt()
    }

    pub(super) fn process_gone(&self, generation: Generation, why: Option<SafeText>) -> Result<(), StoreError> {
        let mut row = app_server::get(self.tx)?;
        if generation != row.generation {
            return Ok(());
        }
        row.process = None;
        app_server::put(self.tx, &row)?;
        for open in interactions::open(self.tx, None)? {
            if open.generation <= generation {
                self.step_interaction(open, interaction::Event::ProcessGone)?;
            }
        }
        self.in_doubt()?;
        self.supervise(why.map_or(supervise::Event::Replaced, |why| supervise::Event::Down { why }))
    }

    fn in_doubt(&self) -> Result<(), StoreError> {
        for row in operations::active(self.tx)? {
            // A thread that is being created is not on disk: its effect is simply tried again.
            if row.thread.is_some() {
                self.not_silent(&row)?;
                self.step(row, Event::ServerLost)?;
            }
        }
        for row in operations::steers(self.tx)? {
            self.step(row, Event::ServerLost)?;
        }
        Ok(())
    }

    /// While nobody listened nothing was heard: the silence of a turn begins anew.
    fn not_silent(&self, row: &OperationRow) -> Result<(), StoreError> {
        if let Some(mut turn) = row.turn.as_ref().map(|id| turns::by_id(self.tx, id)).transpose()?.flatten() {
            turn.heard = self.now;
            turns::put(self.tx, &turn)?;
        }
        Ok(())
    }
}
