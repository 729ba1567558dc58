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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock, Hands},
        engine::{
            Rules,
            tests::{self, new_operation},
        },
        store::{open_for_writing, tables::operations},
    };
    use common::{ids::OperationId, time::Millis};
    use domain::operation::{Stop, Target};
    use std::sync::{Arc, atomic::Ordering};

    const RULES: Rules = Rules { keep_prompts: true, ..tests::RULES };

    #[tokio::test]
    async fn with_more_stored_than_may_be_what_ended_is_cleared_before_its_time_and_what_lives_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        let hands = Arc::new(Hands::default());
        hands.wall.store(1_000_000_000_000, Ordering::SeqCst);
        let (engine, _writer) = Engine::start(open_for_writing(&path).unwrap(), Clock::Manual(hands.clone()), RULES).unwrap();
        let reader = Reader::open(&path).unwrap();
        let mut ids = Vec::new();
        for n in 1..=40 {
            let new = new_operation(n, Target::NewThread, None);
            ids.push(new.id.clone());
            engine.apply(Cause::Submit(Box::new(new))).await.unwrap();
        }
        // Thirty are cancelled in the queue; the others live.
        for id in &ids[10..] {
            engine.apply(Cause::Stop { operation: id.clone(), stop: Stop::ByCaller }).await.unwrap();
        }
        hands.wall.fetch_add(1, Ordering::SeqCst);
        hands.steady.fetch_add(1, Ordering::SeqCst);
        let day = Millis(86_400_000);
        let roomy = History { kept_max: day, texts_kept_max: day, bytes_max: u64::MAX };
        assert_eq!(round(&engine, &reader, roomy).await.unwrap(), 0);
        let narrow = History { bytes_max: 0, ..roomy };
        assert!(round(&engine, &reader, narrow).await.unwrap() >= 30);
        let rows = reader.read(|tx| operations::listed(tx, false, 100)).await.unwrap();
        let cleared: Vec<OperationId> = rows.iter().filter(|row| row.cleared.is_some()).map(|row| row.id.clone()).collect();
        assert_eq!((rows.len(), cleared.len()), (40, 30));
        assert!(cleared.iter().all(|id| ids[10..].contains(id)));
        assert!(rows.iter().all(|row| row.cleared.is_some() || row.prompt.is_some()));
    }
}
