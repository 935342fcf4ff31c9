//! The soak: random clients and random faults against every policy that is called green, under many seeds.
//!
//! The runs are made by `lab-core/examples/soak.rs`; here it is built for speed and run.

use crate::{command, workspace::Workspace};

pub(crate) const AFTER_HELP: &str = "\
Each run draws clients, rows and faults (slow, cut and black-holed links, killed servers) from its seed, and is held
against what the policy promises. Of a promise that breaks, the smallest plan that still breaks it is printed. The tests
run a share of it; 100000 seeds take some minutes a policy on two cores.";

/// How much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seeds a policy
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    seeds: u64,
}

/// Runs the soak; fails where a promise broke.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let seeds = options.seeds.to_string();
    let soak = ["run", "--release", "--quiet", "--package", "lab-core", "--example", "soak", "--", &seeds];
    command::run(&mut workspace.cargo(soak))
}
