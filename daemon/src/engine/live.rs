//! What is only worth something now: assistant text as it is written, when a turn last gave a sign of life, and answers
//! that must not be written down. Never stored, never needed after a restart: the whole message comes with
//! `item/completed`, and who gave a secret answer is asked again.

use super::changes::Changes;
use common::{ids::*, time::Millis};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};
use tokio::sync::broadcast;

/// Turns that are known to live. There are never this many at once, but a late line names one that has ended, and it is
/// not named again.
const TURNS_KEPT: usize = 1024;
/// Followers that fall further behind than this miss text, never events.
const PIECES_KEPT: usize = 1024;
/// Changes of files that may be asked about; more at once there are not.
const CHANGES_KEPT: usize = 256;

#[derive(Debug, Clone)]
pub struct Piece {
    pub turn: TurnId,
    pub item: ItemId,
    pub text: String,
}

pub struct Live {
    /// By the steady clock: the other one may be set.
    heard: Mutex<HashMap<TurnId, Instant>>,
    pieces: broadcast::Sender<Piece>,
    /// What changes of files are about to do, until their turns end.
    changes: Mutex<HashMap<(TurnId, ItemId), Changes>>,
    /// To questions that are marked as secret, until they have arrived.
    secrets: Mutex<HashMap<InteractionId, Value>>,
}

impl Default for Live {
    fn default() -> Self {
        Live { heard: Mutex::default(), pieces: broadcast::Sender::new(PIECES_KEPT), changes: Mutex::default(), secrets: Mutex::default() }
    }
}

impl Live {
    pub fn sign_of_life(&self, turn: &TurnId) {
        let at = Instant::now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.get_mut(turn) {
            Some(last) => *last = at,
            None => {
                if heard.len() >= TURNS_KEPT
                    && let Some(oldest) = heard.iter().min_by_key(|(_, at)| **at).map(|(turn, _)| turn.clone())
                {
                    heard.remove(&oldest);
                }
                heard.insert(turn.clone(), at);
            }
        }
    }

    /// How long ago the turn was last heard of.
    pub fn silent_for(&self, turn: &TurnId) -> Option<Millis> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(turn).map(|at| Millis(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX)))
    }

    /// Bounded: those of a turn that nobody ends make room for others.
    pub fn keep_changes(&self, turn: &TurnId, item: ItemId, changes: &Value) {
        let mut all = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CHANGES_KEPT
            && let Some(one) = all.keys().next().cloned()
        {
            all.remove(&one);
        }
        // With the turn: providers give the same name to items of several turns.
        all.insert((turn.clone(), item), Changes::of(changes));
    }

    pub fn changes(&self, turn: &TurnId, item: &ItemId) -> Option<Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).get(&(turn.clone(), item.clone())).cloned()
    }

    pub fn forget(&self, turn: &TurnId) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != turn);
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(turn);
    }

    pub fn keep_secret(&self, interaction: &InteractionId, answer: Value) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(interaction.clone(), answer);
    }

    pub fn secret(&self, interaction: &InteractionId) -> Option<Value> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(interaction).cloned()
    }

    pub fn forget_secret(&self, interaction: &InteractionId) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(interaction);
    }

    pub fn text(&self, piece: Piece) {
        // Nobody following is the usual case.
        drop(self.pieces.send(piece));
    }

    pub fn follow(&self) -> broadcast::Receiver<Piece> {
        self.pieces.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_are_never_named_again_are_forgotten_the_oldest_first() {
        let live = Live::default();
        let turn = |n: i64| TurnId::new(format!("turn-{n}"));
        for n in 0..2 * i64::try_from(TURNS_KEPT).unwrap() {
            live.sign_of_life(&turn(n));
        }
        assert_eq!(live.heard.lock().unwrap().len(), TURNS_KEPT);
        assert_eq!(live.silent_for(&turn(0)), None);
        assert!(live.silent_for(&turn(2047)).is_some());
    }
}
