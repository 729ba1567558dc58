//! The short run of `fuzz`: the whole corpus and a few inputs by chance for each target, with the real program. The long
//! run is done by hand; see docs/fuzzing.md.

use std::process::Command;

/// Few: the test programs are not optimised.
const INPUTS: &str = "2000";

#[test]
fn nothing_that_reads_bytes_panics_hangs_or_holds_more_than_it_may() {
    let run = Command::new(env!("CARGO_BIN_EXE_fuzz")).args(["--short", "--inputs", INPUTS, "--seed", "7"]).output().unwrap();
    let (out, words) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{words}\nthe inputs are in the corpus now; they stay there when the fault is mended");
    for target in tests::fuzz::TARGETS {
        assert!(out.lines().any(|line| line.starts_with(target.name)), "{} did not run: {out}", target.name);
    }
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let corpus = tests::fuzz::corpus();
    let mut folders: Vec<_> =
        std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let mut targets: Vec<_> = tests::fuzz::TARGETS.iter().map(|target| target.name.to_owned()).collect();
    folders.sort();
    targets.sort();
    assert_eq!(folders, targets);
    for target in targets {
        assert!(std::fs::read_dir(corpus.join(&target)).unwrap().count() >= 5, "{target}");
    }
}
