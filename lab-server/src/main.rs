//! The command line of the lab: see `lab --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_server::cli::main()
}
