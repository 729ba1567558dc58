//! What version the codex on disk says it is, before anybody needs its app-server. Asked once for each file that is found;
//! it runs `codex --version` and nothing else.

use super::find::Found;
use common::codex;
use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// It answers in some 50 ms; one that hangs is no news.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// By the mark of the file.
#[derive(Default)]
pub(super) struct Installed(Mutex<HashMap<String, Option<String>>>);

impl Installed {
    /// `None`: it does not say.
    pub(super) async fn version(&self, found: &Found) -> Option<String> {
        if let Some(known) = self.known(&found.mark) {
            return known;
        }
        let mut command = tokio::process::Command::new(&found.binary);
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        #[cfg(windows)]
        command.creation_flags(common::windows_flags::NO_WINDOW);
        let ran = tokio::time::timeout(ANSWER_WAIT_MAX, command.output()).await;
        let said = ran.ok().and_then(Result::ok).map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
        let version = said.as_deref().and_then(codex::printed).map(str::to_owned);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Files come and go with updates; only what is there now is of use.
        known.clear();
        known.insert(found.mark.clone(), version.clone());
        version
    }

    fn known(&self, mark: &str) -> Option<Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(mark).cloned()
    }
}
