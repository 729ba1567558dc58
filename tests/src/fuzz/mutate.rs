//! Inputs out of inputs: bytes are flipped, cut, moved, joined and multiplied; words that a reader knows are put in.
//! Knows nothing of what the bytes mean but where lines and numbers are; JSON is changed in `json.rs`.

use super::{json, random::Random};

/// Inputs of ordinary runs stay below this; a few grow beyond, up to `GROWN_BYTES_MAX`.
const BYTES_MAX: usize = 32 * 1024;
const GROWN_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong for some reader somewhere: bad UTF-8, ends of lines, byte order marks, ends of texts.
const HARD_BYTES: &[&[u8]] = &[
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\x1b[2J",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"\\u0000",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"{}",
    b"[]",
    b"null",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"9007199254740993",
    b"0.1e-400",
];

/// What a target's inputs are made of.
pub(super) struct Material<'a> {
    pub(super) seeds: &'a [Vec<u8>],
    pub(super) words: &'a [&'a str],
    /// Most lines of an input are JSON.
    pub(super) json: bool,
}

/// One input. It depends on nothing but the material and the chance.
pub(super) fn input(material: &Material<'_>, random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(material.seeds).cloned().unwrap_or_default();
    for _ in 0..=random.below(6) {
        if material.json && !random.one_in(3) {
            structure(&mut bytes, material, random);
        } else {
            mangle(&mut bytes, material, random);
        }
        bytes.truncate(GROWN_BYTES_MAX);
    }
    // Growth is rare: what is long is slow, and most faults are in what is short.
    if random.one_in(2_000) {
        grow(&mut bytes, random);
    } else {
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

/// One line that is JSON, changed as JSON.
fn structure(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let chosen = random.below(lines.len());
    let Some(mut tree) = lines.get(chosen).and_then(|line| json::parse(line)) else {
        return mangle(bytes, material, random);
    };
    let other = random.pick(material.seeds).and_then(|seed| json::parse(first_line(seed)));
    for _ in 0..=random.below(3) {
        json::change(&mut tree, other.as_ref(), material.words, random);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            out.push(b'\n');
        }
        if n == chosen { tree.write(&mut out) } else { out.extend_from_slice(line) }
    }
    *bytes = out;
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn mangle(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let range = random.range(bytes.len());
    match random.below(13) {
        0 => {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.byte();
            }
        }
        2 => drop(bytes.drain(range)),
        3 => bytes.truncate(at),
        4 => {
            let copy = bytes.get(range).unwrap_or_default().to_vec();
            insert(bytes, at, &copy);
        }
        5 => insert(bytes, at, random.pick(HARD_BYTES).copied().unwrap_or_default()),
        6 | 7 => insert(bytes, at, random.pick(material.words).map_or(b"".as_slice(), |word| word.as_bytes())),
        8 => {
            let other = random.pick(material.seeds).cloned().unwrap_or_default();
            let part = random.range(other.len());
            insert(bytes, at, other.get(part).unwrap_or_default());
        }
        9 => {
            // The head of one and the tail of another.
            let other = random.pick(material.seeds).cloned().unwrap_or_default();
            bytes.truncate(at);
            let from = random.below(other.len() + 1);
            bytes.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        10 => number(bytes, random),
        11 => lines(bytes, random),
        _ => {
            let copy: Vec<u8> = (0..random.below(24)).map(|_| random.byte()).collect();
            insert(bytes, at, &copy);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.splice(at..at, more.iter().copied());
}

/// A number in the text becomes another one.
fn number(bytes: &mut Vec<u8>, random: &mut Random) {
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_digit())).collect();
    let Some(start) = random.pick(&starts).copied() else { return };
    let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |len| start + len);
    bytes.splice(start..end, json::number(random).into_bytes());
}

fn lines(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut all: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (random.below(all.len()), random.below(all.len()));
    match random.below(3) {
        0 => all.swap(one, other),
        1 => drop(all.remove(one)),
        _ => {
            let copy = all[one].clone();
            all.insert(other, copy);
        }
    }
    *bytes = all.join(&b'\n');
}

/// A part of it, over and over.
fn grow(bytes: &mut Vec<u8>, random: &mut Random) {
    let range = random.range(bytes.len());
    let part = match bytes.get(range.clone()) {
        Some(part) if !part.is_empty() => part.to_vec(),
        _ => b"[".to_vec(),
    };
    let most = (GROWN_BYTES_MAX - bytes.len().min(GROWN_BYTES_MAX)) / part.len();
    let times = random.below(most + 1);
    insert(bytes, range.start, &part.repeat(times));
}
