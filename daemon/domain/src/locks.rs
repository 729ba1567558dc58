//! Who excludes whom: what a turn may write, as absolute paths. A path covers what lies under it, so a whole project, a
//! folder in it and a project inside another are one kind of thing. Readers hold nothing.
//! Touches no disk: links and case are settled before a path gets here.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

/// One absolute path that a turn writes, its parts joined by `/`. A name that is no path lies in its project like one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockPath(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("is blank")]
    Blank,
    #[error("leads out of the project")]
    Outside,
}

impl LockPath {
    /// A folder as the system names it once links are followed. Both kinds of slashes separate; `C:\a` is `C:/a`.
    pub fn whole(folder: &str) -> LockPath {
        let parts: Vec<_> = parts(folder).collect();
        LockPath(if folder.starts_with(['/', '\\']) { format!("/{}", parts.join("/")) } else { parts.join("/") })
    }

    /// What a key names inside this folder.
    ///
    /// Errors: a key that is blank, or that leads out of the folder.
    pub fn within(&self, key: &str) -> Result<LockPath, KeyError> {
        if key.trim().is_empty() {
            return Err(KeyError::Blank);
        }
        let mut inside: Vec<&str> = Vec::new();
        for part in parts(key) {
            match part {
                ".." => drop(inside.pop().ok_or(KeyError::Outside)?),
                part => inside.push(part),
            }
        }
        Ok(inside.iter().fold(self.clone(), |path, part| path.join(part)))
    }

    fn join(&self, part: &str) -> LockPath {
        let LockPath(path) = self;
        LockPath(if path.ends_with('/') { format!("{path}{part}") } else { format!("{path}/{part}") })
    }

    /// As Windows tells paths apart: not by case, nor by dots and blanks at the end of a name, nor by the mark of a long path.
    pub fn as_on_windows(self) -> LockPath {
        let path = self.0.to_lowercase();
        let path = path.trim_start_matches(['/', '?']);
        let parts: Vec<_> = path.split('/').map(|part| part.trim_end_matches(['.', ' '])).collect();
        LockPath(parts.join("/"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn covers(&self, other: &LockPath) -> bool {
        other.0.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || self.0.ends_with('/') || rest.starts_with('/'))
    }

    pub fn excludes(&self, other: &LockPath) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// This path and every folder above it, as text.
    fn upwards(&self) -> impl Iterator<Item = &str> {
        let LockPath(path) = self;
        let ends = path.match_indices('/').map(|(at, _)| at.max(1)).chain([path.len()]);
        ends.filter_map(|end| path.get(..end))
    }
}

impl fmt::Display for LockPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\']).map(str::trim).filter(|part| !part.is_empty() && *part != ".")
}

/// Paths that are taken, each with who took it. Overlapping ones may be in it where who waits is in it too.
#[derive(Debug)]
pub(crate) struct Taken<'a, W>(BTreeMap<&'a str, W>);

impl<'a, W: Copy> Taken<'a, W> {
    pub(crate) fn new() -> Self {
        Taken(BTreeMap::new())
    }

    /// Who holds something that excludes this path.
    pub(crate) fn holder(&self, path: &LockPath) -> Option<W> {
        let above = path.upwards().find_map(|over| self.0.get(over)).copied();
        above.or_else(|| {
            // From its first possible child on: `a-b` sorts before `a/b`.
            let folder = path.join("");
            let (first, who) = self.0.range(folder.as_str()..).next()?;
            first.starts_with(folder.as_str()).then_some(*who)
        })
    }

    /// The first to take a path is the one whom others wait for.
    pub(crate) fn take(&mut self, path: &'a LockPath, who: W) {
        if let Entry::Vacant(free) = self.0.entry(path.as_str()) {
            free.insert(who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> LockPath {
        LockPath::whole(text)
    }

    #[test]
    fn a_key_covers_what_lies_under_it_and_nothing_beside_it() {
        let project = path("/home/ann/shop");
        let src = project.within("src").unwrap();
        assert!(src.excludes(&project.within("src/a").unwrap()));
        assert!(project.within("src/a").unwrap().excludes(&src));
        assert!(!src.excludes(&project.within("srcs").unwrap()));
        assert!(!src.excludes(&project.within("docs").unwrap()));
        assert!(project.excludes(&src), "a writer without keys takes the whole project");
        assert!(path("/").excludes(&src));
    }

    #[test]
    fn a_project_inside_another_is_a_part_of_it() {
        assert!(path("/p").excludes(&path("/p/inner")));
        assert!(!path("/p").excludes(&path("/pq")));
    }

    #[test]
    fn two_spellings_of_one_key_are_one() {
        let project = path("/p/");
        for spelling in ["src/a", "src//a/", "./src/a", "src\\a", " src / a ", "src/b/../a"] {
            assert_eq!(project.within(spelling).unwrap(), project.within("src/a").unwrap(), "{spelling}");
        }
        assert_eq!(path(r"C:\Work\Shop").as_on_windows(), path("c:/work/shop"));
        assert_eq!(path(r"\\?\C:\Work\new. ").as_on_windows(), path("c:/work/new"));
        assert_eq!(project.within("../q"), Err(KeyError::Outside));
        assert_eq!(project.within("src/../.."), Err(KeyError::Outside));
        assert_eq!(project.within("  "), Err(KeyError::Blank));
        assert_eq!(project.within("."), Ok(project.clone()));
    }

    fn paths() -> impl Strategy<Value = Vec<String>> {
        let part = prop::sample::select(vec!["a", "b", "a-b", "ab", "a.b", "c"]);
        let one = prop::collection::vec(part, 0..5).prop_map(|parts| format!("/{}", parts.join("/")));
        prop::collection::vec(one, 1..12)
    }

    proptest! {
        #[test]
        fn a_holder_is_found_exactly_where_a_taken_path_excludes(taken in paths(), wanted in paths()) {
            let taken: Vec<_> = taken.iter().map(|text| path(text)).collect();
            let mut all = Taken::new();
            for (who, one) in taken.iter().enumerate() {
                all.take(one, who);
            }
            for one in wanted.iter().map(|text| path(text)) {
                let found = all.holder(&one);
                prop_assert_eq!(found.is_some(), taken.iter().any(|other| other.excludes(&one)), "{}", one);
                prop_assert!(found.is_none_or(|who| taken[who].excludes(&one)));
            }
        }
    }
}
