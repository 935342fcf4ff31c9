//! The harness's temporary directory: made at the start, removed at the end. A process that was killed leaves
//! its own behind; the next start sweeps it.

use std::fs::{self, File};
use std::path::Path;
use std::process;

use tempfile::TempDir;

use super::error::HarnessError;
use super::process::Account;
use super::{base, private, shared_memory};

const PREFIX: &str = "cache-lab-";

/// Where the data directories of PostgreSQL lie.
pub(crate) const POSTGRES: &str = "postgres";

/// Held locked while the owner lives, so that a sweep in another process (or another container, where our pid
/// means nothing) leaves the directory alone.
const LOCK_FILE: &str = "owner.lock";

/// A temporary directory that the servers' account may pass through, and nobody else, and that goes when this value
/// goes.
pub(crate) struct Directory {
    // Removed first, the lock is let go after.
    directory: TempDir,
    _lock: File,
}

impl Directory {
    /// Sweeps what dead processes left, then makes a new directory.
    pub(crate) fn create(account: Option<&Account>) -> Result<Self, HarnessError> {
        let base = base::directory(account)?;
        sweep(&base);
        base::check_room(&base)?;
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", process::id()))
            .tempdir_in(&base)
            .and_then(|directory| private::let_pass(directory.path(), account).map(|()| directory))
            .map_err(|error| base::unusable(&base, &error))?;
        let locking = || HarnessError::io(format!("lock {}", directory.path().display()));
        let lock = File::create(directory.path().join(LOCK_FILE)).map_err(locking())?;
        lock.lock().map_err(locking())?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories of processes that are gone. A directory that cannot be removed now (another user's,
/// or servers still dying in it) waits for the next sweep.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if owner(&path).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
            && File::open(path.join(LOCK_FILE)).is_ok_and(|lock| lock.try_lock().is_ok())
        {
            shared_memory::free(&path.join(POSTGRES));
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The pid in the directory's name.
fn owner(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    name.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_the_dead_and_spares_the_living() {
        let base = tempfile::tempdir().expect("a temporary directory");
        // Larger than any pid that Linux gives out.
        let dead = base.path().join(format!("{PREFIX}4194305-x"));
        let locked = base.path().join(format!("{PREFIX}4194306-x"));
        let living = base.path().join(format!("{PREFIX}{}-x", process::id()));
        for directory in [&dead, &locked, &living] {
            fs::create_dir(directory).expect("a directory");
            File::create(directory.join(LOCK_FILE)).expect("a lock file");
        }
        let held = File::open(locked.join(LOCK_FILE)).expect("the lock file");
        held.lock().expect("the lock");
        sweep(base.path());
        assert!(!dead.exists());
        assert!(locked.exists());
        assert!(living.exists());
    }
}
