//! The protections, as they stand in the source; and those that nothing can see, with the reason.

use std::path::{Path, PathBuf};

use super::fs;

/// Why leaving a protection out changes nothing.
pub(crate) type Equivalent = &'static str;

/// Protections whose absence changes nothing that was promised.
pub(crate) const EQUIVALENT: &[(&str, Equivalent)] = &[];

/// The name of every protection in the source, in the order of the files.
pub(crate) fn protections() -> Vec<&'static str> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = Vec::new();
    for file in files(&sources) {
        let text = fs::read_to_string(&file).expect("a source of ours");
        for rest in text.split("kept!(\"").skip(1) {
            let name = rest.split('"').next().expect("a name ends");
            if !names.contains(&name) {
                names.push(&*name.to_owned().leak());
            }
        }
    }
    names
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
