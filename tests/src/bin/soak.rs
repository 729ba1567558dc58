//! One daemon life with very many tasks, over the real programs and the real codex: what each thousand of them costs, in
//! memory, open files, time on a core and bytes on disk. Flat figures are what is looked for; it fails only where a task does
//! not complete. `cargo run --release --package tests --bin soak -- [TASKS]` (10 000 without a number).

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let tasks = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse());
    let outcome = tasks
        .map_err(|_| anyhow::anyhow!("usage: soak [TASKS]"))
        .and_then(|tasks| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(soak::run(tasks)));
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            soak::say(&format!("the soak did not succeed: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
mod soak {
    use anyhow::{Context, bail};
    use serde_json::json;
    use std::{
        collections::VecDeque,
        io::Write,
        path::Path,
        time::{Duration, Instant},
    };
    use tests::{
        client::id_of,
        codex,
        home::{Home, Programs, files_below},
    };

    /// Handed in and not ended.
    const LIVE: usize = 24;
    const MAX: Duration = Duration::from_secs(120);

    pub(super) fn say(line: &str) {
        let mut out = std::io::stdout();
        drop(writeln!(out, "{line}").and_then(|()| out.flush()));
    }

    pub(super) async fn run(tasks: usize) -> anyhow::Result<()> {
        let here = std::env::current_exe()?;
        let beside = |name: &str| here.with_file_name(name);
        let codex = codex::native(say)?;
        let programs = Programs { daemon: beside("daemon_twin"), shim: beside("shim_twin"), codexcp: beside("codexcp_twin"), codex };
        let home = Home::new(programs).await?;
        home.start_daemon()?;
        say("tasks  s    daemon: MB  files  ms/task   app-server: pid  MB  files  ms/task   state MB  codex MB  files in /tmp");
        let (mut live, mut begun) = (VecDeque::new(), Instant::now());
        let (mut daemon_s, mut server) = (0.0, (0, 0.0));
        for n in 1..=tasks {
            live.push_back(submit(&home, n).await?);
            if live.len() >= LIVE || n == tasks {
                let some: Vec<String> = live.drain(..if n == tasks { live.len() } else { LIVE / 2 }).collect();
                home.ended(&some, MAX).await?;
                for id in &some {
                    let status = home.status(id).await?;
                    if status["status"] != json!("completed") {
                        bail!("task {n}: {status}");
                    }
                }
            }
            if n.is_multiple_of(1_000) || n == tasks {
                let count = if n.is_multiple_of(1_000) { 1_000 } else { n % 1_000 };
                line(&home, n, count, begun, &mut daemon_s, &mut server).await?;
                begun = Instant::now();
            }
        }
        Ok(())
    }

    async fn submit(home: &Home, n: usize) -> anyhow::Result<String> {
        let message = format!("SAY the report of task {n}, which is as long as an ordinary sentence");
        let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": message, "client_request_id": format!("soak-{n}")});
        Ok(id_of(&home.ok("codex_submit_task", task).await?))
    }

    #[expect(clippy::cast_precision_loss, reason = "far below the limit")]
    async fn line(home: &Home, n: usize, count: usize, begun: Instant, daemon_s: &mut f64, server: &mut (u32, f64)) -> anyhow::Result<()> {
        let daemon = home.daemon_pid().context("the daemon ended")?;
        let pid = home.app_server().await.map_or(0, |process| process.pid);
        let per_task = |seconds: f64| seconds * 1_000.0 / count as f64;
        let (now, theirs) = (cpu_s(daemon), cpu_s(pid));
        let of_server = if server.0 == pid { theirs - server.1 } else { theirs };
        let mb =
            |path: &Path| files_below(path).iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum::<u64>() as f64 / 1e6;
        let state: f64 = ["", "-wal", "-shm"]
            .iter()
            .filter_map(|end| std::fs::metadata(format!("{}{end}", home.place.state_file().display())).ok())
            .map(|meta| meta.len() as f64 / 1e6)
            .sum();
        let temporary = std::fs::read_dir(std::env::temp_dir())?.count();
        say(&format!(
            "{n:5}  {:4.0}  {:9.1}  {:5}  {:7.2}   {pid:15}  {:4.0}  {:5}  {:7.2}   {state:8.1}  {:8.1}  {temporary:13}",
            begun.elapsed().as_secs_f64(),
            rss_mb(daemon),
            files(daemon),
            per_task(now - *daemon_s),
            rss_mb(pid),
            files(pid),
            per_task(of_server),
            mb(&home.codex_home),
        ));
        (*daemon_s, *server) = (now, (pid, theirs));
        Ok(())
    }

    fn rss_mb(pid: u32) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).and_then(|rest| rest.split_whitespace().next());
        line.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1e3
    }

    fn files(pid: u32) -> usize {
        std::fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).unwrap_or_default()
    }

    /// Of all its threads, those that ended too.
    fn cpu_s(pid: u32) -> f64 {
        const TICKS_PER_S: f64 = 100.0;
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| after_name.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
        (ticks(11) + ticks(12)) / TICKS_PER_S
    }
}
