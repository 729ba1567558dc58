//! The programs themselves: size, time to come up, crates they are made of.

use anyhow::Context;
use bench::{Figure, Goal, Ground, Sample, Unit, home::Home, programs};
use std::{collections::BTreeSet, path::Path, process::Command};

const TIMES: usize = 30;

pub(crate) fn run(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let all = &ground.programs;
    let mut out = vec![
        size("codex-control-plane-mcp, stripped", &all.shim, Goal::AtMost(3_000.0), ground)?,
        size("codexcp, stripped", &all.codexcp, Goal::None, ground)?,
        size("codexcp-daemon, stripped", &all.daemon, Goal::None, ground)?,
    ];
    let (mut first, mut again, mut words) = (Sample::default(), Sample::default(), Sample::default());
    for _ in 0..TIMES {
        let mut home = Home::new(ground)?;
        first.time(|| home.start_daemon())?;
        home.stop_daemon()?;
        again.time(|| home.start_daemon())?;
        words.time(|| home.command(&all.codexcp).arg("--version").output())?;
    }
    out.push(Figure::new("codexcp-daemon until ready, new home, p50", first.p50(), Unit::Ms, Goal::None));
    out.push(Figure::new("codexcp-daemon until ready, p50", again.p50(), Unit::Ms, Goal::None));
    out.push(Figure::new("codexcp --version, p50", words.p50(), Unit::Ms, Goal::None));
    for package in ["shim", "daemon"] {
        out.push(Figure::new(format!("crates of the package {package}"), crates(package)?, Unit::Count, Goal::None));
    }
    Ok(out)
}

#[expect(clippy::cast_precision_loss, reason = "far below the limit")]
fn size(what: &str, program: &Path, goal: Goal, ground: &Ground) -> anyhow::Result<Figure> {
    let stripped = ground.folder.join("stripped");
    // The same where the build has stripped it already.
    let done = Command::new("strip").arg("-o").arg(&stripped).arg(program).status().context("could not run strip; install binutils")?;
    anyhow::ensure!(done.success(), "strip failed");
    Ok(Figure::new(what, std::fs::metadata(&stripped)?.len() as f64 / 1_000.0, Unit::Kb, goal))
}

#[expect(clippy::cast_precision_loss, reason = "far below the limit")]
fn crates(package: &str) -> anyhow::Result<f64> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package]);
    let listed = cargo.current_dir(programs::root()).output()?;
    anyhow::ensure!(listed.status.success(), "cargo tree failed");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
    Ok(names.len() as f64)
}
