//! The rooms of lab-core stand in layers: each uses only those below it, so that the cache can be read, and used, without
//! the simulator, and the trace without the cache.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the ground up.
const LAYERS: [&str; 19] = [
    "mutants",
    "value",
    "cluster",
    "fault",
    "trace",
    "consistency",
    "policy",
    "ports",
    "lock",
    "cache",
    "service",
    "report",
    "check",
    "world",
    "scenario",
    "source",
    "recording",
    "sim",
    "nemesis",
];

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(directories.iter().flat_map(|directory| self::files(directory))).collect()
}

/// The room that a file belongs to; none for `lib.rs`.
fn room(file: &Path, sources: &Path) -> Option<String> {
    let inside = file.strip_prefix(sources).expect("a source of ours").with_extension("");
    let room = inside.components().next()?.as_os_str().to_str()?.to_owned();
    (room != "lib").then_some(room)
}

/// The rooms that a source names, as `crate::room` or `crate::{room, …}`, outside its comments and its tests.
fn used(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or(source);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split_once('}').map_or(group, |(inside, _)| inside).split(',').collect(),
            None => vec![rest],
        };
        let word = |name: &str| {
            name.trim()
                .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .next()
                .map(str::to_owned)
        };
        rooms.extend(names.into_iter().filter_map(word).filter(|room| LAYERS.contains(&room.as_str())));
    }
    rooms
}

fn height(room: &str) -> usize {
    let found = LAYERS.iter().position(|layer| *layer == room);
    found.unwrap_or_else(|| panic!("`{room}` has no place among the layers in {}", file!()))
}

#[test]
fn no_room_looks_up() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upward = Vec::new();
    let mut seen = 0;
    for file in files(&sources).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
        let Some(room) = room(&file, &sources) else { continue };
        let source = fs::read_to_string(&file).expect("a source");
        for other in used(&source) {
            seen += 1;
            if height(&other) > height(&room) {
                upward.push(format!("{} ({room}) uses {other}", file.display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} uses were read");
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn uses_are_read_in_every_form() {
    let source = "use crate::{value, sim::SimWorld};\nfn f() { crate::world::g() }\n// crate::nemesis\nuse crate::trace::{self, Event};";
    assert_eq!(used(source), ["value", "sim", "world", "trace"]);
}
