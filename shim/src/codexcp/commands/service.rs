//! `codexcp service`: lets the system start the daemon, takes that back, and says how it is. What is written where is
//! `crate::service`'s business; a daemon that somebody else started is asked to end first, its turns go on.

use crate::{
    autostart,
    codexcp::{
        arguments::ServiceVerb,
        daemon::Daemon,
        exit::{Exit, Failure},
        output::Output,
        views,
    },
    service::{Plan, ServiceError, State, System},
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, verb: ServiceVerb) -> Result<Exit, Failure> {
    match verb {
        ServiceVerb::Install { at, account, print } => {
            let (system, plan) = (System::for_start(at)?, Plan::here(&daemon.place, at, account)?);
            if print { show_plan(system, &plan, out)? } else { install(system, daemon, out, plan).await? }
        }
        ServiceVerb::Uninstall => uninstall(System::in_use()?, daemon, out).await?,
        ServiceVerb::Status => show(&state(System::in_use()?).await?, out)?,
    }
    Ok(Exit::Success)
}

fn show_plan(system: System, plan: &Plan, out: &Output) -> Result<(), Failure> {
    let all = system.definitions(plan)?;
    if out.json {
        let files: Vec<_> = all.iter().map(|one| json!({"path": one.path, "text": one.text})).collect();
        return out.object(json!({"files": files}));
    }
    for one in all {
        out.say(&format!("{}:", one.path.display()));
        out.data(&one.text)?;
    }
    Ok(())
}

async fn install(system: System, daemon: &Daemon, out: &Output, plan: Plan) -> Result<(), Failure> {
    // Whoever calls meanwhile waits for us and finds the service's daemon then.
    let starts = autostart::hold_starts(&daemon.place).await?;
    let earlier = plan.clone();
    aside(move || system.prepare(&earlier)).await?;
    super::daemon::stop(daemon, out, false).await?;
    aside(move || system.install(&plan)).await?;
    drop(starts);
    if !system.has_the_daemon() {
        daemon.start().await?;
    }
    system.notes().iter().for_each(|note| out.say(&format!("note: {note}.")));
    show(&state(system).await?, out)
}

async fn uninstall(system: System, daemon: &Daemon, out: &Output) -> Result<(), Failure> {
    let place = daemon.place.clone();
    let removed = aside(move || system.uninstall(&place)).await?;
    if removed && !system.has_the_daemon() {
        super::daemon::stop(daemon, out, false).await?;
    }
    out.say(if removed { "The service is removed. The next call starts a daemon again." } else { "No service was installed." });
    if out.json { out.object(json!({"removed": removed})) } else { Ok(()) }
}

async fn state(system: System) -> Result<State, Failure> {
    aside(move || system.state()).await
}

/// The system's own programs are waited for beside, so that Ctrl-C is heard.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Failure::new(Exit::Failed, format!("the work was cut off: {error}; run the command again")))??)
}

fn show(state: &State, out: &Output) -> Result<(), Failure> {
    if out.json { out.object(as_json(state)) } else { out.data(&views::fields(&lines(state))) }
}

fn as_json(state: &State) -> Value {
    let installed = state.installed.as_ref();
    json!({
        "installed": installed.is_some(), "system": state.system, "at": installed.map(|one| one.at.word()),
        "home": installed.map(|one| &one.home), "written": installed.map(|one| &one.written),
        "enabled": state.enabled, "running": state.running, "pid": state.pid, "state": state.words,
    })
}

fn lines(state: &State) -> Vec<(&'static str, String)> {
    let word = |known: Option<bool>| known.map_or("unknown", |yes| if yes { "yes" } else { "no" }).to_owned();
    let Some(installed) = &state.installed else {
        return vec![("service", "not installed; `codexcp service install` does it".to_owned())];
    };
    vec![
        ("service", format!("installed, {}", state.system)),
        ("home", installed.home.display().to_string()),
        ("starts at", installed.at.word().to_owned()),
        ("enabled", word(state.enabled)),
        ("running", format!("{}{}", word(state.running), state.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default())),
        ("state", state.words.clone()),
        ("written", installed.written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{At, system::Installed};

    fn state_of(installed: bool) -> State {
        let installed = installed.then(|| Installed { home: "/h".into(), at: At::Login, written: vec!["/f".into()] });
        State { system: "systemd", installed, enabled: Some(true), running: None, pid: None, words: "w".to_owned() }
    }

    #[test]
    fn what_is_not_known_is_called_so() {
        let shown = as_json(&state_of(true));
        assert_eq!((&shown["installed"], &shown["enabled"], &shown["running"]), (&json!(true), &json!(true), &json!(null)));
        assert_eq!((&shown["home"], &shown["at"]), (&json!("/h"), &json!("login")));
        let text = views::fields(&lines(&state_of(true)));
        assert!(text.contains("running    unknown") && text.contains("enabled    yes"), "{text}");
    }

    #[test]
    fn without_a_service_there_is_one_line_that_says_what_to_do() {
        assert_eq!(as_json(&state_of(false))["home"], json!(null));
        assert_eq!(lines(&state_of(false)).len(), 1);
    }
}
