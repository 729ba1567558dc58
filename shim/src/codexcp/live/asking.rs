//! Who is asked what: one question at a time at the terminal, the others wait their turn. Reads stdin only once there
//! is something to ask, and takes no line that was typed before the question was put.

use crate::codexcp::question::{Question, Typed};
use serde_json::Value;
use std::collections::{HashSet, VecDeque};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::mpsc,
};

pub(super) struct Asking {
    /// Somebody sits here.
    somebody: bool,
    seen: HashSet<String>,
    waiting: VecDeque<Value>,
    open: Option<(Question, Value)>,
    typed: Option<mpsc::Receiver<String>>,
}

/// What came of a typed line.
pub(super) enum Said {
    Again(String),
    Next(String),
    Answer {
        id: String,
        arguments: Value,
    },
    /// stdin has ended: nobody will answer these here.
    Nobody(Vec<Value>),
}

impl Asking {
    pub(super) fn new(somebody: bool) -> Asking {
        Asking { somebody, seen: HashSet::new(), waiting: VecDeque::new(), open: None, typed: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A pending interaction; given back where nobody can be asked about it here.
    pub(super) fn add(&mut self, interaction: &Value) -> Option<Value> {
        let id = interaction["interactionId"].as_str().unwrap_or_default().to_owned();
        if !self.seen.insert(id) {
            return None;
        }
        if !self.somebody {
            return Some(interaction.clone());
        }
        self.waiting.push_back(interaction.clone());
        None
    }

    /// Opens the next question and answers with its text; `None` while one is open, or there is none.
    pub(super) fn put(&mut self) -> Option<String> {
        if self.open.is_some() {
            return None;
        }
        let interaction = self.waiting.pop_front()?;
        let question = Question::new(&interaction);
        let text = question.text();
        self.open = Some((question, interaction));
        let typed = self.typed.get_or_insert_with(read_stdin);
        // Typed before anything was asked: no answer to this.
        while typed.try_recv().is_ok() {}
        Some(text)
    }

    /// The interaction needs no answer any more; `true` if it was the one being asked.
    pub(super) fn forget(&mut self, id: &str) -> bool {
        self.waiting.retain(|one| one["interactionId"] != id);
        self.open.take_if(|(question, _)| question.id == id).is_some()
    }

    /// What is typed while a question is open; never comes otherwise.
    pub(super) async fn next(&mut self) -> Said {
        let (Some((question, _)), Some(typed)) = (&mut self.open, &mut self.typed) else {
            return std::future::pending().await;
        };
        let Some(line) = typed.recv().await else {
            self.somebody = false;
            let asked = self.open.take().map(|(_, interaction)| interaction);
            return Said::Nobody(asked.into_iter().chain(self.waiting.drain(..)).collect());
        };
        match question.take(&line) {
            Typed::Again(why) => Said::Again(why),
            Typed::Next => Said::Next(question.text()),
            Typed::Done(arguments) => {
                let id = question.id.clone();
                self.open = None;
                Said::Answer { id, arguments }
            }
        }
    }
}

fn read_stdin() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut stdin = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = stdin.next_line().await {
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    lines
}
