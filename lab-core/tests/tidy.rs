//! The house is kept: small files with a first sentence, functions that fit a screen, and a scenario that is named only
//! where it lives. Plain text over the whole tree: what it reads is formatted by rustfmt.

use std::fs;
use std::path::{Path, PathBuf};

use lab_core::scenario::ScenarioId;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Where sources are.
const ROOTS: [&str; 5] = ["lab-core", "lab-web", "lab-server", "xtask", "e2e"];

/// Whoever teaches by example may name a scenario: the help, and the error that shows what a request looks like.
const EXAMPLES: [&str; 3] =
    ["lab-server/src/cli.rs", "lab-server/src/cli/up.rs", "lab-server/src/api/request.rs"];

/// A source: its path from the root of the repository, and its text.
struct Source {
    path: String,
    text: String,
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let inside = directories.iter().filter(|directory| !directory.ends_with("node_modules"));
    files.into_iter().chain(inside.flat_map(|directory| self::files(directory))).collect()
}

/// Every source of one of these kinds.
fn sources(kinds: &[&str]) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    let all = ROOTS.iter().flat_map(|root| files(&top.join(root)));
    let wanted = all.filter(|path| path.extension().is_some_and(|own| kinds.iter().any(|kind| own == *kind)));
    let read = wanted.map(|path| Source {
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        path: path.strip_prefix(top).expect("inside").to_string_lossy().replace('\\', "/"),
    });
    let read: Vec<_> = read.collect();
    assert!(read.len() > 10, "only {} sources of {kinds:?} were found", read.len());
    read
}

/// The code of a source without its tests.
fn without_tests(text: &str) -> &str {
    text.split("\nmod tests {").next().unwrap_or(text)
}

/// Every function of a formatted source: the line at which it begins, its name, and its length in lines.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| {
            let own = line.strip_prefix(indent).unwrap_or_default();
            own == "}"
                || (!own.starts_with(' ')
                    && (own.ends_with(';') || own.ends_with(" }") || own.ends_with("{}")))
        };
        let length = lines[start..].iter().position(ends).map_or(lines.len() - start, |last| last + 1);
        found.push((start + 1, name, length));
    }
    found
}

/// The name of the function that a line begins, if it begins one.
fn function_name(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("fn ")?;
    let qualifiers = ["pub", "async", "const", "unsafe", "extern"];
    let plain = before.split_whitespace().all(|word| qualifiers.iter().any(|own| word.starts_with(own)));
    let named = rest.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_');
    (plain && named).then(|| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut long = Vec::new();
    let mut seen = 0;
    for source in sources(&["rs"]) {
        for (line, name, length) in functions(&source.text) {
            seen += 1;
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{}:{line}: {name} has {length} lines", source.path));
            }
        }
    }
    assert!(seen > 1_000, "only {seen} functions were found");
    assert!(long.is_empty(), "at most {FUNCTION_LINES_MAX} lines a function: {long:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long = sources(&["rs", "mjs", "css", "js"]).into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{} has {lines} lines", source.path))
    });
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "at most {FILE_LINES_MAX} lines a file: {long:#?}");
}

#[test]
fn every_file_opens_with_what_it_is() {
    let opens = |source: &Source| {
        let first = source.text.lines().next().unwrap_or_default();
        let mark = match source.path.rsplit_once('.').map(|(_, kind)| kind) {
            Some("rs") => "//! ",
            Some("css") => "/* ",
            _ => "// ",
        };
        first.strip_prefix(mark).is_some_and(|sentence| sentence.contains(char::is_alphabetic))
    };
    let mute = sources(&["rs", "mjs", "css"]).into_iter().filter(|source| !opens(source));
    let mute: Vec<_> = mute.map(|source| source.path).collect();
    assert!(mute.is_empty(), "without a first sentence: {mute:#?}");
}

/// The names of a scenario in code: its slug, its module, its id.
fn names(id: ScenarioId) -> [String; 3] {
    let slug = id.slug();
    [slug.to_owned(), slug.replace('-', "_"), format!("{id:?}")]
}

#[test]
fn a_scenario_is_named_in_its_folder_its_line_and_its_tests_alone() {
    let catalogue = sources(&["rs"]);
    let mut strewn = Vec::new();
    for id in ScenarioId::ALL {
        let folder = Path::new(id.file()).parent().expect("a folder").to_string_lossy().into_owned();
        let line = format!("{} => {id:?},", id.slug().replace('-', "_"));
        let home = |path: &str| path.starts_with(&folder) || path == "lab-core/src/scenario/course.rs";
        let tests = ["/tests/", "/tests.rs", "/benches/", "/examples/"];
        let test = |path: &str| tests.iter().any(|place| path.contains(place));
        let elsewhere = catalogue.iter().filter(|source| !home(&source.path) && !test(&source.path));
        for source in elsewhere.filter(|source| !EXAMPLES.contains(&source.path.as_str())) {
            let named = without_tests(&source.text).lines().enumerate().filter(|(_, text)| {
                text.trim() != line && names(id).iter().any(|name| text.contains(name.as_str()))
            });
            strewn.extend(named.map(|(at, text)| format!("{}:{}: {}", source.path, at + 1, text.trim())));
        }
    }
    assert!(strewn.is_empty(), "a scenario is a folder and a line: {strewn:#?}");
}

#[test]
fn functions_are_measured_as_rustfmt_writes_them() {
    let text = "fn one() {}\n\nimpl A {\n    pub(super) async fn two(\n        a: u8,\n    ) {\n        b();\n    }\n\n    fn three(&self) -> u8;\n}\n\
        fn four() { a() }\n// fn five\nfn six() {\n    let a = |b| {\n        c\n    };\n}\n";
    let found: Vec<_> = functions(text).into_iter().map(|(_, name, length)| (name, length)).collect();
    let wanted = [("one", 1), ("two", 5), ("three", 1), ("four", 1), ("six", 5)];
    assert_eq!(found, wanted.map(|(name, length)| (name.to_owned(), length)));
}
