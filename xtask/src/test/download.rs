//! What a first visit to the lab downloads: the wasm and the JavaScript of `dist/`, as they travel.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::{command, workspace::Workspace};

use super::stages::Report;

/// The budget of the first visit, after brotli.
pub(crate) const BYTES_MAX: u64 = 600_000;

/// Node brings brotli, and the lab needs Node anyway.
const BROTLI_LENGTH: &str = "
const { readFileSync } = require('node:fs');
const { brotliCompressSync } = require('node:zlib');
for (const path of process.argv.slice(1)) console.log(brotliCompressSync(readFileSync(path)).length);
";

/// What all files weigh together, in bytes.
pub(crate) struct FirstVisit {
    raw: u64,
    /// After brotli.
    pub(crate) compressed: u64,
}

/// Prints the size of every downloaded file, raw and after brotli, and fails above the budget.
pub(super) fn size(workspace: &Workspace) -> anyhow::Result<Report> {
    let FirstVisit { raw, compressed } = weigh(workspace)?;
    ensure!(
        compressed <= BYTES_MAX,
        "a first visit downloads {compressed} bytes after brotli, more than {BYTES_MAX}"
    );
    Ok(Report {
        result: format!("{} kB, after brotli {} kB", raw / 1000, compressed / 1000),
        lines: Vec::new(),
    })
}

/// Prints the size of every downloaded file, raw and after brotli, and adds them up.
pub(crate) fn weigh(workspace: &Workspace) -> anyhow::Result<FirstVisit> {
    let dist = workspace.path("dist");
    let mut paths = Vec::new();
    collect_code(&dist, &mut paths)
        .context("there is no build to measure: cargo xtask test --only build size")?;
    paths.sort();
    ensure!(!paths.is_empty(), "dist/ has no wasm and no JavaScript: cargo xtask test --only build size");

    let answer = command::ask(workspace.command("node").args(["--eval", BROTLI_LENGTH, "--"]).args(&paths))
        .context("node could not compress the files of dist/")?;
    let compressed: Vec<u64> = answer.lines().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(compressed.len() == paths.len(), "node measured {} of {} files", compressed.len(), paths.len());

    println!("{:>10}  {:>10}  file", "raw", "brotli");
    let mut together = FirstVisit { raw: 0, compressed: compressed.iter().sum() };
    for (path, compressed) in paths.iter().zip(&compressed) {
        let raw = fs::metadata(path).with_context(|| format!("could not look at {}", path.display()))?.len();
        together.raw += raw;
        println!("{raw:>10}  {compressed:>10}  {}", path.strip_prefix(&dist).unwrap_or(path).display());
    }
    println!("{:>10}  {:>10}  together, of {BYTES_MAX} after brotli", together.raw, together.compressed);
    Ok(together)
}

/// Adds all wasm and JavaScript under the directory.
fn collect_code(directory: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("could not read {}", directory.display()))? {
        let path = entry.with_context(|| format!("could not read {}", directory.display()))?.path();
        if path.is_dir() {
            collect_code(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "wasm" || extension == "js") {
            paths.push(path);
        }
    }
    Ok(())
}
