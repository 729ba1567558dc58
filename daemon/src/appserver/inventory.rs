//! What the app-server knows that we do not store, and whether it is there at all. Changes no thread of it but one that
//! it is told to delete.

use super::{
    find::Found,
    installed::Installed,
    look_up, refusal,
    rpc::RpcError,
    server::{Links, Restart},
    threads,
};
use crate::store::tables::messages::MessageRow;
use common::ids::{Generation, ThreadId, TurnId};
use domain::operation::Refusal;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// An old report is not worth a longer wait.
const REPORT_WAIT_MAX: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Inventory {
    links: Links,
    installed: Arc<Installed>,
}

/// A thread that was made somewhere else.
pub struct KnownThread {
    pub cwd: PathBuf,
    pub archived: bool,
}

impl Inventory {
    pub fn new(links: Links) -> Inventory {
        Inventory { links, installed: Arc::default() }
    }

    /// `Ok(None)`: codex has no such thread. `Err`: nobody could be asked.
    pub async fn thread(&self, thread: &ThreadId) -> Result<Option<KnownThread>, RpcError> {
        let link = self.links.wait().await.ok_or(RpcError::Lost)?;
        match link.request("thread/read", json!({"threadId": thread})).await {
            Ok(result) => Ok(result["thread"]["cwd"]
                .as_str()
                .map(|cwd| KnownThread { cwd: PathBuf::from(cwd), archived: threads::in_archive(&result["thread"]) })),
            Err(RpcError::Refused { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The goal of a thread as codex shows it now.
    pub async fn goal(&self, thread: &ThreadId) -> Result<Value, RpcError> {
        let link = self.links.wait().await.ok_or(RpcError::Lost)?;
        if !link.is_subscribed(thread) {
            look_up::resume(&link, thread, None).await?;
        }
        Ok(link.request("thread/goal/get", json!({"threadId": thread})).await?["goal"].take())
    }

    /// The last message of a turn, where codex still has its thread and can be asked now. Loads and changes nothing.
    pub async fn report(&self, thread: &ThreadId, turn: &TurnId) -> Option<MessageRow> {
        let asked = async {
            let link = self.links.wait().await.ok_or(RpcError::Lost)?;
            look_up::last_message(&link, thread, turn).await
        };
        match tokio::time::timeout(REPORT_WAIT_MAX, asked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::debug!(%thread, %error, "codex does not show the report");
                None
            }
            Err(_) => None,
        }
    }

    /// Takes a thread away from codex, with all that it says. `false`: codex has none of this name.
    pub async fn delete(&self, thread: &ThreadId) -> Result<bool, RpcError> {
        let link = self.links.wait().await.ok_or(RpcError::Lost)?;
        match link.request("thread/delete", json!({"threadId": thread})).await {
            Ok(_) => {
                link.unsubscribe(thread);
                Ok(true)
            }
            Err(refused) if matches!(refusal::classify(&refused), Some(Refusal::ThreadGone)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Tells the process that runs to make room for a new one.
    pub fn restart(&self, generation: Generation, how: Restart) {
        self.links.restart(generation, how);
    }

    /// Asks for an app-server and waits for it; `false`: there is none within the patience with one.
    pub async fn up(&self) -> bool {
        self.links.wait().await.is_some()
    }

    /// What the codex on disk says it is.
    pub async fn installed(&self, found: &Found) -> Option<String> {
        self.installed.version(found).await
    }

    /// The version of the app-server, while it is there.
    pub fn version(&self) -> Option<String> {
        self.links.current().and_then(|link| link.version.clone())
    }
}
