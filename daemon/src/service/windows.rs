//! The service manager of Windows: it starts `codexcp-daemon --service`, is told how far that is, and says when to stop.
//! The manager calls a bare function, so what it needs is in statics of this file, set once. Knows nothing of the daemon.

use anyhow::Context;
use common::wire::WINDOWS_SERVICE;
use std::{ffi::OsString, sync::OnceLock, time::Duration};
use tokio::sync::watch;
use windows_service::{
    define_windows_service,
    service::{ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType},
    service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle},
    service_dispatcher,
};

/// How long the manager waits for the next word.
const WAIT: Duration = Duration::from_secs(60);

type Body = Box<dyn Fn() -> anyhow::Result<()> + Send + Sync>;

struct Registered {
    status: ServiceStatusHandle,
    stop: watch::Sender<bool>,
}

static BODY: OnceLock<Body> = OnceLock::new();
static REGISTERED: OnceLock<Registered> = OnceLock::new();

define_windows_service!(entry, main);

/// Runs the daemon for the manager that started this process. Returns when the service has ended.
pub(crate) fn as_windows_service(body: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static) -> anyhow::Result<()> {
    // There is one service in a process.
    drop(BODY.set(Box::new(body)));
    service_dispatcher::start(WINDOWS_SERVICE, entry)
        .context("`--service` is for the service manager; start the daemon with `codexcp daemon start`")
}

pub(crate) fn is_windows_service() -> bool {
    REGISTERED.get().is_some()
}

/// Stopped by somebody, or because the machine goes down.
pub(crate) async fn told_to_stop() {
    let Some(manager) = REGISTERED.get() else { return std::future::pending().await };
    // The sender is never dropped.
    drop(manager.stop.subscribe().wait_for(|told| *told).await);
}

pub(super) fn tell_ready() {
    report(ServiceState::Running, ServiceExitCode::NO_ERROR);
}

pub(super) fn tell_stopping() {
    report(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
}

fn main(_arguments: Vec<OsString>) {
    let (stop, _) = watch::channel(false);
    let told = stop.clone();
    let listen = move |control| match control {
        ServiceControl::Stop | ServiceControl::Preshutdown => {
            told.send_replace(true);
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    // Without a handle nobody can be told anything, and the manager gives up on us.
    let Ok(status) = service_control_handler::register(WINDOWS_SERVICE, listen) else { return };
    drop(REGISTERED.set(Registered { status, stop }));
    report(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let outcome = BODY.get().map_or(Ok(()), |body| body());
    // Any number but zero is a failure to the manager, which starts the service again.
    report(ServiceState::Stopped, if outcome.is_ok() { ServiceExitCode::NO_ERROR } else { ServiceExitCode::ServiceSpecific(1) });
}

fn report(state: ServiceState, exit_code: ServiceExitCode) {
    let Some(manager) = REGISTERED.get() else { return };
    let runs = state == ServiceState::Running;
    let lasts = matches!(state, ServiceState::Running | ServiceState::Stopped);
    let told = manager.status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: if runs {
            ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN
        } else {
            ServiceControlAccept::empty()
        },
        exit_code,
        checkpoint: u32::from(!lasts),
        wait_hint: if lasts { Duration::ZERO } else { WAIT },
        process_id: None,
    });
    if let Err(error) = told {
        tracing::warn!(%error, ?state, "the service manager could not be told");
    }
}
