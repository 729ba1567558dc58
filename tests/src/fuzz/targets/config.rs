//! What is read from files and variables: our configuration, codex's own, the registry of projects. Parts of an input
//! are separated by lines of `%%`: our file, flags, variables, codex's file, the registry. Whatever is wrong is said in a
//! sentence; what is right is within its bounds.

use super::{super::world::folder, Reads};
use common::place::Place;
use daemon::{
    appserver::ourselves::switched_off,
    config::{self, SETTINGS},
    projects::Policy,
};
use std::{collections::BTreeMap, path::PathBuf};

struct Config {
    folder: tempfile::TempDir,
    place: Place,
    registry: PathBuf,
}

/// The sentence is for a person; what it quotes may be long.
const SENTENCE_BYTES_MORE_MAX: usize = 4_096;

pub(super) fn start() -> anyhow::Result<Box<dyn Reads>> {
    let folder = folder()?;
    let place = Place::in_folder(folder.path());
    Ok(Box::new(Config { registry: folder.path().join("projects.json"), place, folder }))
}

impl Reads for Config {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        let mut parts = parts(input).into_iter();
        let mut part = || parts.next().unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (file, flags, variables, codex, registry) = (part(), part(), part(), part(), part());
        // The same name for both: each is written just before it is read.
        write(&self.place.config_file, file)?;
        let flags: Vec<String> = text(flags).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let variables = text(variables);
        let variables: BTreeMap<&str, &str> = variables.lines().filter_map(|line| line.split_once('=')).collect();
        let resolved = config::resolve(&self.place, &flags, &|name| variables.get(name).map(|value| (*value).to_owned()));
        match resolved {
            Ok(config) => {
                if config.shown.len() != SETTINGS.len() || !(1..=64).contains(&config.limits.turns_active_max) {
                    return Err("a configuration out of its bounds was taken".to_owned());
                }
                serde_json::to_string(&config.shown).map_err(|e| format!("the configuration cannot be shown: {e}"))?;
            }
            Err(error) => {
                let sentence = error.to_string();
                if sentence.is_empty() || sentence.len() > input.len() * 4 + SENTENCE_BYTES_MORE_MAX {
                    return Err(format!("a sentence of {} bytes for an input of {}", sentence.len(), input.len()));
                }
            }
        }
        write(&self.place.config_file, codex)?;
        switched_off(self.folder.path());
        write(&self.registry, registry)?;
        let policy = Policy::new(&[self.folder.path().to_path_buf()], Some(self.registry.clone()), Vec::new());
        policy.projects();
        Ok(())
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| e.to_string())
}

fn parts(input: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(4).position(|window| window == b"\n%%\n") {
        out.push(&rest[..at + 1]);
        rest = &rest[at + 4..];
    }
    out.push(rest);
    out
}
