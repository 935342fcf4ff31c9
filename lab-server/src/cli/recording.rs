//! `lab recording`: what a file says that was recorded with `lab run --trace`, for scripts and CI.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lab_core::recording::{BYTES_MAX, Recording};
use lab_core::report::WorldKind;

use super::{CliError, Held};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say which run a recording is of, and whether it is whole (exit code 0) or not (1, with the reason)
    Check {
        /// What `lab run --trace FILE` wrote; - is standard input
        file: PathBuf,
    },
}

pub(super) fn run(options: &Options) -> Result<Held, CliError> {
    let Command::Check { file } = &options.command;
    let bytes = read(file).map_err(|error| CliError::Io(format!("read {}", file.display()), error))?;
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) => Recording::read(text).map_err(|error| error.to_string()),
        Err(_) => Err("it is no text".to_owned()),
    };
    match read {
        Ok(recording) => {
            say!("{}: {}", file.display(), told(&recording));
            Ok(Held::Yes)
        }
        Err(why) => {
            note!("{} is no whole recording: {why}", file.display());
            Ok(Held::No)
        }
    }
}

/// All of a file, or one byte more than a recording can have.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = BYTES_MAX as u64 + 1;
    if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn told(recording: &Recording) -> String {
    let Recording { spec, world, unfinished, trace } = recording;
    let scenario = spec.scenario.scenario();
    let world = match world {
        WorldKind::Sim => "in the simulator",
        WorldKind::Real => "on real servers",
    };
    let preset = scenario.presets.iter().find(|preset| (preset.policy)() == spec.policy);
    let policy = preset.map_or("one of its own", |preset| preset.name);
    let (events, digest) = (trace.events.len(), trace.digest());
    let end = unfinished.as_ref().map_or_else(String::new, |why| format!("\nit has no verdict: {why}"));
    format!(
        "{}, policy {policy}, {world}, seed {}: {events} events, digest {digest:016x}{end}",
        scenario.slug, spec.seed
    )
}
