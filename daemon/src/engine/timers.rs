//! Time as a cause: sleeps until the smallest stored moment, or until a commit brings a smaller one. No ticker.

use super::{Cause, Engine, EngineError};
use std::time::Duration;

pub async fn run(engine: Engine) {
    let mut head = engine.head();
    loop {
        let wake = head.borrow_and_update().wake;
        let due = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return },
            () = due => match engine.apply(Cause::Tick).await {
                Ok(_) => {}
                Err(EngineError::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, "could not apply a timer");
                    // The store refuses for now; the next try must not spin.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
        }
    }
}
