//! History that ends, in the model: what is cleared has ended, is still known by its request, and nothing of what lives or
//! waits for somebody goes with it.

use super::{Crash, World, new_operation};
use crate::{
    engine::cause::{Cause, Tidy},
    store::tables::{operations::OperationRow, workflows},
};
use common::{ids::*, time::Millis};
use domain::{operation::Target, workflow::Workflow};

impl World {
    pub(super) fn history(&mut self, detail: u8, crash: Crash) {
        let n = u32::from(detail) % self.submitted.max(1) + 1;
        match detail % 16 {
            8 | 9 => {
                let ended_before = self.now.before(Millis(if detail & 64 == 0 { 0 } else { 600_000 }));
                self.apply(Cause::Tidy(Tidy { ended_before, texts_before: self.now, most: 3 }), crash);
            }
            10 => {
                let id = OperationId::new(format!("op{n}"));
                // A plan that was forgotten cannot be approved any more, and would wait for ever.
                let free = self.rows().iter().any(|row| row.id == id && row.spec.workflow.is_none());
                if free {
                    self.apply(Cause::Forget { operations: vec![id] }, crash);
                }
            }
            // The same request again.
            0..=7 | 11.. => {
                let before = self.rows().len();
                let known = self.rows().iter().any(|row| row.id == OperationId::new(format!("op{n}")));
                if known {
                    self.apply(Cause::Submit(Box::new(new_operation(n, Target::NewThread, None))), crash);
                    assert_eq!(self.rows().len(), before, "a request that is known was taken for a new one");
                }
            }
        }
    }

    pub(super) fn check_history(&mut self, rows: &[OperationRow]) {
        for row in rows.iter().filter(|row| row.cleared.is_some()) {
            assert!(row.state.is_ended() && row.prompt.is_none(), "{} was cleared and lives", row.id);
            let Some(id) = &row.spec.workflow else { continue };
            let workflow = workflows::by_id(&self.tx(), id).unwrap().unwrap();
            let waits = matches!(workflow.state, Workflow::Planning { .. } | Workflow::Planned { .. } | Workflow::Executing { .. });
            // Comments on a plan of no use bring one that had been cleared back to life.
            assert!(!waits || workflow.plan_operation != row.id, "the plan of {id} was cleared before anybody decided");
        }
    }
}
