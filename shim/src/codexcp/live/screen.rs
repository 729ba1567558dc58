//! Where the live view puts what: on a terminal the text as it is written and a line that moves, off it plain lines on
//! stderr, and the report on stdout either way. With `--json` or `--quiet` it shows the report at most.

use super::transcript::Rest;
use crate::codexcp::{exit::Failure, output::Output, views};
use serde_json::Value;
use std::time::Instant;

pub(super) struct Screen<'a> {
    out: &'a Output,
    mode: Mode,
    since: Instant,
    phase: String,
    /// Why it stands still, as it was last said.
    because: String,
    /// Codex is at work.
    begun: bool,
    /// The text on the screen does not end in an end of line.
    in_text: bool,
    /// Off a terminal: the newest message; it is shown when it turns out not to be the report.
    held: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Terminal { text_on_stdout: bool },
    Lines,
    ReportOnly,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a Output) -> Screen<'a> {
        let mode = if out.is_live() {
            Mode::Terminal { text_on_stdout: out.stdout_is_terminal() }
        } else if out.json || out.quiet {
            Mode::ReportOnly
        } else {
            Mode::Lines
        };
        Screen {
            out,
            mode,
            since: Instant::now(),
            phase: "accepted".to_owned(),
            because: String::new(),
            begun: false,
            in_text: false,
            held: None,
        }
    }

    /// Moves while nothing else is being written; `still` while somebody is to type.
    pub(super) fn spin(&self, still: bool) {
        if still || self.in_text {
            self.out.unspin();
        } else {
            let because = if self.because.is_empty() { String::new() } else { format!(" · {}", views::cut(&self.because, 100)) };
            self.out.spin(&format!("{}{because}", self.phase), self.since);
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Said once, whatever shows the rest; empty where nothing holds it up.
    pub(super) fn because(&mut self, why: &str) {
        if self.because != why {
            self.because = why.to_owned();
            if !why.is_empty() {
                self.line(&format!("waits: {why}"));
            }
        }
    }

    pub(super) fn shows_messages(&self) -> bool {
        self.mode != Mode::ReportOnly
    }

    pub(super) fn line(&mut self, words: &str) {
        self.end_text();
        if self.mode != Mode::ReportOnly {
            self.out.say(words);
        }
    }

    /// Anything but messages and questions.
    pub(super) fn event(&mut self, event: &Value) {
        let body = &event["body"];
        let text = views::word(&body["text"]);
        match (views::word(&event["type"]), views::word(&event["category"])) {
            ("operation.state", _) => self.state(body),
            ("turn.progress", "command_status") => match text.strip_prefix("started: ") {
                Some(command) => {
                    self.line(&format!("$ {command}"));
                    self.phase = format!("running · {}", views::cut(command, 60));
                }
                None => {
                    self.phase = "running".to_owned();
                    // That a command went well need not be said.
                    if self.out.verbose || !text.starts_with("completed (exit 0)") {
                        self.line(text);
                    }
                }
            },
            ("turn.progress", "warning") => self.line(&format!("warning: {text}")),
            ("turn.progress", "item_status" | "model_reroute") => self.line(text),
            ("turn.stalled", _) => self.line("No sign of life of the turn for a long time; it may still work. `codexcp cancel` stops it."),
            _ if self.out.verbose => {
                self.end_text();
                self.out.detail(&views::event(event));
            }
            _ => {}
        }
    }

    fn state(&mut self, body: &Value) {
        let reason = body["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let phase = format!("{}{reason}", views::word(&body["status"]).replace('_', " "));
        if body["state"] == "running" || body["state"] == "following" {
            self.begun = true;
            self.because.clear();
        }
        // The end is told with the report.
        if self.mode == Mode::Lines && body["state"] != "ended" && phase != self.phase {
            self.out.say(&phase);
        }
        self.phase = phase;
    }

    /// A piece of a message.
    pub(super) fn piece(&mut self, text: &str) -> Result<(), Failure> {
        let Mode::Terminal { text_on_stdout } = self.mode else { return Ok(()) };
        self.out.unspin();
        if text_on_stdout {
            self.out.stdout(text)?;
        } else {
            self.out.piece(text);
        }
        if !text.is_empty() {
            self.in_text = !text.ends_with('\n');
        }
        Ok(())
    }

    /// A message is complete; `rest` of it was not shown yet.
    pub(super) fn message(&mut self, rest: &Rest, whole: &str) -> Result<(), Failure> {
        if self.mode == Mode::Lines
            && let Some(earlier) = self.held.replace(whole.to_owned())
        {
            self.out.say(&earlier);
        }
        match rest {
            Rest::Nothing => {}
            Rest::Tail(tail) => self.piece(tail)?,
            Rest::All => {
                self.end_text();
                self.piece(whole)?;
            }
        }
        self.end_text();
        Ok(())
    }

    pub(super) fn end_text(&mut self) {
        if std::mem::take(&mut self.in_text) {
            // Only a terminal has text that is open; one that is gone is noticed by the next line of data.
            match self.mode {
                Mode::Terminal { text_on_stdout: true } => drop(self.out.stdout("\n")),
                Mode::Terminal { text_on_stdout: false } | Mode::Lines | Mode::ReportOnly => self.out.piece("\n"),
            }
        }
    }

    /// The end. The report goes to stdout, but not twice to the same terminal.
    pub(super) fn report(&mut self, report: Option<(&str, Rest)>) -> Result<(), Failure> {
        let streamed = self.mode == Mode::Terminal { text_on_stdout: true };
        match report {
            Some((_, Rest::Nothing)) if streamed => self.end_text(),
            Some((_, Rest::Tail(tail))) if streamed => {
                self.piece(&tail)?;
                self.end_text();
            }
            Some((text, _)) => {
                self.end_text();
                self.out.data(text.trim_end_matches('\n'))?;
            }
            None => {
                self.end_text();
                // No report: then the newest message was none.
                if let Some(held) = self.held.take() {
                    self.out.say(&held);
                }
            }
        }
        Ok(())
    }
}
