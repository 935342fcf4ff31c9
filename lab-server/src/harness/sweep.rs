//! Removes what labs have left that were killed together with their last wills. The temporary directory belongs
//! to everybody: only what is our own user's and dead is touched, no link is followed, nothing is waited for, and
//! no file is believed.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Uid, geteuid};
use tokio::sync::oneshot;

use super::directory::{Identity, LOCK_FILE, PREFIX, clear};

/// How long a start waits for the sweep. It goes on beside the start then.
const SWEPT_WITHIN: Duration = Duration::from_secs(3);

/// How long the survivors of a dead lab may take to be gone; otherwise they wait for the next sweep.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// A lab makes its lock at once: a directory that has none after this time is what remains of a removal.
const WITHOUT_LOCK: Duration = Duration::from_secs(10);

/// Sweeps this temporary directory, on a thread of its own: what hangs there, hangs nobody.
pub(crate) async fn sweep(base: &Path) {
    let base = base.to_owned();
    let (done, is_done) = oneshot::channel();
    let sweeping = thread::Builder::new().name("sweep".to_owned()).spawn(move || {
        if let Ok(base) = fs::canonicalize(base) {
            sweep_in(&base, geteuid());
        }
        // Whoever started it may not wait any more.
        let _ = done.send(());
    });
    // Without a thread for it, the next start sweeps.
    if sweeping.is_ok() {
        let _ = tokio::time::timeout(SWEPT_WITHIN, is_done).await;
    }
}

/// Removes the dead directories of this user. What cannot be removed now waits for the next sweep.
fn sweep_in(base: &Path, user: Uid) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        if is_a_labs(&entry.file_name()) {
            let path = entry.path();
            if let Some((identity, _lock)) = dead(&path, user) {
                let _ = clear(&path, identity, GONE_WITHIN);
            }
        }
    }
}

/// Whether a lab names its directory so: with its number. Other programs, and our own tests, begin theirs alike.
fn is_a_labs(name: &OsStr) -> bool {
    let number =
        name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')).map(|(number, _)| number);
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Proof that a directory is dead, to be kept until it is gone.
enum Dead {
    /// Nobody else held its lock: now we do.
    Locked {
        _lock: File,
    },
    WithoutLock,
}

/// Which directory was looked at, if it is dead.
fn dead(directory: &Path, user: Uid) -> Option<(Identity, Dead)> {
    let is_ours = |metadata: &Metadata| metadata.uid() == user.as_raw();
    let metadata = fs::symlink_metadata(directory).ok()?;
    if !metadata.is_dir() || !is_ours(&metadata) {
        return None;
    }
    let identity = Identity::of(&metadata);
    let mut options = File::options();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    match options.open(directory.join(LOCK_FILE)) {
        Ok(lock) => {
            let metadata = lock.metadata().ok()?;
            if !metadata.is_file() || !is_ours(&metadata) {
                return None;
            }
            match lock.try_lock() {
                Ok(()) => Some((identity, Dead::Locked { _lock: lock })),
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let age = metadata.modified().ok()?.elapsed().unwrap_or_else(|future| future.duration());
            (age > WITHOUT_LOCK).then_some((identity, Dead::WithoutLock))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::SystemTime;

    use super::*;

    struct Base(tempfile::TempDir);

    impl Base {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary directory"))
        }

        fn make(&self, name: &str) -> PathBuf {
            let path = self.0.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&path).expect("a directory");
            fs::create_dir(path.join("redis")).expect("a directory in it");
            path
        }

        fn locked(&self, name: &str) -> (PathBuf, File) {
            let path = self.make(name);
            let lock = File::create(path.join(LOCK_FILE)).expect("a lock file");
            (path, lock)
        }

        fn sweep(&self) {
            sweep_in(self.0.path(), geteuid());
        }
    }

    fn grow_old(directory: &Path) {
        let long_ago = SystemTime::now() - 2 * WITHOUT_LOCK;
        File::open(directory).and_then(|directory| directory.set_modified(long_ago)).expect("another time");
    }

    /// Whatever its name says: a number of a process can be given out again.
    #[test]
    fn a_sweep_takes_the_dead_and_spares_the_living() {
        let base = Base::new();
        let (dead, _) = base.locked(&format!("{}-dead", std::process::id()));
        let (living, lock) = base.locked("4194305-living");
        lock.lock().expect("the lock");
        base.sweep();
        assert!(!dead.exists());
        assert!(living.join("redis").exists());
    }

    #[test]
    fn what_has_lost_its_lock_is_swept_once_it_is_old() {
        let base = Base::new();
        let (old, new) = (base.make("4194305-old"), base.make("4194305-new"));
        let other = base.make("e2e-old");
        grow_old(&old);
        grow_old(&other);
        base.sweep();
        assert!(!old.exists());
        assert!(other.exists(), "no lab has made it");
        assert!(new.exists(), "its lab may be about to lock it");
    }

    /// Each hangs, fills the memory of or empties another directory of whoever believes it.
    #[test]
    fn nothing_is_believed_that_a_lab_does_not_make() {
        let base = Base::new();
        let fifo = base.make("4194305-fifo");
        let made = Command::new("mkfifo").arg(fifo.join(LOCK_FILE)).status().expect("mkfifo");
        assert!(made.success());
        let link = base.make("4194305-link");
        symlink("/dev/zero", link.join(LOCK_FILE)).expect("a link");
        let elsewhere = tempfile::tempdir().expect("a directory");
        File::create(elsewhere.path().join(LOCK_FILE)).expect("a lock file");
        let linked = base.0.path().join(format!("{PREFIX}4194305-linked"));
        symlink(elsewhere.path(), &linked).expect("a link");
        let (inside, _) = base.locked("4194305-inside");
        symlink(elsewhere.path(), inside.join("postgres")).expect("a link");
        assert!(dead(&linked, geteuid()).is_none(), "a link is no lab's directory");
        base.sweep();
        assert!(fifo.exists() && link.exists() && linked.exists());
        assert!(!inside.exists());
        assert!(elsewhere.path().join(LOCK_FILE).exists(), "a link was followed");
    }

    #[test]
    fn what_is_another_users_is_not_touched() {
        let base = Base::new();
        let (locked, old) = (base.locked("4194305-locked").0, base.make("4194305-old"));
        grow_old(&old);
        sweep_in(base.0.path(), Uid::from_raw(geteuid().as_raw() + 1));
        assert!(locked.exists() && old.exists());
    }
}
