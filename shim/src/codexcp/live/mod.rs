//! The live view of one operation: follows it to its end, over daemons that come and go, shows what happens and asks
//! what codex asks. Nothing is shown twice; leaving never stops the work.

mod asking;
mod follow;
mod screen;
mod transcript;

use super::{
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    question,
    views::{self, word},
};
use asking::{Asking, Said};
use common::wire::FollowLine;
use follow::Follower;
use screen::Screen;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use transcript::Transcript;

/// Work that has not begun is asked why, this long after it was handed in, and then again.
const LOOK_FIRST: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Follows the operation from its first event on; the exit code is its outcome.
pub(crate) async fn watch(daemon: &Daemon, out: &Output, id: &str) -> Result<Exit, Failure> {
    let short = ids::short(id);
    out.set_farewell(format!("The task goes on. Come back with `codexcp wait {short}` or `codexcp show {short}`."));
    let mut live = Live {
        daemon,
        out,
        id,
        cursor: 0,
        transcript: Transcript::default(),
        screen: Screen::new(out),
        asking: Asking::new(out.can_ask()),
        unanswered: false,
    };
    let mut follower = Follower::open(daemon, id, live.cursor).await?;
    let mut look = Instant::now() + LOOK_FIRST;
    loop {
        live.screen.spin(live.asking.is_open());
        tokio::select! {
            line = follower.next() => match line {
                Some(line) => {
                    live.line(&line).await?;
                    if live.unanswered {
                        return live.leave();
                    }
                }
                None => {
                    follower.end().await?;
                    let status = daemon.status(id, Patience::Long).await?;
                    if !status["completedAt"].is_null() {
                        return live.finish(&status);
                    }
                    live.screen.line("The daemon went away; following again.");
                    live.transcript.interrupted();
                    follower = Follower::open(daemon, id, live.cursor).await?;
                }
            },
            // Why work stands still is no event.
            () = tokio::time::sleep_until(look), if !live.screen.has_begun() => {
                look = Instant::now() + LOOK_AGAIN;
                // A daemon that is away is noticed by the follower.
                if let Ok(status) = daemon.status(id, Patience::None).await {
                    live.screen.because(word(&status["waitsBecause"]));
                }
            }
            said = live.asking.next() => {
                live.said(said).await?;
                if live.unanswered {
                    return live.leave();
                }
            }
        }
    }
}

struct Live<'a> {
    daemon: &'a Daemon,
    out: &'a Output,
    id: &'a str,
    cursor: i64,
    transcript: Transcript,
    screen: Screen<'a>,
    asking: Asking,
    /// Codex waits for an answer, and nobody here can give it.
    unanswered: bool,
}

impl Live<'_> {
    async fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        // A line that is newer than this program is passed on, and means nothing to us.
        let known = serde_json::from_slice::<FollowLine>(line).ok();
        if let Some(FollowLine::Event { event }) = &known {
            let cursor = event["cursor"].as_i64().unwrap_or_default();
            if cursor <= self.cursor {
                return Ok(());
            }
            self.cursor = cursor;
        }
        if self.out.json {
            self.out.data(&String::from_utf8_lossy(line))?;
        }
        match known {
            Some(FollowLine::Event { event }) => self.event(&event).await,
            Some(FollowLine::Delta { item, text, .. }) => {
                if self.transcript.piece(&item, &text) {
                    self.screen.piece(&text)?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn event(&mut self, event: &Value) -> Result<(), Failure> {
        let body = &event["body"];
        match word(&event["type"]) {
            "interaction.raised" => self.raised().await?,
            "interaction.answered" | "interaction.settled" => {
                if self.asking.forget(word(&event["interactionId"])) {
                    self.screen.line("That was answered elsewhere, or is no longer needed.");
                    self.put();
                }
            }
            "message.completed" if self.screen.shows_messages() => self.message(body).await?,
            _ => self.screen.event(event),
        }
        Ok(())
    }

    /// Codex asks something: it is put to whoever sits here, else somebody must come.
    async fn raised(&mut self) -> Result<(), Failure> {
        let arguments = json!({"operation_id": self.id, "limit": 200});
        let pending = self.daemon.tool_with(Patience::Long, "codex_list_pending_interactions", arguments).await?;
        for interaction in pending["interactions"].as_array().into_iter().flatten() {
            if let Some(interaction) = self.asking.add(interaction) {
                self.tell(&interaction);
            }
        }
        self.put();
        Ok(())
    }

    fn tell(&mut self, interaction: &Value) {
        self.unanswered = true;
        self.screen.end_text();
        self.out.ask(&format!("Codex waits: {}\n  {}\n", question::prompt(interaction), question::how_to_answer(interaction)));
    }

    fn put(&mut self) {
        if let Some(text) = self.asking.put() {
            self.screen.spin(true);
            self.screen.end_text();
            self.out.ask(&text);
        }
    }

    async fn said(&mut self, said: Said) -> Result<(), Failure> {
        match said {
            Said::Again(why) => self.out.ask(&format!("{why}\n> ")),
            Said::Next(text) => self.out.ask(&text),
            Said::Nobody(unasked) => unasked.iter().for_each(|one| self.tell(one)),
            Said::Answer { id, mut arguments } => {
                arguments["interaction_id"] = json!(id);
                let answered = self.daemon.tool_with(Patience::None, "codex_answer_pending_interaction", arguments).await;
                // Too late is no end of the task; the follower tells how it goes on.
                if let Err(failure) = answered {
                    self.out.ask(&format!("{}\n", failure.message));
                }
                self.put();
            }
        }
        Ok(())
    }

    async fn message(&mut self, body: &Value) -> Result<(), Failure> {
        let item = word(&body["itemId"]);
        let chars = body["chars"].as_u64().and_then(|chars| usize::try_from(chars).ok()).unwrap_or(usize::MAX);
        let whole = match self.transcript.whole(item, chars) {
            Some(text) => text,
            None => {
                let status = self.daemon.status(self.id, Patience::Long).await?;
                let messages = status["latestMessages"].as_array().into_iter().flatten();
                match messages.into_iter().find(|one| one["itemId"] == item) {
                    Some(message) => word(&message["text"]).to_owned(),
                    // The last message of an ended operation is its report, which comes at the end.
                    None => return Ok(()),
                }
            }
        };
        let rest = self.transcript.complete(item, &whole);
        self.screen.message(&rest, &whole)
    }

    /// The work goes on once somebody has answered.
    fn leave(&mut self) -> Result<Exit, Failure> {
        self.screen.spin(true);
        let short = ids::short(self.id);
        if self.out.json {
            self.out.object(json!({"type": "needs_input", "operationId": self.id}))?;
        }
        self.out.ask(&format!("codexcp: {short} waits for that answer; then `codexcp wait {short}` goes on\n"));
        Ok(Exit::NeedsInput)
    }

    fn finish(&mut self, status: &Value) -> Result<Exit, Failure> {
        let exit = Exit::of_outcome(word(&status["status"]));
        self.screen.spin(true);
        if self.out.json {
            self.out.object(json!({"type": "result", "operation": status}))?;
            return Ok(exit);
        }
        let report = status["finalReport"]["text"].as_str();
        self.screen.report(report.map(|text| (text, self.transcript.rest(text))))?;
        if exit != Exit::Success {
            self.out.ask(&format!("codexcp: {} {}\n", ids::short(self.id), views::ended(status)));
        }
        Ok(exit)
    }
}
