//! What a first visit to the lab downloads: the files of `dist/`, as `lab serve` sends them to any browser of today.
//!
//! The build compresses them (`lab-web/start/finish.mjs`); a file too small for that is sent as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::workspace::Workspace;

use super::stages::Report;

/// The budget of the first visit, as it travels.
pub(crate) const BYTES_MAX: u64 = 600_000;

/// What all files weigh together, in bytes.
pub(crate) struct FirstVisit {
    raw: u64,
    /// As they are sent.
    pub(crate) compressed: u64,
}

/// Prints the size of every downloaded file, raw and as it is sent, and fails above the budget.
pub(super) fn size(workspace: &Workspace) -> anyhow::Result<Report> {
    let FirstVisit { raw, compressed } = weigh(workspace)?;
    ensure!(compressed <= BYTES_MAX, "a first visit downloads {compressed} bytes, more than {BYTES_MAX}");
    Ok(Report { result: format!("{} kB, sent as {} kB", raw / 1000, compressed / 1000), lines: Vec::new() })
}

/// Prints the size of every downloaded file, raw and as it is sent, and adds them up.
pub(crate) fn weigh(workspace: &Workspace) -> anyhow::Result<FirstVisit> {
    weigh_files(&workspace.path("dist"))
}

fn weigh_files(dist: &Path) -> anyhow::Result<FirstVisit> {
    let mut paths =
        downloaded(dist).context("there is no build to measure: cargo xtask test --only build size")?;
    paths.sort();
    println!("{:>10}  {:>10}  file", "raw", "sent");
    let mut together = FirstVisit { raw: 0, compressed: 0 };
    for path in &paths {
        let raw = length(path)?;
        let brotli = beside(path, "br");
        let sent = if brotli.is_file() { length(&brotli)? } else { raw };
        let is_module = path.extension().is_some_and(|extension| extension == "wasm");
        ensure!(
            !is_module || brotli.is_file(),
            "dist/ is not compressed, so it is no release build: cargo xtask test --only build size"
        );
        together.raw += raw;
        together.compressed += sent;
        println!("{raw:>10}  {sent:>10}  {}", path.strip_prefix(dist).unwrap_or(path).display());
    }
    println!("{:>10}  {:>10}  together, of {BYTES_MAX}", together.raw, together.compressed);
    Ok(together)
}

/// The files that a browser asks for; the build puts no directory into `dist/`.
fn downloaded(dist: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dist).with_context(|| format!("could not read {}", dist.display()))? {
        let path = entry.with_context(|| format!("could not read {}", dist.display()))?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension != "br" && extension != "gz")
        {
            paths.push(path);
        }
    }
    ensure!(paths.iter().any(|path| path.ends_with("index.html")), "{} has no page", dist.display());
    Ok(paths)
}

fn length(path: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("could not look at {}", path.display()))?.len())
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_weighed() {
        let dist = std::env::temp_dir().join(format!("xtask-download-{}", std::process::id()));
        fs::create_dir_all(&dist).expect("a directory");
        let write = |name: &str, length: usize| fs::write(dist.join(name), vec![0; length]).expect("a file");
        write("index.html", 700);
        write("lab.wasm", 1000);
        assert!(weigh_files(&dist).is_err(), "an unoptimised build is weighed");
        write("index.html.br", 70);
        write("index.html.gz", 80);
        write("lab.wasm.br", 100);
        write("lab.wasm.gz", 200);
        write("worker.js", 30);
        let weighed = weigh_files(&dist).expect("a release build");
        assert_eq!((weighed.raw, weighed.compressed), (1730, 200));
        fs::remove_dir_all(&dist).expect("the directory is ours");
    }
}
