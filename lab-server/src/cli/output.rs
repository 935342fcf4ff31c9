//! What a command prints. Standard output is its result: what could not be written there is an error, told at the end
//! (or where a command asks, with [`check`]), and a reader that has seen enough (`lab scenarios | head`) ends it
//! without a word. Standard error is for people: where it is closed or full there is nobody to tell.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

use super::CliError;

/// Prints a line on standard output.
macro_rules! say {
    ($($line:tt)*) => { $crate::cli::output::say(format_args!($($line)*)) };
}

/// Prints a line on standard error.
macro_rules! note {
    ($($line:tt)*) => { $crate::cli::output::note(format_args!($($line)*)) };
}

/// Why standard output takes no more, once it does not.
static BROKEN: OnceLock<io::Error> = OnceLock::new();

pub(super) fn say(line: fmt::Arguments<'_>) {
    if BROKEN.get().is_none() {
        written(write_line(&mut io::stdout().lock(), line));
    }
}

/// Keeps the first failure of standard output.
pub(super) fn written(result: io::Result<()>) {
    if let Err(error) = result {
        // Where another thread was first, its error is as good.
        let _ = BROKEN.set(error);
    }
}

pub(super) fn note(line: fmt::Arguments<'_>) {
    // `eprintln!` would panic here, and take the command's clean-up with it.
    let _ = write_line(&mut io::stderr().lock(), line);
}

fn write_line(stream: &mut impl Write, line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(stream, "{line}")?;
    stream.flush()
}

/// Whether everything that was said has been written: a command that goes on for long asks before it does.
pub(super) fn check() -> Result<(), CliError> {
    match BROKEN.get() {
        None => Ok(()),
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::Unread),
        Some(error) => {
            let error =
                error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            Err(CliError::Io("write to standard output".to_owned(), error))
        }
    }
}

/// Whether a command's whole result was written. A reader that left early has what it wanted.
pub(super) fn finish() -> Result<(), CliError> {
    match check() {
        Err(CliError::Unread) => Ok(()),
        finished => finished,
    }
}
