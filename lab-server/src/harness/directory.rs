//! The harness's temporary directory: made at the start, removed at the end with whatever still lives in it. If we
//! cannot do that ourselves, our last will does; what is left even so, the next start sweeps (`sweep`).

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use rustix::fs::OFlags;

use super::error::HarnessError;
use super::last_will::LastWill;
use super::mark::Mark;
use super::process::{Account, settle};
use super::{base, private, shared_memory};

pub(crate) const PREFIX: &str = "cache-lab-";

/// Where the data directories of PostgreSQL lie.
pub(crate) const POSTGRES: &str = "postgres";

/// Held locked while the owner or its last will lives, so that a sweep in another process leaves the directory
/// alone. Pids would not do: they are given out again, and mean nothing in another container.
pub(crate) const LOCK_FILE: &str = "owner.lock";

/// How long killed processes may take to be gone. Only one that waits for a broken disk takes longer.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Which directory a path led to: it may lead to another later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    owner: u32,
}

impl Identity {
    pub(crate) fn of(directory: &Metadata) -> Self {
        Self { device: directory.dev(), inode: directory.ino(), owner: directory.uid() }
    }
}

/// A temporary directory that the servers' account may pass through, and nobody else, and that goes when this value
/// goes.
pub(crate) struct Directory {
    /// With no link in it.
    path: PathBuf,
    identity: Identity,
    mark: Mark,
    /// Taken when dropped.
    last_will: Option<LastWill>,
    _lock: File,
}

impl Directory {
    /// Makes a new directory there.
    pub(crate) fn create(base: &Path, account: Option<&Account>) -> Result<Self, HarnessError> {
        base::check_room(base)?;
        let unusable = |error: io::Error| base::unusable(base, &error);
        let canonical = fs::canonicalize(base).map_err(unusable)?;
        let name = format!("{PREFIX}{}-", process::id());
        let directory = tempfile::Builder::new().prefix(&name).tempdir_in(canonical).map_err(unusable)?;
        private::let_pass(directory.path(), account).map_err(unusable)?;
        let identity = Identity::of(&fs::symlink_metadata(directory.path()).map_err(unusable)?);
        let lock = lock(directory.path()).map_err(unusable)?;
        let mark = Mark::create(directory.path()).map_err(unusable)?;
        let last_will = LastWill::write(directory.path(), &lock)
            .map_err(HarnessError::spawning("the shell that cleans up if the lab is killed"))?;
        Ok(Self { path: directory.keep(), identity, mark, last_will: Some(last_will), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// By which children are known.
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl Drop for Directory {
    /// If it cannot be done now, the last will goes on trying.
    fn drop(&mut self) {
        settle();
        if clear(&self.path, self.identity, GONE_WITHIN).is_ok()
            && let Some(last_will) = self.last_will.take()
        {
            last_will.revoke();
        }
    }
}

/// A lock that is held from the first moment that it can be seen.
fn lock(directory: &Path) -> io::Result<File> {
    let unseen = directory.join("owner.lock.new");
    let lock = File::create_new(&unseen)?;
    lock.lock()?;
    fs::rename(unseen, directory.join(LOCK_FILE))?;
    Ok(lock)
}

/// Ends whoever still lives for this directory, frees their shared memory, and removes it, the lock last: what
/// remains of a removal that was broken off is still known for what it is. Nothing is removed where the path leads to
/// another directory by now.
pub(crate) fn clear(directory: &Path, identity: Identity, gone_within: Duration) -> io::Result<()> {
    if !Mark::of(directory).end_all(gone_within) {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "a killed process is not gone"));
    }
    let opened = open(directory, identity)?;
    // Leads into what is open, wherever the path leads.
    let inside = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    shared_memory::free(&inside.join(POSTGRES));
    for entry in fs::read_dir(&inside)? {
        let entry = entry?;
        if entry.file_name() == LOCK_FILE {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    // One from which the lock is gone already is removed all the same.
    let _ = fs::remove_file(inside.join(LOCK_FILE));
    // Only an empty directory goes so.
    fs::remove_dir(directory)
}

/// Opens a directory if it is still the same.
fn open(directory: &Path, identity: Identity) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    let opened = File::options().read(true).custom_flags(flags).open(directory)?;
    if Identity::of(&opened.metadata()?) != identity {
        return Err(io::Error::other("another directory is in its place"));
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with a file in it.
    fn full(path: &Path) {
        fs::create_dir(path).expect("a directory");
        fs::write(path.join("file"), "").expect("a file");
    }

    #[test]
    fn what_was_put_in_the_place_of_a_directory_is_not_cleared() {
        let base = tempfile::tempdir().expect("a temporary directory");
        let [ours, away, other] = ["ours", "away", "other"].map(|name| base.path().join(name));
        full(&ours);
        full(&other);
        let identity = Identity::of(&fs::symlink_metadata(&ours).expect("it is there"));
        fs::rename(&ours, &away).expect("it is renamed");

        symlink(&other, &ours).expect("a link");
        clear(&ours, identity, GONE_WITHIN).expect_err("a link");
        assert!(other.join("file").exists(), "a link was followed");

        fs::remove_file(&ours).expect("the link");
        fs::rename(&other, &ours).expect("it is renamed");
        clear(&ours, identity, GONE_WITHIN).expect_err("another directory");
        assert!(ours.join("file").exists(), "another directory was emptied");

        clear(&away, identity, GONE_WITHIN).expect("it is the same under any name");
        assert!(!away.exists());
    }
}
