//! Builds everything and takes it down again, in order. Decides nothing in between.

use crate::{
    appserver::{Inventory, effects::Runner, process, server::Keeper},
    clock::Clock,
    config::Config,
    descriptors, drive,
    engine::{Cause, Engine, Rules, timers},
    ipc::{self, Door, Stop},
    own,
    projects::Policy,
    retention,
    service::{self, Handed},
    store::{
        self, Reader,
        tables::{app_server, operations},
    },
    telemetry,
};
use anyhow::Context;
use common::place::Place;
use std::{io::Write, sync::Arc};
use tokio::{sync::watch, task::JoinSet};

/// What a start would find in its way, without starting.
pub(crate) fn check(place: &Place, config: &Config) -> anyhow::Result<()> {
    drive::refuse_network(&place.home, config.network_drive)?;
    ipc::check(place)?;
    store::check(&place.state_file())?;
    Ok(())
}

/// Until SIGTERM, Ctrl-C or `codexcp daemon stop`.
pub(crate) async fn run(place: Place, config: Config, handed_over: Option<Handed>) -> anyhow::Result<()> {
    drive::refuse_network(&place.home, config.network_drive)?;
    let listening = match handed_over {
        Some(socket) => ipc::adopt(&place, socket)?,
        None => ipc::listen(&place)?,
    };
    // Not where we were started: nobody could move or remove that folder on Windows, or unmount it elsewhere.
    if let Err(error) = std::env::set_current_dir(&place.home) {
        tracing::warn!(%error, "the daemon stays in the folder that it was started from");
    }
    let _logs = telemetry::start(&place, &config.log_level)?;
    descriptors::raise();
    let connection = store::open_for_writing(&place.state_file())?;
    let reader = Reader::open(&place.state_file())?;
    let config = Arc::new(config);
    let (engine, writer) = Engine::start(connection, Clock::System, rules(&config)).context("could not start the writer thread")?;
    engine.apply(Cause::Started).await?;

    let guard = Arc::new(own::guard(&place, &config)?);
    let policy = Policy::new(&config.allowed_roots, config.projects_registry.clone(), own::folders(&place));
    let (keeper, links) = Keeper::new(engine.clone(), reader.clone(), config.clone(), place.clone(), guard);
    let runner = Runner {
        engine: engine.clone(),
        reader: reader.clone(),
        links: links.clone(),
        policy: policy.clone(),
        effort: config.default_effort.clone(),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run());
    tasks.spawn(runner.run());
    tasks.spawn(timers::run(engine.clone()));
    tasks.spawn(retention::tidy(engine.clone(), reader.clone(), config.history));
    tasks.spawn(retention::settle(engine.clone()));

    let (stop, mut stopping) = watch::channel(None);
    let door = Door {
        engine: engine.clone(),
        reader: reader.clone(),
        inventory: Inventory::new(links),
        policy,
        config,
        place,
        stop: stop.clone(),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "daemon ready");
    say_ready();
    service::tell_ready();
    let serving = tokio::spawn(ipc::serve(listening, door));
    let mut broken = None;
    tokio::select! {
        () = told_to_stop() => drop(stop.send_replace(Some(Stop::Daemon))),
        _ = stopping.wait_for(Option::is_some) => {}
        // None of them ends before the engine does. Without one of them work would stand still and nobody would know.
        ended = tasks.join_next() => {
            broken = Some(ended.and_then(Result::err).map_or_else(|| "it returned".to_owned(), |error| error.to_string()));
            stop.send_replace(Some(Stop::Daemon));
        }
    }
    let how = stopping.borrow().unwrap_or(Stop::Daemon);
    service::tell_stopping();
    // The answer to `stop` itself is still on its way out.
    serving.await?;
    tasks.abort_all();
    leave_app_server(&reader, how).await;
    engine.settle().await;
    tracing::info!("daemon stopped");
    drop(engine);
    drop(writer);
    match broken {
        None => Ok(()),
        Some(why) => anyhow::bail!("a part of the daemon ended ({why}); start it again, and report what its log says"),
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        limits: config.limits,
        operations_live_max: config.operations_live_max,
        silence_max: config.silence_max,
        silence_interrupts: config.silence_interrupts,
        waits_for_reset: config.waits_for_reset,
        approval_wait_max: config.approval_wait_max,
        // As long as the process: the configuration does not change, and everybody who decides reads them.
        approval_rules: Vec::leak(config.approval_rules.clone()),
        keep_prompts: config.keep_prompts,
        retry_max: config.history.texts_kept_max,
    }
}

/// An idle app-server is ended, a busy one left running: its turns go on without us (ARCHITECTURE 8).
async fn leave_app_server(reader: &Reader, how: Stop) {
    let read = reader.read(|tx| Ok((app_server::get(tx)?.process, operations::active(tx)?.is_empty()))).await;
    let Ok((Some(recorded), idle)) = read else { return };
    if idle || how == Stop::All {
        process::drain(&recorded);
        tracing::info!(pid = recorded.pid, "app-server told to end");
    } else {
        tracing::info!(pid = recorded.pid, "app-server left running, it is busy");
    }
}

/// Whoever started us waits for this line, then for nothing more from us.
fn say_ready() {
    let mut out = std::io::stdout();
    // Nobody may be listening; that is fine.
    drop(writeln!(out, "ready").and_then(|()| out.flush()));
}

#[cfg(unix)]
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Ctrl-C, Ctrl-Break, the console's end, log-off and shut-down. A service is told by its manager alone: it hears of every
/// user's log-off.
#[cfg(windows)]
async fn told_to_stop() {
    if service::is_windows_service() {
        return service::told_to_stop().await;
    }
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
    let (Ok(mut c), Ok(mut brk), Ok(mut close), Ok(mut logoff), Ok(mut shutdown)) =
        (ctrl_c(), ctrl_break(), ctrl_close(), ctrl_logoff(), ctrl_shutdown())
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = c.recv() => {}
        _ = brk.recv() => {}
        _ = close.recv() => {}
        _ = logoff.recv() => {}
        _ = shutdown.recv() => {}
    }
}
