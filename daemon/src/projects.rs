//! Which folders callers may name, and how a place is shown to others. Symbolic links are resolved before anything
//! is compared; the shim's own folder never widens anything (ARCHITECTURE 21.20).

use common::{
    files,
    ids::ProjectId,
    safe::{PathRef, Redactor, SafeText},
};
use serde::Deserialize;
use std::{
    io::ErrorKind,
    path::{Component, Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

/// The allowed roots. Shared, because `codexcp allow` adds to them while the daemon runs.
#[derive(Debug, Clone)]
pub struct Policy {
    roots: Arc<RwLock<Vec<PathBuf>>>,
    registry: Option<PathBuf>,
    /// Folders of the control plane itself.
    own: Arc<[PathBuf]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    Own,
    NoRoots,
    Outside(PathBuf),
    NotThere(PathBuf),
}

impl Denied {
    /// Of a path its last part: what lies above it is nobody's business who did not name it.
    pub fn sentence(&self) -> SafeText {
        let last = |path: &Path| {
            path.file_name().map_or_else(|| path.to_string_lossy().into_owned(), |name| format!("…/{}", name.to_string_lossy()))
        };
        match self {
            Denied::Own => SafeText::fixed("the path lies in the control plane's own folder; work in a folder of a project"),
            Denied::NoRoots => SafeText::fixed("no folder is allowed yet; allow the project's folder with `codexcp allow DIR`"),
            Denied::Outside(path) => {
                Redactor.text(&format!("the path {} is outside the allowed roots; allow its folder with `codexcp allow DIR`", last(path)))
            }
            Denied::NotThere(path) => {
                Redactor.text(&format!("the path {} does not exist or is not a folder; name one that does", last(path)))
            }
        }
    }

    /// It is there, and work may not go there.
    pub fn is_forbidden(&self) -> bool {
        !matches!(self, Denied::NotThere(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub root: PathBuf,
    pub source: &'static str,
}

impl Policy {
    /// `own`: folders of the control plane, links resolved.
    pub fn new(roots: &[PathBuf], registry: Option<PathBuf>, own: Vec<PathBuf>) -> Policy {
        let roots = roots.iter().map(|root| dunce::canonicalize(root).unwrap_or_else(|_| root.clone())).collect();
        Policy { roots: Arc::new(RwLock::new(roots)), registry, own: own.into() }
    }

    pub fn roots(&self) -> Vec<PathBuf> {
        self.roots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A folder of our own that lies below this root: work there could change the rules it runs under.
    pub fn own_below(&self, root: &Path) -> Option<&PathBuf> {
        self.own.iter().find(|own| below(root, own).is_some())
    }

    /// Those of the configuration that contain a folder of ours; it is hidden from every turn in them.
    pub fn roots_around_us(&self) -> Vec<PathBuf> {
        self.roots().into_iter().filter(|root| self.own_below(root).is_some()).collect()
    }

    pub fn allow(&self, root: PathBuf) {
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        if !roots.contains(&root) {
            roots.push(root);
        }
    }

    /// `false`: it was none of them.
    pub fn take_back(&self, root: &Path) -> bool {
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        let before = roots.len();
        roots.retain(|one| one != root);
        roots.len() < before
    }

    /// The folder itself, links resolved, if it may be worked in.
    pub fn allowed(&self, path: &Path) -> Result<PathBuf, Denied> {
        self.inside(path, Path::is_dir)
    }

    /// Whether work that touches no file may be about this folder, although it may be gone: judged by what is left above.
    pub fn allowed_gone(&self, path: &Path) -> Result<(), Denied> {
        let there = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
        self.allowed(there).map(drop)
    }

    /// The file itself, links resolved, if it may be shown to codex.
    pub fn allowed_file(&self, path: &Path) -> Result<PathBuf, Denied> {
        self.inside(path, Path::is_file)
    }

    fn inside(&self, path: &Path, kind: fn(&Path) -> bool) -> Result<PathBuf, Denied> {
        let roots = self.roots();
        if roots.is_empty() {
            return Err(Denied::NoRoots);
        }
        let real = dunce::canonicalize(path).ok().filter(|real| kind(real)).ok_or_else(|| Denied::NotThere(path.to_path_buf()))?;
        if self.own.iter().any(|own| below(own, &real).is_some()) {
            return Err(Denied::Own);
        }
        if roots.iter().any(|root| below(root, &real).is_some()) { Ok(real) } else { Err(Denied::Outside(path.to_path_buf())) }
    }

    /// How the place is shown: the root's name and what lies below it.
    pub fn shown(&self, path: &Path) -> PathRef {
        let roots = self.roots();
        let around = roots.iter().filter_map(|root| Some((root, below(root, path)?)));
        match around.max_by_key(|(root, _)| root.as_os_str().len()) {
            Some((root, below)) => PathRef::new(&name_of(root), &below),
            None => PathRef::outside(path),
        }
    }

    /// Registered ones first, then each visible folder directly below an allowed root.
    pub fn projects(&self) -> Vec<Project> {
        let mut all = self.registered();
        for root in self.roots() {
            let entries = std::fs::read_dir(&root).into_iter().flatten().filter_map(Result::ok);
            let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !is_hidden(path)).collect();
            folders.sort();
            for folder in folders {
                if !all.iter().any(|known| known.root == folder) {
                    all.push(project(folder, "disk_scan"));
                }
            }
        }
        all
    }

    /// By id, path, exact name, name in another case; an ambiguous name is no name. Its folder is the one that links lead
    /// to: limits and locks count by it, whichever way it was named.
    pub async fn project(&self, reference: &str) -> Result<Option<Project>, Denied> {
        let reference = reference.to_owned();
        self.off_thread(move |policy| policy.find(&reference)).await
    }

    /// The project that a folder is: the registered one, else the folder itself.
    pub async fn at(&self, folder: PathBuf) -> Project {
        self.off_thread(move |policy| policy.of(folder)).await
    }

    /// Lists and folders of others are read where nobody waits for a thread: their disk may be slow.
    async fn off_thread<T: Send + 'static>(&self, look: impl FnOnce(&Policy) -> T + Send + 'static) -> T {
        let policy = self.clone();
        match tokio::task::spawn_blocking(move || look(&policy)).await {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    fn find(&self, reference: &str) -> Result<Option<Project>, Denied> {
        if Path::new(reference).is_absolute() {
            return self.allowed(Path::new(reference)).map(|root| Some(self.of(root)));
        }
        let all = self.projects();
        let tests: [&dyn Fn(&Project) -> bool; 3] =
            [&|p| p.id.as_str() == reference, &|p| p.name == reference, &|p| p.name.to_lowercase() == reference.to_lowercase()];
        for test in tests {
            let mut hits = all.iter().filter(|project| test(project));
            if let Some(hit) = hits.next() {
                let real =
                    |hit: &Project| Project { root: dunce::canonicalize(&hit.root).unwrap_or_else(|_| hit.root.clone()), ..hit.clone() };
                return Ok(hits.next().is_none().then(|| real(hit)));
            }
        }
        if all.is_empty() && self.roots().is_empty() {
            return Err(Denied::NoRoots);
        }
        Ok(None)
    }

    fn of(&self, folder: PathBuf) -> Project {
        // Those on disk are named by their path anyway; to list them all would cost every submit more than all the rest.
        let known = self.registered().into_iter().find(|known| folder == known.root);
        known.unwrap_or_else(|| {
            let listed = folder.parent().is_some_and(|parent| self.roots().iter().any(|root| root == parent)) && !is_hidden(&folder);
            project(folder, if listed { "disk_scan" } else { "path" })
        })
    }

    fn registered(&self) -> Vec<Project> {
        #[derive(Deserialize)]
        struct Entry {
            project_id: String,
            name: String,
            root_path: PathBuf,
        }
        let Some(path) = &self.registry else { return Vec::new() };
        let text = match files::read_text(path, files::SETTINGS_BYTES_MAX) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%error, "the project registry cannot be read");
                }
                return Vec::new();
            }
        };
        let entries: Vec<Entry> = serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "the project registry cannot be read");
            Vec::new()
        });
        let allowed = entries.into_iter().filter_map(|entry| Some((self.allowed(&entry.root_path).ok()?, entry)));
        allowed.map(|(root, entry)| Project { id: ProjectId::new(entry.project_id), name: entry.name, root, source: "registry" }).collect()
    }
}

fn project(root: PathBuf, source: &'static str) -> Project {
    Project { id: id_of(&root), name: name_of(&root), root, source }
}

/// The predecessor's id of a path (BEHAVIOUR 4), so that ids its clients stored still lead to the same project.
fn id_of(root: &Path) -> ProjectId {
    let space = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"openclaw-codex-mcp:projects");
    ProjectId::new(uuid::Uuid::new_v5(&space, key_of(root).as_bytes()).to_string())
}

/// What of `path` lies below `root`; `None` where it lies elsewhere. Part by part, on Windows whatever the case.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    for wanted in root.components() {
        let same = |found: Component<'_>| match cfg!(windows) {
            true => as_windows_compares(found) == as_windows_compares(wanted),
            false => found == wanted,
        };
        parts.next().filter(|found| same(*found))?;
    }
    Some(parts.as_path().to_path_buf())
}

/// In any case, and with or without the mark of a long path (FAULTS W6).
fn as_windows_compares(part: Component<'_>) -> String {
    let text = part.as_os_str().to_string_lossy().to_lowercase();
    text.strip_prefix(LONG_PATH).unwrap_or(&text).to_owned()
}

/// What Windows puts before a path that is longer than 260 characters.
const LONG_PATH: &str = r"\\?\";

/// Two spellings of one folder have one key.
pub fn key_of(root: &Path) -> String {
    let text = root.to_string_lossy().into_owned();
    if cfg!(windows) { text.strip_prefix(LONG_PATH).unwrap_or(&text).to_lowercase() } else { text }
}

pub(crate) fn name_of(root: &Path) -> String {
    root.file_name().map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.') || name == "_kb_history")
}

/// Names are shown; one that looks like a key is not.
pub fn shown_name(project: &Project) -> SafeText {
    Redactor.text(&project.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_root_is_outside() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let policy = Policy::new(&[root.path().to_path_buf()], None, Vec::new());
        std::fs::create_dir(root.path().join("p")).unwrap();
        assert!(policy.allowed(&root.path().join("p")).is_ok());
        assert!(matches!(policy.allowed(elsewhere.path()), Err(Denied::Outside(_))));
        assert!(matches!(policy.allowed(&root.path().join("p/../../..")), Err(Denied::Outside(_))));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(elsewhere.path(), root.path().join("out")).unwrap();
            assert!(matches!(policy.allowed(&root.path().join("out")), Err(Denied::Outside(_))));
        }
        let missing = policy.allowed(&root.path().join("missing")).unwrap_err();
        assert_eq!(missing.sentence().as_str(), "the path …/missing does not exist or is not a folder; name one that does");
    }

    #[test]
    fn nobody_works_in_our_own_folders_whatever_is_allowed_around_them() {
        let root = tempfile::tempdir().unwrap();
        let real = dunce::canonicalize(root.path()).unwrap();
        std::fs::create_dir_all(real.join("home/run")).unwrap();
        let policy = Policy::new(std::slice::from_ref(&real), None, vec![real.join("home")]);
        for own in ["home", "home/run"] {
            assert_eq!(policy.allowed(&real.join(own)), Err(Denied::Own));
        }
        assert!(policy.allowed(&real).is_ok());
        assert_eq!(policy.roots_around_us(), vec![real.clone()]);
        assert!(policy.own_below(&real.join("elsewhere")).is_none());
    }

    #[cfg(windows)]
    #[test]
    fn letters_of_any_case_and_the_long_form_of_a_path_name_the_same_folder() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("Shop")).unwrap();
        let policy = Policy::new(&[root.path().to_path_buf()], None, Vec::new());
        let plain = policy.allowed(&root.path().join("Shop")).unwrap();
        let text = plain.to_str().unwrap();
        for other in [text.to_lowercase(), text.to_uppercase(), format!(r"\\?\{text}"), text.replace('\\', "/")] {
            let allowed = policy.allowed(Path::new(&other)).unwrap();
            assert_eq!(key_of(&allowed), key_of(&plain), "{other}");
        }
        let share = below(Path::new(r"\\Server\share\work"), Path::new(r"\\SERVER\Share\Work\a"));
        assert_eq!(share, Some(PathBuf::from("a")));
        assert_eq!(below(Path::new(r"C:\work"), Path::new(r"C:\workshop")), None);
        assert_eq!(below(Path::new(r"C:\work"), Path::new(r"D:\work")), None);
    }

    #[test]
    fn without_roots_nothing_is_allowed_and_the_sentence_says_what_to_do() {
        let denied = Policy::new(&[], None, Vec::new()).allowed(Path::new("/")).unwrap_err();
        assert!(denied.sentence().as_str().contains("codexcp allow DIR"));
    }

    #[test]
    fn a_project_is_found_by_id_name_and_path() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("Shop")).unwrap();
        let policy = Policy::new(&[root.path().to_path_buf()], None, Vec::new());
        let by_name = policy.find("shop").unwrap().unwrap();
        assert_eq!(policy.find(by_name.id.as_str()).unwrap().unwrap(), by_name);
        assert_eq!(policy.find(root.path().join("Shop").to_str().unwrap()).unwrap().unwrap(), by_name);
        assert_eq!(policy.find("nothing").unwrap(), None);
    }

    #[cfg(windows)]
    #[test]
    fn a_long_path_is_below_its_root_however_it_is_marked() {
        let (root, long) = (Path::new(r"C:\Projects"), Path::new(r"\\?\C:\projects\a\b"));
        assert_eq!(below(root, long), Some(PathBuf::from(r"a\b")));
        assert_eq!(below(long, root), None);
        assert_eq!(key_of(long), key_of(Path::new(r"c:\PROJECTS\a\b")));
    }
}
