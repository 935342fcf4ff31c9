//! The stages themselves, in the order in which they run: the quickest to fail first.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::{
    command, mutants,
    setup::debian,
    workspace::{QUICK_RELEASE, Workspace},
};

use super::download;

/// One stage of the tests.
pub(super) struct Stage {
    /// How `--only` names it.
    pub(super) name: &'static str,
    /// What it makes sure of.
    pub(super) goal: &'static str,
    /// Runs it.
    pub(super) run: fn(&Workspace) -> anyhow::Result<Report>,
}

/// What a stage that passed has to say.
pub(super) struct Report {
    /// A few words for the table.
    pub(super) result: String,
    /// Lines of its output that are worth repeating at the end.
    pub(super) lines: Vec<String>,
}

impl Default for Report {
    fn default() -> Self {
        Self { result: "ok".to_owned(), lines: Vec::new() }
    }
}

/// All stages.
pub(super) const STAGES: &[Stage] = &[
    Stage { name: "lock", goal: "Cargo.lock is what the manifests ask for", run: lock },
    Stage { name: "fmt", goal: "the code is formatted", run: fmt },
    Stage { name: "clippy", goal: "no lint in the native crates", run: clippy },
    Stage { name: "clippy-wasm", goal: "no lint in what the browser runs", run: clippy_wasm },
    Stage { name: "test", goal: "the native tests, on real servers where they ask for them", run: test },
    Stage { name: "mutants", goal: "some property notices when a protection is left out", run: mutants },
    Stage { name: "wasm-core", goal: "the same digests in wasm as natively", run: wasm_core },
    Stage { name: "wasm-web", goal: "the tests of the page, in headless Chromium", run: wasm_web },
    Stage { name: "build", goal: "the release build of the page, into dist/", run: build },
    Stage { name: "size", goal: "a first visit downloads at most 600 kB", run: download::size },
    Stage { name: "e2e", goal: "a person's way through the built lab, in a real browser", run: e2e },
];

fn lock(workspace: &Workspace) -> anyhow::Result<Report> {
    let mut metadata = workspace.cargo(["metadata", "--locked", "--format-version", "1"]);
    command::run(metadata.stdout(Stdio::null()))
        .context("commit the Cargo.lock that `cargo check` writes")?;
    Ok(Report::default())
}

fn fmt(workspace: &Workspace) -> anyhow::Result<Report> {
    // `cargo fmt` follows `mod`, and does not see the modules that a macro declares.
    let mut find = workspace.command("find");
    find.args(["lab-core", "lab-server", "lab-web", "xtask", "-name", "*.rs"]);
    command::run(find.args(["-exec", "rustfmt", "--check", "{}", "+"]))
        .context("the same command without `--check` mends this")?;
    Ok(Report::default())
}

fn clippy(workspace: &Workspace) -> anyhow::Result<Report> {
    let mut clippy = workspace.cargo(["clippy", "--workspace", "--exclude", "lab-web", "--all-targets"]);
    command::run(clippy.args(["--", "--deny", "warnings"]))?;
    Ok(Report::default())
}

fn clippy_wasm(workspace: &Workspace) -> anyhow::Result<Report> {
    let mut clippy =
        workspace.cargo(["clippy", "--package", "lab-web", "--package", "lab-core", "--all-targets"]);
    command::run(clippy.args(["--target", "wasm32-unknown-unknown", "--", "--deny", "warnings"]))?;
    Ok(Report::default())
}

fn test(workspace: &Workspace) -> anyhow::Result<Report> {
    let tests = workspace.cargo(["test", "--workspace", "--exclude", "lab-web"]);
    count_tests(tests)
}

fn mutants(workspace: &Workspace) -> anyhow::Result<Report> {
    command::run(mutants::table(workspace).arg("--quick"))?;
    Ok(Report::default())
}

/// Runs the tests and counts them. No test at all is a failure: a stage that checks nothing must not look green.
fn count_tests(tests: Command) -> anyhow::Result<Report> {
    let line = command::command_line(&tests);
    let lines = command::run_keeping(tests, is_summary)?;
    let passed = passed(&lines);
    ensure!(passed > 0, "`{line}` ran no test");
    Ok(Report { result: format!("{passed} passed"), lines })
}

/// The lines of cargo test that tell which tests ran and how they ended.
fn is_summary(line: &str) -> bool {
    ["Running unittests ", "Running tests/", "Doc-tests ", "running ", "test result: "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Adds up `test result: ok. 12 passed; …`.
pub(super) fn passed(lines: &[String]) -> u64 {
    lines
        .iter()
        .filter_map(|line| {
            line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse::<u64>().ok()
        })
        .sum()
}

fn wasm_core(workspace: &Workspace) -> anyhow::Result<Report> {
    let mut tests = wasm_pack_test(workspace);
    // Thousands of runs are computed here, which an unoptimised build would take minutes for.
    tests.args(["--release", "lab-core", "--test", "determinism"]).envs(QUICK_RELEASE);
    count_tests(tests)
}

fn wasm_web(workspace: &Workspace) -> anyhow::Result<Report> {
    let mut tests = wasm_pack_test(workspace);
    tests.arg("lab-web");
    count_tests(tests)
}

/// `wasm-pack test` in headless Chromium; the crate to test is still to be added.
fn wasm_pack_test(workspace: &Workspace) -> Command {
    let mut tests = workspace.command("wasm-pack");
    tests.args(["test", "--mode", "no-install", "--headless", "--chrome"]);
    // The runner gives up after 20 s unless told otherwise, which a busy machine exceeds.
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", "600");
    tests
}

fn build(workspace: &Workspace) -> anyhow::Result<Report> {
    command::run(workspace.command("trunk").args(["build", "--release"]))?;
    Ok(Report::default())
}

fn e2e(workspace: &Workspace) -> anyhow::Result<Report> {
    for (path, mend) in [
        ("dist/index.html", "build the page first: cargo xtask test --only build e2e"),
        ("e2e/run.mjs", "the end-to-end test is missing"),
    ] {
        ensure!(workspace.path(path).is_file(), "there is no {path}: {mend}");
    }
    let browser = debian::browser(workspace).context("there is no Chromium: cargo xtask setup")?;
    command::run(&mut workspace.cargo(["build", "--package", "lab-server", "--bin", "lab"]))?;
    let mut run = workspace.command("node");
    run.arg("e2e/run.mjs").env("CHROMIUM", browser).env("LAB", workspace.target_dir().join("debug/lab"));
    command::run(&mut run).context("screenshots and the browser's messages are in test-results/")?;
    Ok(Report::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_cargo_test_is_kept_and_added_up() {
        let output = "   Compiling lab-core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/lab_core-1)
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests lab_core
running 1 test
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s";
        let kept: Vec<String> =
            output.lines().map(str::trim).filter(|line| is_summary(line)).map(String::from).collect();
        assert_eq!(kept.len(), 6);
        assert_eq!(passed(&kept), 3);
    }
}
