//! Workflows in the model: started, revised, approved and adopted at any moment, with whatever dies in between.

use super::{Crash, World, new_operation};
use crate::{
    engine::cause::{Cause, NewOperation, WorkflowChange},
    store::{
        WriteTx,
        tables::{
            operations::{Mode, OperationRow, OperationType},
            plans, workflows,
            workflows::WorkflowRow,
        },
    },
};
use common::ids::*;
use domain::{operation::Target, workflow::Workflow};

impl World {
    fn workflow_rows(&mut self) -> Vec<WorkflowRow> {
        let count = self.workflows;
        let tx = WriteTx::begin(&mut self.connection).unwrap();
        (1..=count).filter_map(|n| workflows::by_id(&tx, &WorkflowId::new(format!("wf{n}"))).unwrap()).collect()
    }

    fn step_of(&mut self, id: &WorkflowId, target: Target, operation_type: OperationType, mode: Mode) -> NewOperation {
        self.submitted += 1;
        let mut new = new_operation(self.submitted, target, None);
        (new.spec.workflow, new.spec.operation_type, new.spec.mode) = (Some(id.clone()), operation_type, Some(mode));
        new
    }

    pub(super) fn start_workflow(&mut self, crash: Crash) {
        self.workflows += 1;
        let id = WorkflowId::new(format!("wf{}", self.workflows));
        let planning = self.step_of(&id, Target::NewThread, OperationType::StartChat, Mode::Plan);
        let request_key = RequestKey::new(id.as_str());
        let change = WorkflowChange::Start { id, request_key, request_digest: String::new(), planning, goal: None };
        self.apply(Cause::Workflow(Box::new(change)), crash);
    }

    /// Somebody decides about one of them, whatever its phase: what makes no sense there is refused.
    pub(super) fn decide(&mut self, detail: u8, crash: Crash) {
        let all = self.workflow_rows();
        let Some(row) = all.get(usize::from(detail / 4) % all.len().max(1)).cloned() else { return };
        let Some(thread) = self.rows().into_iter().find(|one| one.id == row.plan_operation).and_then(|one| one.thread) else { return };
        let change = match detail % 4 {
            0 => {
                let planning = self.step_of(&row.id, Target::Thread(thread), OperationType::SendMessage, Mode::Plan);
                WorkflowChange::Revise { id: row.id, planning }
            }
            1 => {
                let first = plans::of_workflow(&WriteTx::begin(&mut self.connection).unwrap(), &row.id).unwrap().into_iter().next();
                let Some(plan) = first else { return };
                WorkflowChange::Adopt { id: row.id, turn: plan.turn, hash: plan.hash }
            }
            2.. => {
                let execution = self.step_of(&row.id, Target::Thread(thread), OperationType::ExecutePlan, Mode::Default);
                WorkflowChange::Approve { id: row.id, version: row.state.version(), execution }
            }
        };
        self.apply(Cause::Workflow(Box::new(change)), crash);
    }

    /// One that waits for an operation waits for one that lives, and nothing is executed twice.
    pub(super) fn check_workflows(&mut self, rows: &[OperationRow]) {
        for workflow in self.workflow_rows() {
            if let Some(current) = workflow.state.current() {
                let operation = rows.iter().find(|row| row.id == *current).unwrap();
                assert!(!operation.state.is_ended(), "{:?} waits for an operation that has ended", workflow.state);
            }
            let is_execution = |row: &&OperationRow| {
                row.spec.operation_type == OperationType::ExecutePlan && row.spec.workflow.as_ref() == Some(&workflow.id)
            };
            let executions: Vec<_> = rows.iter().filter(is_execution).collect();
            assert!(executions.len() <= 1, "{} was executed {} times", workflow.id, executions.len());
            assert_eq!(executions.first().map(|row| &row.id), workflow.execution.as_ref(), "{}", workflow.id);
        }
    }

    /// When everything has ended, each waits for a person or is over.
    pub(super) fn workflows_are_settled(&mut self) {
        for workflow in self.workflow_rows() {
            let settled = matches!(workflow.state, Workflow::Planned { .. } | Workflow::NotPlanned { .. } | Workflow::Ended { .. });
            assert!(settled, "{} stays {:?}", workflow.id, workflow.state);
        }
    }
}
