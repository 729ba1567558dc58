//! What the command line takes: one variant a verb, named as the daemon names things. Parses only; nothing is
//! looked up or checked here that the daemon checks.

use crate::service::At;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Hand work to codex and look after it. The work goes on whatever happens to this program.
#[derive(Debug, Parser)]
#[command(name = "codexcp", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 refused, 5 daemon unreachable, \
6 needs input, 7 timed out, 130 interrupted.\nAn ID is a whole id, or 4 or more characters of its start or end.";

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON: one object, or one a line where there is no end
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// No words but errors and questions
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// More words
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Hand in a task and follow it to its end; Ctrl-C leaves it running
    Run(Run),
    /// How the daemon and its queue are, or how one operation is
    Status {
        /// Operation
        id: Option<String>,
    },
    /// The operations that have not ended
    List {
        /// The ended ones too
        #[arg(long)]
        all: bool,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// One operation with its report
    Show {
        /// Operation
        id: String,
        /// Its events too
        #[arg(long)]
        events: bool,
    },
    /// Wait until operations have ended; the exit code is their outcome
    Wait {
        /// Operations
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Until one of them has ended
        #[arg(long)]
        any: bool,
        /// Give up after this long
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Say more on the thread of an operation, and follow that
    Resume {
        /// Operation
        id: String,
        /// What to say; `-` reads it from stdin
        text: String,
        #[command(flatten)]
        task: Task,
    },
    /// Say something into the turn of an operation that runs, and follow that
    Steer {
        /// Operation
        id: String,
        /// What to say; `-` reads it from stdin
        text: String,
        /// Print the id and return
        #[arg(long)]
        detach: bool,
    },
    /// Let codex plan a task, and show the plan; nothing is done before `codexcp approve`
    Plan(Run),
    /// Send a plan back with comments, and show the next version
    Revise {
        /// Operation that planned
        id: String,
        /// What is missing; `-` reads it from stdin
        text: String,
        /// Print the id and return
        #[arg(long)]
        detach: bool,
    },
    /// Say yes to a plan, and follow its execution
    Approve {
        /// Operation that planned
        id: String,
        /// What to say with it; `-` reads it from stdin
        text: Option<String>,
        #[command(flatten)]
        task: Task,
    },
    /// Let codex review changes: what is not committed, unless something else is named
    Review(Review),
    /// Hand in the same work again, as a new operation
    Retry {
        /// Operation that has ended
        id: String,
        /// The task, where its text is no longer kept; `-` reads it from stdin
        text: Option<String>,
        /// Print the id and return
        #[arg(long)]
        detach: bool,
    },
    /// What codex waits for somebody to say
    Pending {
        /// Interaction: the whole of it
        id: Option<String>,
    },
    /// Answer what codex waits for
    Answer(Answer),
    /// Stop operations
    Cancel {
        /// Operations
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Take away every word of ended work; ids and outcomes stay, and nothing runs again
    Forget(Forget),
    /// What happened, of one operation or of all
    Logs {
        /// Operation
        id: Option<String>,
        /// Go on with what happens
        #[arg(short, long)]
        follow: bool,
        /// Without an ID: the newest events only
        #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
        lines: u32,
    },
    /// Hold the queue: nothing new starts, what is at work goes on
    #[command(subcommand)]
    Queue(QueueVerb),
    /// Let tasks work in a folder and what is below it
    Allow {
        /// Folder
        dir: PathBuf,
    },
    /// Take back that tasks may work in a folder; what is at work there goes on
    Disallow {
        /// Folder, as `codexcp config` shows it
        dir: PathBuf,
    },
    /// The settings in force and where each comes from
    Config,
    /// The daemon itself
    #[command(subcommand)]
    Daemon(DaemonVerb),
    /// The daemon as a service of this system
    #[command(subcommand)]
    Service(ServiceVerb),
    /// Check that everything needed is there; starts nothing
    Doctor,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct Forget {
    /// Operation, or a workflow; of one that belongs to a workflow all that does
    #[arg(group = "which")]
    pub(crate) id: Option<String>,
    /// All that ended before this day or moment (2026-11-30 begins at midnight UTC)
    #[arg(long, group = "which", value_name = "DATE")]
    pub(crate) before: Option<String>,
    /// Delete codex's own threads of that work too
    #[arg(long)]
    pub(crate) codex: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The task; `-` reads it from stdin
    pub(crate) text: String,
    /// Folder to work in; it must be allowed (`codexcp allow`)
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) cwd: PathBuf,
    /// A name for people
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Also while the same task is at work in this project
    #[arg(long)]
    pub(crate) again: bool,
    #[command(flatten)]
    pub(crate) task: Task,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target"))]
pub(crate) struct Review {
    /// What to look at, in words; `-` reads it from stdin
    #[arg(group = "target")]
    pub(crate) text: Option<String>,
    /// What the branch changes against this one
    #[arg(long, group = "target", value_name = "BRANCH")]
    pub(crate) base: Option<String>,
    /// What a commit changes
    #[arg(long, group = "target", value_name = "SHA")]
    pub(crate) commit: Option<String>,
    /// Folder to work in; it must be allowed (`codexcp allow`)
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) cwd: PathBuf,
    /// Model; codex's own where none is named
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Print the id and return
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Task {
    /// Model; codex's own where none is named
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// What commands may touch
    #[arg(long, value_parser = ["read-only", "workspace-write", "danger-full-access"])]
    pub(crate) sandbox: Option<String>,
    /// When codex asks before it acts
    #[arg(long, value_parser = ["untrusted", "on-request", "on-failure", "never"])]
    pub(crate) approval: Option<String>,
    /// Interrupt the turn after this long
    #[arg(long, value_name = "SECONDS")]
    pub(crate) turn_seconds_max: Option<i64>,
    /// The same id with the same task never runs twice
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// Before or after others in the queue
    #[arg(long, value_parser = ["low", "normal", "high"])]
    pub(crate) priority: Option<String>,
    /// What the task writes: a path or a name in the project, held for it alone (may be given more than once)
    #[arg(long = "resource-key", value_name = "KEY")]
    pub(crate) resource_keys: Vec<String>,
    /// Start at this moment at the earliest, e.g. 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<String>,
    /// Start once this operation has completed (may be given more than once)
    #[arg(long = "after", value_name = "ID")]
    pub(crate) after: Vec<String>,
    /// Print the id and return
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how"))]
pub(crate) struct Answer {
    /// Interaction, as `codexcp pending` shows it
    pub(crate) id: String,
    /// Yes; for permissions: grant what is asked, for this turn
    #[arg(long, group = "how")]
    pub(crate) accept: bool,
    /// Yes, and for the rest of the session
    #[arg(long, group = "how")]
    pub(crate) accept_for_session: bool,
    /// No, and the turn goes on
    #[arg(long, group = "how")]
    pub(crate) decline: bool,
    /// No, and the turn ends
    #[arg(long, group = "how")]
    pub(crate) cancel: bool,
    /// The answer to a question, by its id (may be given more than once)
    #[arg(long = "answer", group = "how", value_name = "QID=TEXT")]
    pub(crate) answers: Vec<String>,
    /// An offered decision with its details, the content of a form, or the raw response to anything else
    #[arg(long, group = "how", value_name = "JSON")]
    pub(crate) decision_json: Option<String>,
    /// Grant the permissions that are asked for, for this turn
    #[arg(long, group = "how")]
    pub(crate) grant: bool,
}

impl Answer {
    /// Without any of them the question is shown, and asked at a terminal.
    pub(crate) fn says_something(&self) -> bool {
        let Answer { id: _, accept, accept_for_session, decline, cancel, answers, decision_json, grant } = self;
        *accept || *accept_for_session || *decline || *cancel || *grant || !answers.is_empty() || decision_json.is_some()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// Nothing new starts until it is resumed
    Pause(Where),
    /// Go on
    Resume(Where),
    /// Pause, and wait until nothing is at work any more
    Drain(Where),
}

#[derive(Debug, Args)]
pub(crate) struct Where {
    /// In this project only: its id, name or folder
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DaemonVerb {
    /// In the foreground
    Run {
        /// Arguments for codexcp-daemon
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// In the background; prints its pid
    Start,
    /// A busy app-server is left running, its turns go on
    Stop {
        /// The app-server too
        #[arg(long)]
        all: bool,
    },
    /// Stop and start
    Restart,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceVerb {
    /// Let the system start the daemon, now and from now on
    Install {
        /// When it starts
        #[arg(long, value_enum, default_value_t = At::Login)]
        at: At,
        /// Windows, at boot: whom the service runs as; the password is asked for, or CODEXCP_SERVICE_PASSWORD
        #[arg(long, value_name = "NAME", hide = cfg!(not(windows)))]
        account: Option<String>,
        /// Only show what would be written
        #[arg(long)]
        print: bool,
    },
    /// Stop it and remove what `install` wrote; turns go on
    Uninstall,
    /// Whether it is installed, for which home, and whether it runs
    Status,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_answer_says_one_thing() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("codexcp answer abcd --accept").is_ok());
        assert!(parse("codexcp answer abcd --answer q1=a --answer q2=b").is_ok());
        assert!(parse("codexcp answer abcd").is_ok(), "it shows the question");
        assert!(parse("codexcp answer abcd --accept --decline").is_err());
    }
}
