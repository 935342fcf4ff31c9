//! `cargo xtask`: the jobs of this repository that are more than one cargo command.
//!
//! Each job of CI is one `cargo xtask …`, so that a person can run exactly what CI runs. Nothing of the lab
//! itself lives here: this crate only installs tools ([`setup`]), starts programs ([`serve`]) and judges how
//! they ended ([`test`]). The map:
//!
//! - [`workspace`]: where things are, and the environment in which every command runs
//! - [`command`]: run a command, show its command line, say how it failed
//! - [`setup`]: what a machine lacks, and how to get it
//! - [`serve`], [`test`], [`bench`], [`soak`], [`compare`], [`mutants`]: the jobs

mod bench;
mod command;
mod compare;
mod mutants;
mod serve;
mod setup;
mod soak;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{setup::Purpose, workspace::Workspace};

/// Set up, open, test and measure Cache Lab.
///
/// A first visit needs one command: `cargo xtask serve`. It installs what is missing (and says so before it
/// does), builds the lab and opens it on localhost. `cargo xtask test` is what CI runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

const AFTER_HELP: &str = "\
Examples:
  cargo xtask serve                     open the lab on http://localhost:8080/
  cargo xtask test                      everything that CI checks
  cargo xtask test --list               the stages of the tests
  cargo xtask test --only clippy size   some of them, in their usual order
  cargo xtask soak --seeds 100000       random faults against every green policy
  cargo xtask mutants                   protections left out one at a time: who notices
  cargo xtask compare                   random commands, on a real Redis and in the simulator
  cargo xtask bench                     what the lab costs, natively and in the browser

Tools are kept in .tools/ (and, for other clones on this machine, in the user's cache directory). To use them
without xtask: export PATH=\"$PWD/.tools/bin:$PATH\"";

#[derive(Subcommand)]
enum Job {
    /// Install what this machine lacks to build, serve and test the lab
    ///
    /// Debian packages by apt-get (as root or with sudo), the wasm32 target by rustup, trunk, wasm-bindgen and
    /// wasm-pack at pinned versions into .tools/, and what e2e/package-lock.json names by npm. It lists all of
    /// it first; when nothing is missing it returns at once, without the network.
    Setup {
        /// Only show what is missing
        #[arg(long)]
        dry_run: bool,
    },
    /// Open the lab on localhost, with the real servers behind it
    Serve(serve::Options),
    /// Run every check that CI runs, stage by stage
    Test(test::Options),
    /// Measure what the lab costs, each figure beside its limit and a baseline of the same run
    #[command(after_help = bench::AFTER_HELP)]
    Bench(bench::Options),
    /// Look for a run in which a green policy does not keep its promise
    #[command(after_help = soak::AFTER_HELP)]
    Soak(soak::Options),
    /// Leave each protection out, one at a time, and see who notices
    #[command(after_help = mutants::AFTER_HELP)]
    Mutants(mutants::Options),
    /// Hold the simulator's Redis against a real one
    #[command(after_help = compare::AFTER_HELP)]
    Compare(compare::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("       {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(job: Job) -> anyhow::Result<()> {
    let workspace = Workspace::locate()?;
    match job {
        Job::Setup { dry_run } => setup::run(&workspace, Purpose::Everything, dry_run),
        Job::Serve(options) => serve::run(&workspace, &options),
        Job::Test(options) => test::run(&workspace, &options),
        Job::Bench(options) => bench::run(&workspace, &options),
        Job::Soak(options) => soak::run(&workspace, &options),
        Job::Mutants(options) => mutants::run(&workspace, &options),
        Job::Compare(options) => compare::run(&workspace, &options),
    }
}
