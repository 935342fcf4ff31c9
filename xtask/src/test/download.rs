//! What a first visit to the lab downloads: the wasm and the JavaScript of `dist/`, as they travel.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::{command, workspace::Workspace};

use super::stages::Report;

/// The budget of the first visit, after brotli.
const BYTES_MAX: u64 = 600_000;

/// Node brings brotli, and the lab needs Node anyway.
const BROTLI_LENGTH: &str = "
const { readFileSync } = require('node:fs');
const { brotliCompressSync } = require('node:zlib');
for (const path of process.argv.slice(1)) console.log(brotliCompressSync(readFileSync(path)).length);
";

/// Prints the size of every downloaded file, raw and after brotli, and fails above the budget.
pub(super) fn size(workspace: &Workspace) -> anyhow::Result<Report> {
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
    let mut raw_total = 0;
    for (path, compressed) in paths.iter().zip(&compressed) {
        let raw = fs::metadata(path).with_context(|| format!("could not look at {}", path.display()))?.len();
        raw_total += raw;
        println!("{raw:>10}  {compressed:>10}  {}", path.strip_prefix(&dist).unwrap_or(path).display());
    }
    let total: u64 = compressed.iter().sum();
    println!("{raw_total:>10}  {total:>10}  together, of {BYTES_MAX} after brotli");
    ensure!(total <= BYTES_MAX, "a first visit downloads {total} bytes after brotli, more than {BYTES_MAX}");
    Ok(Report {
        result: format!("{} kB, after brotli {} kB", raw_total / 1000, total / 1000),
        lines: Vec::new(),
    })
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
