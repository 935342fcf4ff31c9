//! The harness's temporary directory: made at the start, removed at the end. A process that was killed leaves
//! its own behind; the next start sweeps it.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;

use tempfile::TempDir;

use super::error::HarnessError;
use super::process::Account;
use super::{private, shared_memory};

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
        let base = base_directory();
        sweep(&base);
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", process::id()))
            .tempdir_in(&base)
            .and_then(|directory| private::let_pass(directory.path(), account).map(|()| directory))
            .map_err(HarnessError::io(format!("make a temporary directory in {}", base.display())))?;
        let locking = || HarnessError::io(format!("lock {}", directory.path().display()));
        let lock = File::create(directory.path().join(LOCK_FILE)).map_err(locking())?;
        lock.lock().map_err(locking())?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// The system's temporary directory, or `/tmp` where PostgreSQL's own user could not reach that one (as when
/// `TMPDIR` lies in root's home).
fn base_directory() -> PathBuf {
    let base = env::temp_dir();
    let open =
        |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0);
    if base.ancestors().all(open) { base } else { PathBuf::from("/tmp") }
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
