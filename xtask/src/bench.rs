//! The benchmarks: what the lab costs, each figure beside its limit and a baseline from the same run.
//!
//! They print; they do not judge, since a figure depends on the machine and on what else it does. The measuring is
//! done in `lab-core/benches` and `e2e/measure.mjs`; here they are built and run, and what they print becomes one
//! [`table`].

mod browser;
mod table;

use std::{fs, thread};

use anyhow::Context as _;

use crate::{
    command,
    setup::{self, Purpose},
    test::download,
    workspace::Workspace,
};

use self::table::{Figure, Table};

pub(crate) const AFTER_HELP: &str = "\
What is measured:
  L1 hit       TieredCache::get beside a bare quick_cache lookup with a deadline check, on one thread and on two
  step         the simulator on the unprotected herd (1000 clients, full trace), beside a bare executor
  in wasm      the same herds and the same bare executor in headless Chromium, in rounds that alternate with the
               native ones; built like the page (profile `wasm`, wasm-bindgen, then wasm-opt with the options of
               index.html)
  herd         the whole herd in the browser: set up, computed and judged; the first after loading, before the
               browser has optimised the code, and the later ones
  page step    one step of that herd drawn in dist/: the reducer and every change to the document, as the time of
               the page's thread, without the browser's own layout and paint; by the panel that is open
  first visit  all files of dist/ as they are sent; both are left out, and said so, when dist/ is not built

Nothing here fails because it is slow: run it on a quiet machine (it prints the load) and look at the table.";

/// Which benchmarks.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out what needs a browser
    #[arg(long)]
    native_only: bool,
}

/// Runs the benchmarks and prints the table.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut table = Table::new(&machine());
    if options.native_only {
        table.add(&bench(workspace, "simulator")?);
    } else {
        setup::run(workspace, Purpose::Everything, false)?;
        table.add(&browser::measure(workspace)?);
    }
    table.add(&bench(workspace, "local_hit")?);
    if workspace.path("dist/index.html").is_file() {
        let bytes = download::weigh(workspace)?.compressed;
        table.push(Figure::alone("first visit", bytes as f64 / 1000.0, "kB"));
    } else {
        println!("first visit: there is no dist/ to weigh; `cargo xtask test --only build` makes it");
    }
    println!("\n{table}");
    println!("load: {}", load());
    Ok(())
}

/// Runs one native benchmark and returns the lines in which it gives its figures.
fn bench(workspace: &Workspace, name: &str) -> anyhow::Result<Vec<String>> {
    command::run_keeping(
        workspace.cargo(["bench", "--package", "lab-core", "--bench", name]),
        table::is_figure,
    )
}

/// The machine that the figures come from.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let description = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = description
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("a processor that does not tell its name", |(_, model)| model);
    format!("{cores} cores, {model}; load before: {}", load())
}

/// How busy the machine is: processes that ran or wanted to, over the last 1, 5 and 15 minutes.
fn load() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = averages.split(' ').take(3).collect();
    if averages.len() == 3 { averages.join(" ") } else { "not known".to_owned() }
}

/// The program that cargo built for a benchmark, from the line in which it says so.
fn executable(workspace: &Workspace, mut build: std::process::Command) -> anyhow::Result<std::path::PathBuf> {
    build.env("CARGO_TERM_COLOR", "never");
    let line = command::command_line(&build);
    let said = command::run_keeping(build, |line| line.starts_with("Executable "))?;
    let path = said
        .iter()
        .find_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .with_context(|| format!("`{line}` did not say what it has built"))?;
    Ok(workspace.path(path))
}
