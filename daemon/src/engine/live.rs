//! What is only worth something now: assistant text as it is written, and when a turn last gave a sign of life.
//! Never stored, never needed after a restart: the whole message comes with `item/completed`.

use common::{ids::*, time::Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::broadcast;

/// Followers that fall further behind than this miss text, never events.
const PIECES_KEPT: usize = 1024;

#[derive(Debug, Clone)]
pub struct Piece {
    pub turn: TurnId,
    pub item: ItemId,
    pub text: String,
}

pub struct Live {
    heard: Mutex<HashMap<TurnId, Timestamp>>,
    pieces: broadcast::Sender<Piece>,
}

impl Default for Live {
    fn default() -> Self {
        Live { heard: Mutex::default(), pieces: broadcast::Sender::new(PIECES_KEPT) }
    }
}

impl Live {
    pub fn sign_of_life(&self, turn: &TurnId, at: Timestamp) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.get_mut(turn) {
            Some(last) => *last = at,
            None => drop(heard.insert(turn.clone(), at)),
        }
    }

    pub fn heard(&self, turn: &TurnId) -> Option<Timestamp> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(turn).copied()
    }

    pub fn forget(&self, turn: &TurnId) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(turn);
    }

    pub fn text(&self, piece: Piece) {
        // Nobody following is the usual case.
        drop(self.pieces.send(piece));
    }

    pub fn follow(&self) -> broadcast::Receiver<Piece> {
        self.pieces.subscribe()
    }
}
