//! Ids as people type and read them: the last characters of one, and the only one that a part fits. Pure; never
//! takes the first of several.

use super::exit::{Exit, Failure};

/// What people see of an id: of a time-ordered one the end differs, not the start.
pub(crate) const SHOWN_CHARS: usize = 8;
const PART_CHARS_MIN: usize = 4;

/// The last characters of an id.
pub(crate) fn short(id: &str) -> &str {
    id.char_indices().rev().nth(SHOWN_CHARS - 1).map_or(id, |(start, _)| &id[start..])
}

/// The one of `all` that is `part`, or that starts or ends with it. `None`: none of them.
pub(crate) fn resolve<'a>(part: &str, all: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, Failure> {
    let part = part.trim().to_lowercase();
    if part.chars().count() < PART_CHARS_MIN {
        return Err(Failure::new(Exit::Usage, format!("the id {part:?} is too short; give at least {PART_CHARS_MIN} characters of it")));
    }
    let mut hits: Vec<&str> = all.filter(|id| id.starts_with(&part) || id.ends_with(&part)).collect();
    if let Some(exact) = hits.iter().find(|id| **id == part) {
        return Ok(Some(exact));
    }
    match (hits.pop(), hits.is_empty()) {
        (Some(_), false) => Err(Failure::new(Exit::Usage, format!("more than one id fits {part:?}; give more characters of it"))),
        (only, _) => Ok(only),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_leads_to_the_only_id_it_fits() {
        let all = ["int_aaaa1111", "int_aaaa2222", "2222"];
        let resolve = |part: &str| resolve(part, all.into_iter());
        assert_eq!(resolve("1111").unwrap(), Some("int_aaaa1111"));
        assert_eq!(resolve("INT_AAAA1").unwrap(), Some("int_aaaa1111"));
        assert_eq!(resolve("2222").unwrap(), Some("2222"), "the whole id wins over a part");
        assert_eq!(resolve("zzzz").unwrap(), None);
        assert_eq!(resolve("int_").unwrap_err().exit, Exit::Usage);
        assert_eq!(resolve("111").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn people_see_the_end_of_an_id() {
        assert_eq!(short("01936f6e-0000-7000-8000-0123456789ab"), "456789ab");
        assert_eq!(short("abc"), "abc");
    }
}
