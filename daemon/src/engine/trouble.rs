//! Whether the store takes what it is given: what it said when it last did not. For health; decides nothing.

use crate::store::StoreError;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Whoever was refused and must be heard tries again within this time. A small change may still fit where a large one
/// does not, so one success is no proof that all is well.
const TRIED_AGAIN_WITHIN: Duration = Duration::from_secs(15);

#[derive(Default)]
pub struct Trouble(Mutex<Option<Refused>>);

struct Refused {
    why: String,
    at: Instant,
    taken_since: bool,
}

impl Refused {
    fn is_over(&self) -> bool {
        self.taken_since && self.at.elapsed() > TRIED_AGAIN_WITHIN
    }
}

impl Trouble {
    pub(super) fn refused(&self, error: &StoreError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Refused { why: error.to_string(), at: Instant::now(), taken_since: false });
    }

    /// A change was stored.
    pub(super) fn taken(&self) {
        if let Some(refused) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            refused.taken_since = true;
        }
    }

    /// Why the store refuses at present.
    pub fn why(&self) -> Option<String> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_some_and(Refused::is_over) {
            *refused = None;
        }
        refused.as_ref().map(|refused| refused.why.clone())
    }
}
