//! JSON that is changed as JSON: values replaced, keys doubled and renamed, depth added. A tree of its own, because it
//! must hold what no parser gives back: keys twice, numbers out of every range.

use super::random::Random;
use serde_json::Value;

/// A literal is written as it stands.
pub(super) enum Tree {
    Literal(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Deeper than any parser goes, and so shallow that this file's own recursion is safe.
const DEPTH_MAX: usize = 300;

pub(super) fn parse(text: &[u8]) -> Option<Tree> {
    serde_json::from_slice::<Value>(text).ok().map(|value| tree(&value))
}

fn tree(value: &Value) -> Tree {
    match value {
        Value::Array(all) => Tree::Array(all.iter().map(tree).collect()),
        Value::Object(map) => Tree::Object(map.iter().map(|(key, value)| (Value::from(key.as_str()).to_string(), tree(value))).collect()),
        plain => Tree::Literal(plain.to_string()),
    }
}

impl Tree {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Tree::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Tree::Array(all) => {
                out.push(b'[');
                for (n, one) in all.iter().enumerate() {
                    out.extend_from_slice(if n > 0 { b"," } else { b"" });
                    one.write(out);
                }
                out.push(b']');
            }
            Tree::Object(all) => {
                out.push(b'{');
                for (n, (key, value)) in all.iter().enumerate() {
                    out.extend_from_slice(if n > 0 { b"," } else { b"" });
                    out.extend_from_slice(key.as_bytes());
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    fn copy(&self) -> Tree {
        match self {
            Tree::Literal(text) => Tree::Literal(text.clone()),
            Tree::Array(all) => Tree::Array(all.iter().map(Tree::copy).collect()),
            Tree::Object(all) => Tree::Object(all.iter().map(|(key, value)| (key.clone(), value.copy())).collect()),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Tree::Literal(_) => 0,
            Tree::Array(all) => 1 + all.iter().map(Tree::depth).max().unwrap_or(0),
            Tree::Object(all) => 1 + all.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}

/// Somewhere in the tree, one thing is changed.
pub(super) fn change(tree: &mut Tree, other: Option<&Tree>, words: &[&str], random: &mut Random) {
    let deepest = DEPTH_MAX.saturating_sub(tree.depth());
    down(tree, other, words, random, deepest);
}

/// A random way, which ends at a leaf or, now and then, before it.
fn down(here: &mut Tree, other: Option<&Tree>, words: &[&str], random: &mut Random, deepest: usize) {
    let stop = random.one_in(5);
    match here {
        Tree::Array(all) if !all.is_empty() && !stop => {
            let n = random.below(all.len());
            down(&mut all[n], other, words, random, deepest);
        }
        Tree::Object(all) if !all.is_empty() && !stop => {
            let n = random.below(all.len());
            down(&mut all[n].1, other, words, random, deepest);
        }
        _ => change_here(here, other, words, random, deepest),
    }
}

fn change_here(here: &mut Tree, other: Option<&Tree>, words: &[&str], random: &mut Random, deepest: usize) {
    match here {
        Tree::Object(all) if !all.is_empty() && !random.one_in(3) => entries(all, other, words, random),
        Tree::Array(all) if !all.is_empty() && random.one_in(2) => {
            let n = random.below(all.len());
            match random.below(3) {
                0 => drop(all.remove(n)),
                1 => {
                    let copy = all[n].copy();
                    all.push(copy);
                }
                _ => all.insert(n, literal(words, random)),
            }
        }
        _ => {
            let old = std::mem::replace(here, Tree::Literal("null".to_owned()));
            *here = match random.below(5) {
                0 => nested(old, random, deepest),
                1 => part(other, random).unwrap_or(old),
                _ => literal(words, random),
            };
        }
    }
}

fn entries(all: &mut Vec<(String, Tree)>, other: Option<&Tree>, words: &[&str], random: &mut Random) {
    let n = random.below(all.len());
    match random.below(6) {
        0 => drop(all.remove(n)),
        1 => {
            // The same key twice, with different values.
            let key = all[n].0.clone();
            all.push((key, literal(words, random)));
        }
        2 => all[n].0 = string(words, random),
        3 => all.push((string(words, random), literal(words, random))),
        4 => {
            let key = string(words, random);
            all.push((key, part(other, random).unwrap_or(Tree::Object(Vec::new()))));
        }
        _ => all[n].1 = literal(words, random),
    }
}

fn part(other: Option<&Tree>, random: &mut Random) -> Option<Tree> {
    let mut here = other?;
    loop {
        let stop = random.one_in(3);
        match here {
            Tree::Array(all) if !all.is_empty() && !stop => here = random.pick(all)?,
            Tree::Object(all) if !all.is_empty() && !stop => here = &random.pick(all)?.1,
            _ => return Some(here.copy()),
        }
    }
}

fn nested(mut inner: Tree, random: &mut Random, deepest: usize) -> Tree {
    let most = if random.one_in(8) { 200 } else { 6 };
    let object = random.one_in(2);
    for _ in 0..random.below(most).min(deepest) {
        inner = if object { Tree::Object(vec![("\"a\"".to_owned(), inner)]) } else { Tree::Array(vec![inner]) };
    }
    inner
}

fn literal(words: &[&str], random: &mut Random) -> Tree {
    Tree::Literal(match random.below(10) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => return Tree::Array(Vec::new()),
        3 => return Tree::Object(Vec::new()),
        4..=6 => number(random),
        _ => string(words, random),
    })
}

/// A number that is at the edge of some type, or of none.
pub(super) fn number(random: &mut Random) -> String {
    const EDGES: &[&str] = &[
        "0",
        "-0",
        "-1",
        "1",
        "2",
        "45",
        "46",
        "100",
        "101",
        "127",
        "128",
        "255",
        "256",
        "500",
        "65535",
        "65536",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "253402300800000",
        "1.0",
        "1.5",
        "1e3",
        "-1e3",
        "1e308",
        "1e309",
        "1e-400",
        "00",
        "NaN",
    ];
    match random.below(4) {
        0 => random.below(1 << 20).to_string(),
        1 if random.one_in(20) => "9".repeat(random.below(2_000) + 1),
        _ => random.pick(EDGES).copied().unwrap_or("0").to_owned(),
    }
}

/// A string literal, quotes included; now and then not a valid one.
fn string(words: &[&str], random: &mut Random) -> String {
    const HARD: &[&str] = &[
        "",
        " ",
        "\u{0}",
        "..",
        "/",
        "~",
        "../../..",
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
        "\u{202E}abc",
        "\u{FEFF}",
        "İıſK",
        "e\u{301}\u{301}\u{301}\u{301}",
        "\u{FDFA}\u{FDFA}\u{FDFA}",
        "\n```json\n{\"a\":1}\n```\n",
        "sk-abcDEF0123456789xyz",
        "Bearer abc123def456",
        "token=",
        "%00%ff%2e",
        "'; DROP TABLE operations; --",
        "\u{10FFFF}",
    ];
    match random.below(8) {
        0 => Value::from(random.pick(HARD).copied().unwrap_or_default()).to_string(),
        1 => "\"\\ud800\"".to_owned(),
        2 => Value::from(random.pick(HARD).copied().unwrap_or("x").repeat(random.below(300))).to_string(),
        3 => format!("\"{}\"", number(random)),
        _ => Value::from(random.pick(words).copied().unwrap_or("id")).to_string(),
    }
}
