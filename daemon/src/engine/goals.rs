//! Goals of workflows, moved on by the commits that move their workflows. What codex is asked is an effect like any other.

use super::apply::Apply;
use crate::store::{
    StoreError,
    tables::{
        effects,
        goals::{self, GoalRow},
        operations::OperationRow,
    },
};
use common::ids::WorkflowId;
use domain::{
    effect::Effect,
    workflow::goal::{Event, Goal, Synced, Wanted},
};

impl Apply<'_> {
    pub(super) fn goal_wanted(&self, workflow: &WorkflowId, wanted: Option<Wanted>) -> Result<(), StoreError> {
        let Some(wanted) = wanted else { return Ok(()) };
        goals::put(self.tx, &GoalRow { workflow: workflow.clone(), wanted, state: Goal::PendingThread, thread: None, synced: None })
    }

    /// A turn of a workflow runs, so its thread is there.
    pub(super) fn goal_has_thread(&self, row: &OperationRow) -> Result<(), StoreError> {
        let Some(workflow) = &row.spec.workflow else { return Ok(()) };
        let Some(mut goal) = goals::by_workflow(self.tx, workflow)? else { return Ok(()) };
        goal.thread = goal.thread.or(row.thread.clone());
        self.goal_moves(goal, Event::ThreadKnown)
    }

    pub(super) fn goal_ends(&self, workflow: &WorkflowId, completed: bool) -> Result<(), StoreError> {
        let Some(goal) = goals::by_workflow(self.tx, workflow)? else { return Ok(()) };
        let at_end = goal.wanted.at_end;
        self.goal_moves(goal, Event::WorkflowEnded { completed, at_end })
    }

    pub(super) fn goal_synced(&self, workflow: &WorkflowId, synced: Synced) -> Result<(), StoreError> {
        let Some(mut goal) = goals::by_workflow(self.tx, workflow)? else { return Ok(()) };
        goal.synced = Some(self.now);
        self.goal_moves(goal, Event::Synced(synced))
    }

    fn goal_moves(&self, mut goal: GoalRow, event: Event) -> Result<(), StoreError> {
        let (next, asks) = goal.state.clone().step(event);
        goal.state = next;
        goals::put(self.tx, &goal)?;
        if asks {
            effects::insert(self.tx, None, &Effect::SyncGoal { workflow: goal.workflow }, self.now, self.now)?;
        }
        Ok(())
    }
}
