//! The scripted model provider as a process of its own, for demos and for tests that must outlive
//! or restart other processes.
//! It must never print anything on stdout but its address: callers read that one line.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use tests::provider;

/// A scripted stand-in for the model provider, on 127.0.0.1.
#[derive(Parser)]
struct Args {
    /// Append one JSON line per request to this file.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Write the config.toml there that leads codex to this provider.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let provider = provider::start_on(args.port, args.log).await?;
    if let Some(path) = args.config {
        std::fs::write(path, provider::config_toml(&provider.base_url()))?;
    }
    writeln!(std::io::stdout(), "listening on {}", provider.base_url())?;
    asked_to_stop().await?;
    provider.stop().await
}

#[cfg(unix)]
async fn asked_to_stop() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt?),
    }
}

#[cfg(windows)]
async fn asked_to_stop() -> Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}
