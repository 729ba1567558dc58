//! A home of its own for one row: configuration, some projects, the scripted codex, and a daemon. Dropped, it ends
//! the daemon, by pid; the scripted codex then ends by itself.

use crate::{Ground, client, client::Client, fake_codex, programs::Programs};
use anyhow::{Context, bail};
use common::place::Place;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Folders beside the one that is worked in: every submit looks at them.
const PROJECTS: usize = 30;

pub struct Home {
    folder: tempfile::TempDir,
    pub place: Place,
    pub project: PathBuf,
    pub programs: Programs,
    daemon: Option<Child>,
}

impl Home {
    /// No daemon yet.
    pub fn new(ground: &Ground) -> anyhow::Result<Home> {
        let folder = tempfile::Builder::new().prefix("h-").tempdir_in(&ground.folder)?;
        let root = folder.path().canonicalize()?;
        let (home, projects) = (root.join("home"), root.join("projects"));
        for number in 0..PROJECTS {
            std::fs::create_dir_all(projects.join(format!("project-{number}")))?;
        }
        for one in ["home", "codex", "user"] {
            std::fs::create_dir_all(root.join(one))?;
        }
        // More than any row hands in, so that none is turned away.
        std::fs::write(home.join("config.toml"), format!("allowed_roots = [{projects:?}]\n[limits]\noperations_live_max = 1000000\n"))?;
        let place = Place::in_folder(&home);
        if let Some(filled) = &ground.filled {
            std::fs::copy(filled, place.state_file())?;
            std::fs::File::open(place.state_file())?.sync_all()?;
        }
        Ok(Home { place, project: projects.join("project-7"), folder, programs: ground.programs.clone(), daemon: None })
    }

    /// With a daemon.
    pub fn started(ground: &Ground) -> anyhow::Result<Home> {
        let mut home = Home::new(ground)?;
        home.start_daemon()?;
        Ok(home)
    }

    /// A program with the environment of this home and nothing else.
    pub fn command(&self, program: &Path) -> Command {
        let root = self.folder.path();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", root.join("user"));
        command.env("CODEXCP_HOME", &self.place.home).env("CODEX_HOME", root.join("codex"));
        command.env("CODEX_BINARY_PATH", &self.programs.codex).env("CODEXCP_DAEMON_PROGRAM", &self.programs.daemon);
        command
    }

    pub fn start_daemon(&mut self) -> anyhow::Result<()> {
        let mut command = self.command(&self.programs.daemon);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("could not start the daemon")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        self.daemon = Some(child);
        if line.trim() != "ready" {
            bail!("the daemon did not come up");
        }
        Ok(())
    }

    /// As a person does, so that what it wrote is complete.
    pub fn stop_daemon(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.daemon.take() {
            let stopped = self.command(&self.programs.codexcp).args(["daemon", "stop"]).output()?;
            if !stopped.status.success() {
                child.kill()?;
            }
            child.wait()?;
        }
        Ok(())
    }

    pub fn daemon_pid(&self) -> anyhow::Result<u32> {
        self.daemon.as_ref().map(Child::id).context("no daemon")
    }

    /// A turn in every slot of the project, none of which ends: what is handed in after that stays in the queue.
    pub fn hold_all_slots(&self, client: &mut Client) -> anyhow::Result<()> {
        const SLOTS: usize = 3;
        for number in 0..SLOTS {
            let id = self.submit(client, &format!("hold-{number}"), &format!("HOLD {number}"))?;
            let mut cursor = json!(0);
            while self.status(client, &id)?["status"] != "running" {
                let wait = json!({"operation_ids": [id], "after_cursor": cursor, "max_seconds": 5});
                cursor = client.call("codex_wait", &wait)?["cursor"].clone();
            }
        }
        Ok(())
    }

    pub fn submit(&self, client: &mut Client, request: &str, message: &str) -> anyhow::Result<String> {
        let accepted = client.call("codex_submit_task", &client::task(&self.project, request, message))?;
        Ok(accepted["operationId"].as_str().context("no operation id")?.to_owned())
    }

    pub fn status(&self, client: &mut Client, id: &str) -> anyhow::Result<Value> {
        client.call("codex_get_operation_status", &json!({"operation_id": id}))
    }

    /// Waits until all have ended; each must have completed.
    pub fn completed(&self, client: &mut Client, ids: &[String]) -> anyhow::Result<()> {
        for some in ids.chunks(20) {
            loop {
                let waited = client.call("codex_wait", &json!({"operation_ids": some, "mode": "all", "max_seconds": 20}))?;
                if waited["allEnded"] == json!(true) {
                    break;
                }
            }
            for id in some {
                let status = self.status(client, id)?;
                if status["status"] != "completed" {
                    bail!("an operation did not complete: {status}");
                }
            }
        }
        Ok(())
    }

    /// What the scripted codex was asked so far: when (`monotonic_ns`) and what.
    pub fn requests(&self) -> anyhow::Result<Vec<(i64, String)>> {
        let text = std::fs::read_to_string(self.folder.path().join("codex").join(fake_codex::REQUESTS)).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').and_then(|(at, method)| Some((at.parse().ok()?, method.to_owned())));
        Ok(text.lines().filter_map(line).collect())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
