//! The only place of the command that writes. stdout carries data, stderr words; `--json` puts data into JSON. What
//! others wrote is shown without control characters on a terminal. Knows nothing of operations.

use super::{
    arguments::{Color, Common},
    exit::{Exit, Failure},
};
use anstream::ColorChoice;
use comfy_table::{Table, presets};
use common::{shown::for_terminal as printable, wire};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    cell::RefCell,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Of everything that `--json` prints as one object.
const SCHEMA: u32 = 1;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

/// Where everything goes that the command says.
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    bar: RefCell<Option<ProgressBar>>,
    farewell: RefCell<Option<String>>,
}

impl Output {
    pub(crate) fn new(common: &Common) -> Output {
        match common.color {
            // Looks at NO_COLOR, CLICOLOR and the terminal itself.
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        let Common { json, quiet, verbose, .. } = *common;
        Output { json, quiet, verbose, bar: RefCell::default(), farewell: RefCell::default() }
    }

    /// One line of data, or several.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        self.stdout(&format!("{text}\n"))
    }

    /// Data without an end of line.
    pub(crate) fn stdout(&self, text: &str) -> Result<(), Failure> {
        self.write_stdout(&if io::stdout().is_terminal() { printable(text) } else { Cow::Borrowed(text) })
    }

    fn write_stdout(&self, text: &str) -> Result<(), Failure> {
        let written = self.beside_bar(|| {
            let mut stdout = anstream::stdout();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        });
        // Whoever read has enough: `| head` is no fault.
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Exit::Failed, ""),
            _ => Failure::new(Exit::Failed, format!("could not write to stdout: {error}; check where it leads")),
        })
    }

    /// One object of `--json`.
    pub(crate) fn object(&self, mut value: Value) -> Result<(), Failure> {
        value["schema"] = json!(SCHEMA);
        let line = wire::one_line(value.to_string().into_bytes());
        self.data(&String::from_utf8_lossy(&line))
    }

    /// Columns on a terminal, else one line a row with tabs between.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        if !io::stdout().is_terminal() {
            let lines = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>().join("\t") + "\n");
            return self.stdout(&lines.collect::<String>());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.to_vec());
        for row in rows {
            table.add_row(row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>());
        }
        self.data(&table.trim_fmt())
    }

    /// A line of data that opens with a verdict.
    pub(crate) fn verdict(&self, verdict: Verdict, text: &str) -> Result<(), Failure> {
        let word = format!("{:<4}", verdict.word());
        let word = match verdict {
            Verdict::Ok => word.green().to_string(),
            Verdict::Warn => word.yellow().to_string(),
            Verdict::Fail => word.red().to_string(),
        };
        self.write_stdout(&format!("{word}  {}\n", printable(text)))
    }

    /// A line of words for a person.
    pub(crate) fn say(&self, words: &str) {
        if !self.quiet {
            self.stderr(&format!("{}\n", printable(words)));
        }
    }

    /// As `say`, less prominent.
    pub(crate) fn say_dim(&self, words: &str) {
        if !self.quiet {
            self.stderr(&format!("{}\n", printable(words).dimmed()));
        }
    }

    /// Only with `--verbose`.
    pub(crate) fn detail(&self, words: &str) {
        if self.verbose {
            self.say_dim(words);
        }
    }

    /// Said with `--quiet` too, because somebody is waited for. No end of line is added.
    pub(crate) fn ask(&self, words: &str) {
        self.stderr(&printable(words));
    }

    /// Text that is still being written, on stderr.
    pub(crate) fn piece(&self, text: &str) {
        self.stderr(&printable(text).dimmed().to_string());
    }

    /// Says why a command failed, and which exit code that is.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        self.unspin();
        if self.json && !failure.message.is_empty() {
            // A stdout that cannot be written to is what failed, or nobody listens.
            drop(self.object(failure.as_json()));
        } else if !failure.message.is_empty() {
            self.stderr(&format!("{} {}\n", "codexcp:".red(), printable(&failure.message)));
        }
        failure.exit
    }

    /// Whether words may move: a terminal, and somebody who wants to read them.
    pub(crate) fn is_live(&self) -> bool {
        !self.json && !self.quiet && io::stderr().is_terminal()
    }

    /// Whether somebody sits at this terminal who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stderr().is_terminal() && io::stdin().is_terminal()
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Shows that something goes on since then; nothing off a terminal.
    pub(crate) fn spin(&self, words: &str, since: Instant) {
        if !self.is_live() {
            return;
        }
        let mut bar = self.bar.borrow_mut();
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner().with_elapsed(since.elapsed());
            let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(one_line(words));
    }

    pub(crate) fn unspin(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    /// What is said when Ctrl-C ends the command from now on.
    pub(crate) fn set_farewell(&self, words: String) {
        *self.farewell.borrow_mut() = Some(words);
    }

    pub(crate) fn farewell(&self) {
        self.unspin();
        if let Some(words) = self.farewell.borrow_mut().take() {
            self.stderr(&format!("\n{words}\n"));
        }
    }

    fn stderr(&self, text: &str) {
        // Nobody can be told that words did not arrive.
        drop(self.beside_bar(|| anstream::stderr().write_all(text.as_bytes())));
    }

    fn beside_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn one_line(text: &str) -> String {
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal_in_a_line_that_moves_either() {
        assert_eq!(one_line(" a\n  b\tc "), "a b c");
        assert_eq!(one_line("running \u{1b}]52;c;eno=\u{7}\u{1b}[2J"), "running \\x1b]52;c;eno=\\x07\\x1b[2J");
    }
}
