//! The app-server of the model: a few rules of PROTOCOL 5 and 6 over what lies on disk and what dies with the process.

use crate::{
    appserver::translate::{ChildEvent, End},
    store::tables::app_server::{Address, Process},
};
use common::ids::*;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

pub(super) struct SimTurn {
    pub(super) id: TurnId,
    pub(super) client: ClientMessageId,
    /// Messages that went into it while it ran.
    pub(super) heard: Vec<ClientMessageId>,
    /// Its message is written.
    pub(super) said: bool,
    /// Its message is in the history and not listed: the process died between the two.
    pub(super) hidden: bool,
    pub(super) end: Option<End>,
}

pub(super) fn process() -> Process {
    Process {
        pid: 0,
        started_s: 0,
        start_mark: None,
        address: Address::Stdio,
        codex_home: "/c".into(),
        binary: "/b".into(),
        binary_mark: String::new(),
    }
}

/// What the model of a turn says, as its last word.
pub(super) fn report(thread: &ThreadId, turn: &TurnId) -> ChildEvent {
    let (thread, turn) = (thread.clone(), turn.clone());
    ChildEvent::AgentMessage {
        item: ItemId::new(format!("said in {turn}")),
        text: format!("<proposed_plan>what {turn} would do</proposed_plan>"),
        thread,
        turn,
    }
}

#[derive(Default)]
pub(super) struct SimThread {
    pub(super) on_disk: bool,
    pub(super) loaded: bool,
    pub(super) archived: bool,
    /// Whether it ever was.
    pub(super) put_away: bool,
    pub(super) turns: Vec<SimTurn>,
}

/// The app-server: what is in memory dies with it, what is on disk stays.
#[derive(Default)]
pub(super) struct Sim {
    pub(super) alive: bool,
    pub(super) generation: i64,
    pub(super) named: u32,
    /// Whose lines the link hears. Each link subscribes anew.
    pub(super) subscribed: HashSet<ThreadId>,
    pub(super) threads: BTreeMap<ThreadId, SimThread>,
    /// `turn/start`s received and not yet worked off.
    pub(super) inbox: VecDeque<(ThreadId, ClientMessageId, TurnId)>,
    /// Of these, no message of ours is in the turn.
    pub(super) compactions: HashSet<ClientMessageId>,
    pub(super) reviews: HashSet<ClientMessageId>,
    /// Taken over this link, and their turn not begun.
    pub(super) unnamed: HashMap<ThreadId, OperationId>,
    /// `turn/steer`s accepted and not yet in their turn.
    pub(super) steers: VecDeque<(ThreadId, TurnId, ClientMessageId)>,
    /// How often the model was given the message.
    pub(super) given: HashMap<ClientMessageId, u32>,
}
