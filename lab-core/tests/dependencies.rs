//! lab-core reaches no clock, no entropy and no runtime through its dependencies either, and nothing of the operating system
//! by itself.

use std::fs;
use std::path::Path;
use std::process::Command;

const FORBIDDEN: [&str; 8] =
    ["getrandom", "tokio", "mio", "js-sys", "web-sys", "web-time", "chrono", "parking_lot"];

#[test]
fn nothing_in_the_tree_reads_time_or_draws_entropy() {
    for target in ["wasm32-unknown-unknown", "x86_64-unknown-linux-gnu"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--package", "lab-core", "--edges", "normal", "--prefix", "none", "--offline"])
            .args(["--target", target])
            .output()
            .expect("cargo can be run");
        let text = String::from_utf8_lossy(&tree.stdout);
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        assert!(text.contains("quick_cache"), "the tree is not lab-core's: {text}");
        let found =
            text.lines().filter_map(|line| line.split(' ').next()).find(|name| FORBIDDEN.contains(name));
        assert_eq!(found, None, "lab-core must not depend on it, on {target}");
    }
}

/// What of the standard library reaches out of the process, or starts something beside it.
const OUTSIDE: [&str; 5] = ["std::env", "std::fs", "std::net", "std::process", "std::thread"];

#[test]
fn no_source_reaches_for_the_operating_system() {
    let mut read = 0;
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            // What only tests do is no part of a run.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                let found = OUTSIDE.iter().find(|outside| line.contains(*outside));
                assert_eq!(found, None, "{}: {line}", path.display());
                assert!(
                    !line.contains("std::{"),
                    "{}: one module a line, so that this test sees it",
                    path.display()
                );
            }
            read += 1;
        }
    }
    assert!(read > 50, "only {read} files were read");
}
