//! What the app-server knows that we do not store, and whether it is there at all. Changes no thread of it.

use super::{
    look_up,
    rpc::RpcError,
    server::{Links, Restart},
    threads,
};
use common::ids::{Generation, ThreadId};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Clone)]
pub struct Inventory {
    links: Links,
}

/// A thread that was made somewhere else.
pub struct KnownThread {
    pub cwd: PathBuf,
    pub archived: bool,
}

impl Inventory {
    pub fn new(links: Links) -> Inventory {
        Inventory { links }
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

    /// Tells the process that runs to make room for a new one.
    pub fn restart(&self, generation: Generation, how: Restart) {
        self.links.restart(generation, how);
    }

    /// Asks for an app-server and waits for it; `false`: there is none within the patience with one.
    pub async fn up(&self) -> bool {
        self.links.wait().await.is_some()
    }

    /// The version of the app-server, while it is there.
    pub fn version(&self) -> Option<String> {
        self.links.current().and_then(|link| link.version.clone())
    }
}
