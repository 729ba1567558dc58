//! When history ends: what is too old or too much is cleared in small bites, so that nobody waits for it, and what was
//! deleted leaves the log of the database too. Decides by age and size only; what goes with an operation is said in
//! `store/tables/history.rs`.

use crate::{
    config::History,
    engine::{Cause, Engine, EngineError, Tidy},
    store::{Reader, StoreError, tables::history},
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const ROUND: Duration = Duration::from_secs(3_600);
/// Operations in one commit: others wait for it.
const BITE: u32 = 10;
/// Nothing was committed for so long: the log is folded into the database.
const QUIET: Duration = Duration::from_secs(60);
/// Where it never becomes quiet.
const LOG_KEPT_MAX: Duration = Duration::from_secs(600);

/// Looks at the start, and every hour.
pub(crate) async fn tidy(engine: Engine, reader: Reader, keep: History) {
    loop {
        match round(&engine, &reader, keep).await {
            Ok(0) => {}
            Ok(cleared) => tracing::info!(cleared, "history was cleared"),
            Err(EngineError::Stopping) => return,
            Err(error) => tracing::warn!(%error, "history could not be cleared; it is tried again in an hour"),
        }
        sleep(ROUND).await;
    }
}

async fn round(engine: &Engine, reader: &Reader, keep: History) -> Result<usize, EngineError> {
    let now = engine.clock.now();
    let old = Tidy { ended_before: now.before(keep.kept_max), texts_before: now.before(keep.texts_kept_max), most: BITE };
    let mut cleared = 0;
    loop {
        match bite(engine, old).await? {
            0 => break,
            more => cleared += more,
        }
    }
    let all = Tidy { ended_before: now, ..old };
    while stored(reader).await? > keep.bytes_max {
        match bite(engine, all).await? {
            0 => {
                tracing::warn!("more is stored than history.mb_max allows, and all of it belongs to live work or is the small rest");
                break;
            }
            more => cleared += more,
        }
    }
    Ok(cleared)
}

async fn bite(engine: &Engine, tidy: Tidy) -> Result<usize, EngineError> {
    Ok(engine.apply(Cause::Tidy(tidy)).await?.cleared)
}

async fn stored(reader: &Reader) -> Result<u64, StoreError> {
    reader.read(|tx| history::bytes(tx)).await
}

/// What was deleted stands in the log of the database until that is folded and cut.
pub(crate) async fn settle(engine: Engine) {
    let mut head = engine.head();
    while head.changed().await.is_ok() {
        let until_quiet = async { while matches!(timeout(QUIET, head.changed()).await, Ok(Ok(()))) {} };
        // Either way it is time.
        drop(timeout(LOG_KEPT_MAX, until_quiet).await);
        engine.settle().await;
    }
}
