//! The two readers that find the id of a line without reading the line: the daemon's for lines that are too long, the
//! shim's for those that it may have to send again. What they find is what a parser finds.

use super::{super::memory, Reads};
use daemon::mcp::id_scan::IdScan;
use serde_json::Value;

struct Ids;

/// Both keep a key and an id at most; the shim copies an id, and those of the comparison are copied too.
const HELD_BYTES_MAX: usize = 16 * 1024;

pub(super) fn start() -> anyhow::Result<Box<dyn Reads>> {
    Ok(Box::new(Ids))
}

impl Reads for Ids {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        input.split(|byte| *byte == b'\n').try_for_each(|line| one(line, id_by_parser(line).as_ref()))
    }
}

/// `None` where it is not an object.
fn id_by_parser(line: &[u8]) -> Option<Value> {
    let mut parsed = serde_json::from_slice::<Value>(line).ok().filter(Value::is_object)?;
    Some(parsed["id"].take())
}

fn one(line: &[u8], parsed: Option<&Value>) -> Result<(), String> {
    // What the parser held is not theirs.
    memory::reset_peak();
    let before = memory::held();
    let mut scan = IdScan::default();
    for piece in line.chunks(1 + line.len() % 7) {
        scan.feed(piece);
    }
    let scanned = scan.id();
    let of_shim = shim::head_of(line).and_then(|head| Some(head.id?.get().to_owned()));
    let of_answer = shim::id_of_answer(line);
    let held = memory::peak().saturating_sub(before);
    if held > HELD_BYTES_MAX + 3 * line.len() {
        return Err(format!("memory: {held} bytes at once for a line of {}", line.len()));
    }
    let scanned = scanned.and_then(|id| serde_json::from_slice::<Value>(&id).ok());
    let [of_shim, of_answer] = [of_shim, of_answer].map(|id| serde_json::from_str::<Value>(&id?).ok());
    let Some(parsed) = parsed else { return Ok(()) };
    for (who, found) in [("scan", &scanned), ("shim", &of_shim), ("shim, of an answer,", &of_answer)] {
        if found.as_ref().is_some_and(|found| found != parsed) {
            return Err(format!("the {who} found the id {found:?}, a parser {parsed}"));
        }
    }
    // Ids longer than a kilobyte are not found; the line is answered without one.
    let plain = parsed.as_str().is_some_and(|id| id.len() < 100) || parsed.is_i64();
    if plain && scanned.is_none() {
        return Err(format!("the scan did not find the id {parsed}"));
    }
    Ok(())
}
