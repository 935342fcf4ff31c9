//! The benchmarks: what lab-core costs, each figure beside a baseline from the same run.
//!
//! They print; they do not judge, since a figure depends on the machine and on what else it does.

use crate::{command, workspace::Workspace};

/// Which benchmarks, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed to the benchmarks as they are: a part of a name, or criterion's own options
    #[arg(last = true)]
    passed_on: Vec<String>,
}

/// Runs the benchmarks natively.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut bench = workspace.cargo(["bench", "--package", "lab-core", "--bench", "*", "--"]);
    command::run(bench.args(&options.passed_on))
}
