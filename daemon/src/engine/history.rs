//! History that ends: what work leaves behind when it ends, when that goes, and what somebody wants forgotten. Touches
//! nothing of work that has not ended.

use super::{
    apply::Apply,
    cause::{EngineError, Tidy},
};
use crate::store::{
    StoreError,
    tables::{
        history::{self, Extent},
        operations::{self, OperationRow},
    },
};
use common::{
    error::ErrorCode,
    ids::OperationId,
    safe::{Redactor, SafeMap},
};
use domain::operation::Outcome;

impl Apply<'_> {
    /// Work that ended without success may be handed in again, so its text stays for a while.
    pub(super) fn text_after(&self, row: &mut OperationRow, outcome: &Outcome) {
        let may_be_wanted = *outcome != Outcome::Completed && self.rules.retry_max.0 > 0;
        if !self.rules.keep_prompts && !may_be_wanted {
            row.prompt = None;
        }
    }

    /// How many rows gave something back: `0` where nothing is left to do.
    pub(super) fn tidy(&self, tidy: &Tidy) -> Result<usize, StoreError> {
        let old = history::kept(self.tx, tidy.ended_before, tidy.most)?;
        for id in &old {
            history::clear(self.tx, id, self.now, Extent::Long)?;
        }
        let texts = match self.rules.keep_prompts {
            true => 0,
            false => history::clear_prompts(self.tx, tidy.texts_before, tidy.most)?,
        };
        let events = history::drop_events_of_nobody(self.tx, tidy.ended_before, tidy.most)?;
        Ok(old.len() + texts + events)
    }

    pub(super) fn forget(&self, ids: &[OperationId]) -> Result<usize, EngineError> {
        for id in ids {
            let row = operations::by_id(self.tx, id)?;
            if !row.is_some_and(|row| row.state.is_ended()) {
                let message = format!("could not forget operation {}: it has not ended; wait for its end, or interrupt it", id.short());
                let details = SafeMap::default().with("operationId", id.clone());
                return Err(EngineError::Rejected { code: ErrorCode::Refused, message: Redactor.text(&message), details });
            }
        }
        for id in ids {
            history::clear(self.tx, id, self.now, Extent::EveryWord)?;
        }
        Ok(ids.len())
    }
}
