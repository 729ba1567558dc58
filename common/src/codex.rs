//! Which versions of codex this is made for: the one place that names them. Starts nothing and reads nothing.

pub type Version = (u64, u64, u64);

/// Older ones lack what recovery rests on.
pub const OLDEST: Version = (0, 169, 0);
/// The newest that the tests ran with.
pub const NEWEST: Version = (0, 171, 0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    TooOld,
    Known,
    /// It may work as before; nobody has tried it.
    Newer,
}

/// `0.169.0`, also with something behind it; `None`: no version.
pub fn numbers(version: &str) -> Option<Version> {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

pub fn standing(version: Version) -> Standing {
    match version {
        older if older < OLDEST => Standing::TooOld,
        newer if newer > NEWEST => Standing::Newer,
        _ => Standing::Known,
    }
}

pub fn words((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// What to do about one that is too old.
pub fn too_old(found: &str) -> String {
    format!("codex {found} is too old; version {} or newer is needed: npm install -g @openai/codex", words(OLDEST))
}

/// What `codex --version` prints, e.g. `codex-cli 0.169.0`.
pub fn printed(text: &str) -> Option<&str> {
    text.split_whitespace().last().filter(|word| numbers(word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_too_old_known_or_newer_than_what_was_tried() {
        let of = |text: &str| numbers(text).map(standing);
        assert_eq!(of("0.168.9"), Some(Standing::TooOld));
        assert_eq!(
            (of("0.169.0"), of("0.170.0-alpha.1"), of("0.171.0")),
            (Some(Standing::Known), Some(Standing::Known), Some(Standing::Known))
        );
        assert_eq!((of("0.171.1"), of("1.0.0")), (Some(Standing::Newer), Some(Standing::Newer)));
        assert_eq!((of("something"), printed("codex-cli 0.169.0\n"), printed("usage: x")), (None, Some("0.169.0"), None));
    }
}
