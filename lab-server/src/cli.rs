//! The command line: what can be asked, and which exit code answers.
//!
//! * `scenarios`, `run`, `verify`, `recording`, `up`, `serve`: one command a file
//! * `batch`: many seeds of the simulator on every core; `stores`: real servers, started or named, and runs on them
//! * `named`: which servers were named, by options or in the environment
//! * `interrupt`: Ctrl-C; `shell`: words of commands to copy
//! * `output`: the two streams; `text`: how a run is told to a person; `trace_file`: where its recording goes

#[macro_use]
mod output;
mod batch;
mod interrupt;
mod named;
mod recording;
mod run;
mod runtime;
mod scenarios;
mod serve;
mod shell;
mod stores;
mod text;
mod trace_file;
mod up;
mod verify;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use lab_core::report::WorldKind;
use lab_core::scenario::{Lang, ScenarioId};
use lab_core::world::WorldError;

use crate::api::listen::ListenError;
use crate::harness::HarnessError;
use crate::real::error::RunError;
use crate::real::remains::{self, Remains};
use named::NamedServers;

/// Cache Lab: see a tiered cache fail, find out why, and make it hold: in a simulator, and on a real Redis Cluster
/// and PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "lab", version, after_help = lessons(), after_long_help = format!("{EXAMPLES}\n{}", lessons()))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  lab scenarios
      What there is, with its policies and knobs.
  lab run invalidation-delay
      The first failure, in the simulator: it should fail.
  lab run invalidation-delay --policy acknowledged --seeds 200
      A fix, under 200 seeds.
  lab run thundering-herd --policy lease --world real
      The same body on real servers, which the lab starts and ends.
  lab run stampede-lock --set requests=50 --json --trace run.jsonl
      Another size; the report as JSON, every event in a file.
  lab run thundering-herd --policy lease --world real --seeds 2000
      Two thousand real runs in a row on one set of servers.
  lab verify --world both --seeds 200
      That every red is red and every green is green, in both worlds.
  LAB_REDIS=redis://host:7000 LAB_POSTGRES=postgresql://user@host/db lab run stampede-lock --world real
      On servers that somebody else runs; PGPASSWORD, PGPASSFILE and REDISCLI_AUTH hold their passwords.
  lab recording check run.jsonl
      Whether a recorded run is whole.

Exit codes:
  0    the goal held under every seed
  1    it did not
  2    wrong usage
  3    there is no verdict, or not all of it: the world could not be had, broke or refused; or there is one, and
       something was left behind, which is told
  130  interrupted (143 by SIGTERM, 129 by SIGHUP)
";

#[derive(Debug, Subcommand)]
enum Command {
    /// List the scenarios: what each shows, its policies and its knobs
    Scenarios(scenarios::Options),
    /// Run a scenario and say whether its goal held
    Run(run::Options),
    /// Check that every red is red and every green is green: the table of all scenarios and policies
    Verify(verify::Options),
    /// Say what a recorded run is, and whether it is whole
    Recording(recording::Options),
    /// Start a real Redis Cluster and PostgreSQL, and keep them until Ctrl-C
    Up,
    /// Serve the API that runs scenarios on real servers, and the built lab
    Serve(serve::Options),
}

/// Which world a scenario runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum WorldChoice {
    /// The simulator: virtual time, the same run for the same seed
    #[default]
    Sim,
    /// A real Redis Cluster and PostgreSQL
    Real,
}

impl From<WorldChoice> for WorldKind {
    fn from(choice: WorldChoice) -> Self {
        match choice {
            WorldChoice::Sim => Self::Sim,
            WorldChoice::Real => Self::Real,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// It was asked for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// Its arguments are wrong, and that was told.
    #[error("wrong usage")]
    Misread,
    /// The real servers could not be had.
    #[error("{0}")]
    Servers(#[from] HarnessError),
    /// A run in the simulator did not come to its end.
    #[error("{0}")]
    World(#[from] WorldError),
    /// A run on real servers did not come to its end.
    #[error("{0}")]
    Run(#[from] RunError),
    /// A run on real servers is over and was told, but not everything that it had brought was taken away.
    #[error("the run is over, but then the lab could not clean up:\n{}", remains::list(.0))]
    Left(Vec<Remains>),
    /// Some runs of many have no verdict; why, has been told of each.
    #[error("{0} of {1} have no verdict")]
    NoVerdicts(u32, u32),
    /// Some of it could not be done in this world; the rest was as it should be.
    #[error("not everything was run: {0}")]
    Incomplete(String),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// Whoever read standard output has seen enough.
    #[error("nobody reads the output any more")]
    Unread,
    /// The port or the address cannot be had.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// Somebody pressed Ctrl-C, or sent a signal that asks for the end.
    #[error("interrupted")]
    Interrupted {
        /// The exit code that says so.
        code: u8,
    },
}

impl CliError {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Misread => 2,
            Self::Servers(_)
            | Self::World(_)
            | Self::Run(_)
            | Self::Left(_)
            | Self::NoVerdicts(..)
            | Self::Incomplete(_)
            | Self::Io(..)
            | Self::Listen(_) => 3,
            // As of a command that SIGPIPE ended.
            Self::Unread => 141,
            Self::Interrupted { code } => *code,
        }
    }
}

/// Whether what was asked for held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match done(Cli::try_parse()) {
        Ok(Held::Yes) => ExitCode::SUCCESS,
        Ok(Held::No) => ExitCode::from(1),
        Err(error) => {
            if !matches!(error, CliError::Misread | CliError::Unread) {
                note!("error: {error}");
            }
            ExitCode::from(error.code())
        }
    }
}

/// Does what was asked, and makes sure that its result was written.
fn done(cli: Result<Cli, clap::Error>) -> Result<Held, CliError> {
    let held = match cli {
        Ok(cli) => obey(cli.command)?,
        Err(error) if error.use_stderr() => {
            // As for every line there: if it cannot be written there is nobody to tell.
            let _ = error.print();
            return Err(CliError::Misread);
        }
        Err(help) => {
            output::written(help.print());
            Held::Yes
        }
    };
    output::finish()?;
    Ok(held)
}

fn obey(command: Command) -> Result<Held, CliError> {
    match command {
        Command::Scenarios(options) => {
            scenarios::run(&options);
            Ok(Held::Yes)
        }
        Command::Run(options) => run::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Recording(options) => recording::run(&options),
        Command::Up => up::run(),
        Command::Serve(options) => serve::run(options),
    }
}

/// The seeds that one command may try.
const SEEDS_MAX: u32 = 1_000_000;

/// Reads how many seeds to try.
fn seed_count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=SEEDS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {SEEDS_MAX}"))
}

/// What each scenario shows, for the help.
fn lessons() -> String {
    let mut text = "Scenarios:\n".to_owned();
    for id in ScenarioId::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {id}\n      {}", id.words(Lang::En).goal());
    }
    text
}
