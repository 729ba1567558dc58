//! When two prompts are the same: normal form for refusing, likeness for a warning only.
//! The normal form is exact: a template that differs in one file name is another prompt.

/// Texts shorter than this are too short to be called alike.
const ALIKE_CHARS_MIN: usize = 40;

/// Case folded, every run of white space one space, ends trimmed. NFKC is applied by the caller, who has the tables.
pub fn normal_form(nfkc: &str) -> String {
    nfkc.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Share of words (as a multiset) that two normal forms have in common, 0 to 100. Linear in their length.
pub fn likeness_percent(a: &str, b: &str) -> u8 {
    if a.chars().take(ALIKE_CHARS_MIN).count() < ALIKE_CHARS_MIN || b.chars().take(ALIKE_CHARS_MIN).count() < ALIKE_CHARS_MIN {
        return if a == b { 100 } else { 0 };
    }
    let mut counts = std::collections::HashMap::<&str, i64>::new();
    a.split(' ').for_each(|word| *counts.entry(word).or_default() += 1);
    let mut common = 0_usize;
    for word in b.split(' ') {
        if let Some(left) = counts.get_mut(word).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    let total = a.split(' ').count() + b.split(' ').count();
    u8::try_from(200 * common / total.max(1)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_case_do_not_make_another_prompt() {
        assert_eq!(normal_form("  Fix\r\nthe\t\tTEST "), "fix the test");
    }

    #[test]
    fn a_template_with_another_file_name_is_alike_but_not_the_same() {
        let of = |file: &str| normal_form(&format!("Please review the file {file} for mistakes in its error handling and report"));
        assert_ne!(of("a.rs"), of("b.rs"));
        assert!(likeness_percent(&of("a.rs"), &of("b.rs")) >= 90);
        assert!(likeness_percent(&of("a.rs"), &normal_form(&"something else entirely ".repeat(4))) < 20);
    }
}
