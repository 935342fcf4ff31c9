//! What is done when we die before we can clean up: killed, or told a second time to end. A shell waits for the
//! end of a pipe of which we hold the other end; then it ends our children, also those that are stopped or that a
//! wrapper has started, and removes our directory.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = include_str!("last_will.sh");

/// Where the few programs of the script are.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A will that comes into force when this value goes, unless it is revoked.
pub(crate) struct LastWill(Child);

impl LastWill {
    /// Writes it for a directory whose path has no link in it. The shell stays in that directory, whatever is put in
    /// its place later, and holds the lock until it has done its work.
    pub(crate) fn write(directory: &Path, lock: &File) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "last-will"]).arg(directory).current_dir(directory);
        shell.env_clear().env("LC_ALL", "C").env("PATH", PATH);
        // A group of its own: it survives a Ctrl-C, and a kill that strikes all of ours.
        shell.process_group(0).stdin(Stdio::piped()).stdout(lock.try_clone()?).stderr(Stdio::null());
        Ok(Self(shell.spawn()?))
    }

    /// There is nothing left for it to do.
    pub(crate) fn revoke(mut self) {
        // The only failure is that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
