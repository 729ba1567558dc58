//! Logs: JSON lines, one file a day, seven kept. No prompts, answers or tokens: what is logged is made of ids,
//! numbers and redacted text, and the libraries that would log whole messages are kept quiet.

use common::place::Place;
use tracing_appender::{non_blocking::WorkerGuard, rolling};
use tracing_subscriber::{EnvFilter, fmt};

const FILES_MAX: usize = 7;
/// These log requests and results as they are.
const QUIET: &str = "rmcp=warn,hyper=warn,tungstenite=warn,tokio_tungstenite=warn";

#[derive(Debug, thiserror::Error)]
#[error("could not write logs in {path}: {why}; check that the folder belongs to you")]
pub struct TelemetryError {
    path: std::path::PathBuf,
    why: String,
}

/// Keep the guard: dropping it writes the last lines.
pub fn start(place: &Place, level: &str) -> Result<WorkerGuard, TelemetryError> {
    let failed = |why: String| TelemetryError { path: place.logs_dir.clone(), why };
    let file = rolling::Builder::new()
        .rotation(rolling::Rotation::DAILY)
        .filename_prefix("daemon")
        .filename_suffix("log")
        .max_log_files(FILES_MAX)
        .build(&place.logs_dir)
        .map_err(|e| failed(e.to_string()))?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let filter = EnvFilter::try_new(format!("{level},{QUIET}")).map_err(|e| failed(e.to_string()))?;
    // A second start in one process (tests) keeps the first one's logs.
    drop(fmt().json().with_env_filter(filter).with_writer(writer).try_init());
    Ok(guard)
}
