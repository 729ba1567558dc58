//! The lines of one operation as they come. A break is an end like any other: whoever reads looks at the status and
//! opens the next one after the last cursor. Shows nothing.

use crate::codexcp::{
    daemon::{Daemon, Patience},
    exit::Failure,
};
use common::client::ClientError;
use tokio::{sync::mpsc, task::JoinHandle};

pub(super) struct Follower {
    lines: mpsc::UnboundedReceiver<Vec<u8>>,
    task: JoinHandle<Result<(), ClientError>>,
}

impl Follower {
    pub(super) async fn open(daemon: &Daemon, id: &str, after: i64) -> Result<Follower, Failure> {
        let connection = daemon.open(Patience::Long).await?;
        let path = format!("/v1/follow/{id}?after={after}");
        // Without a bound: while somebody is asked nothing else is read, and the lines of one turn are few.
        let (sender, lines) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move { connection.lines(&path, |line| sender.send(line.to_vec()).is_ok()).await });
        Ok(Follower { lines, task })
    }

    /// `None` at the end of the stream, whatever ended it.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.lines.recv().await
    }

    /// A refusal is final; a break is not.
    pub(super) async fn end(&mut self) -> Result<(), Failure> {
        match (&mut self.task).await {
            Ok(Err(error @ (ClientError::Refused(_) | ClientError::Version { .. } | ClientError::ForeignOwner))) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
