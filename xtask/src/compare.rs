//! The comparison: random sequences of L2's commands on a real Redis Cluster and as the simulator applies them.
//!
//! The comparison itself is `lab-server/tests/commands.rs`; here it is run for as long as one likes.

use crate::{command, workspace::Workspace};

pub(crate) const AFTER_HELP: &str = "\
Each sequence draws commands, tokens, versions, contents and times to live from its seed, for three keys. The replies are
compared, and in the end what the keys hold and for how much longer. The tests run a share of it; 10000 sequences take
less than a minute.";

/// How much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Sequences
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    sequences: u32,
    /// Where their chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the comparison; fails where a reply differs.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let (sequences, seed) = (options.sequences.to_string(), options.seed.to_string());
    let compare =
        ["test", "--quiet", "--package", "lab-server", "--test", "commands", "--", "--count", &sequences];
    command::run(workspace.cargo(compare).args(["--seed", &seed]))
}
