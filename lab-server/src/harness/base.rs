//! The directory in which the harness makes its own: `TMPDIR`, or the system's for temporary files. It is looked at
//! before any server starts, since a server's words about a full disk are hard to read, and since what we remove at the
//! end has to be what we have made.

use std::env;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use rustix::fs::statvfs;
use rustix::process::geteuid;

use super::error::HarnessError;
use super::process::Account;

/// What the servers write at their start and in a long run: the data of three PostgreSQL nodes, and their logs of
/// changes.
const BYTES_MIN: u64 = 500_000_000;
const FILES_MIN: u64 = 10_000;

/// Where to make a directory for servers that run as this account.
pub(crate) fn directory(account: Option<&Account>) -> Result<PathBuf, HarnessError> {
    let mut base = resolve(&env::temp_dir())?;
    if account.is_some() && !base.ancestors().all(lets_all_pass) {
        base = resolve(Path::new("/tmp"))?;
    }
    check_guarded(&base, geteuid().as_raw())?;
    Ok(base)
}

/// Absolute, without links and `..`: our children work elsewhere.
fn resolve(asked: &Path) -> Result<PathBuf, HarnessError> {
    fs::canonicalize(asked).map_err(|error| unusable(asked, &error))
}

/// Another account passes through a directory that lets everybody pass (root's home does not).
fn lets_all_pass(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

/// Whether nobody but this user and root can put something else in the place of what we make there: they would
/// choose what we remove at the end. The path is without links.
fn check_guarded(base: &Path, user: u32) -> Result<(), HarnessError> {
    for directory in base.ancestors() {
        let metadata = fs::symlink_metadata(directory).map_err(|error| unusable(base, &error))?;
        if let Some(why) = unguarded(&metadata, user) {
            return Err(HarnessError::Unguarded {
                base: base.to_owned(),
                directory: directory.to_owned(),
                why,
            });
        }
    }
    Ok(())
}

/// Who else can rename what lies in a directory: its owner, and whoever may write there, unless it is sticky.
fn unguarded(directory: &Metadata, user: u32) -> Option<String> {
    let (owner, group, mode) = (directory.uid(), directory.gid(), directory.mode());
    if ![0, user].contains(&owner) {
        return Some(format!("belongs to another user (number {owner})"));
    }
    if mode & 0o1000 != 0 {
        return None;
    }
    if mode & 0o002 != 0 {
        return Some("lets everybody rename what lies there (it is not sticky)".to_owned());
    }
    (mode & 0o020 != 0 && !is_private(group, owner))
        .then(|| format!("lets its group (number {group}) rename what lies there (it is not sticky)"))
}

/// Whether a group is its user's own: it has that user's name, and no other member. Many systems make one with each
/// user, and let it write.
fn is_private(group: u32, user: u32) -> bool {
    let (group, user) = (Group::from_gid(Gid::from_raw(group)), User::from_uid(Uid::from_raw(user)));
    let (Ok(Some(group)), Ok(Some(user))) = (group, user) else { return false };
    group.name == user.name && group.mem.iter().all(|member| *member == user.name)
}

/// Whether there is room for the servers.
pub(crate) fn check_room(base: &Path) -> Result<(), HarnessError> {
    let room = statvfs(base).map_err(|error| unusable(base, &error.into()))?;
    // Some file systems do not count files.
    let files = if room.f_files == 0 { u64::MAX } else { room.f_favail };
    match lacks(room.f_bavail.saturating_mul(room.f_frsize), files) {
        Some(why) => Err(HarnessError::Place { directory: base.to_owned(), why }),
        None => Ok(()),
    }
}

fn lacks(bytes: u64, files: u64) -> Option<String> {
    let mb = |bytes: u64| bytes / 1_000_000;
    if bytes < BYTES_MIN {
        return Some(format!("there are {} MB free, and they need {} MB", mb(bytes), mb(BYTES_MIN)));
    }
    (files < FILES_MIN).then(|| format!("{files} more files can be made, and they need {FILES_MIN}"))
}

/// Why nothing can be made in a directory.
pub(crate) fn unusable(base: &Path, error: &io::Error) -> HarnessError {
    HarnessError::Place { directory: base.to_owned(), why: format!("nothing can be made there ({error})") }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::chown;

    use super::*;

    const NOBODY: u32 = 65_534;

    fn base(mode: u32) -> tempfile::TempDir {
        let base = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(base.path(), Permissions::from_mode(mode)).expect("ours");
        base
    }

    fn refusal(base: &Path, user: u32) -> Option<String> {
        let base = fs::canonicalize(base).expect("it is there");
        check_guarded(&base, user).err().map(|error| error.to_string())
    }

    fn refused(base: &Path, user: u32, words: &str) {
        let said = refusal(base, user).expect("a refusal");
        for word in [words, "set TMPDIR to another directory, such as /tmp", &base.display().to_string()] {
            assert!(said.contains(word), "{word:?} is not said: {said}");
        }
    }

    #[test]
    fn a_base_is_refused_by_name_where_others_could_rename_what_we_make() {
        let user = geteuid().as_raw();
        for mode in [0o755, 0o700, 0o1777, 0o1770] {
            assert_eq!(refusal(base(mode).path(), user), None, "{mode:o}");
        }
        let open = base(0o777);
        refused(open.path(), user, "lets everybody rename");
        let below = open.path().join("below");
        fs::create_dir(&below).expect("a directory");
        refused(&below, user, "lets everybody rename");
    }

    #[test]
    fn a_base_of_another_user_or_group_is_refused_by_name() {
        let another = base(0o1777);
        let group = base(0o770);
        if geteuid().is_root() {
            assert_eq!(refusal(group.path(), 0), None, "root's own group");
            chown(another.path(), Some(NOBODY), None).expect("root may");
            chown(group.path(), None, Some(NOBODY)).expect("root may");
            refused(another.path(), 0, "belongs to another user (number 65534)");
            refused(group.path(), 0, "lets its group (number 65534) rename");
        } else {
            // To that user, it is another's.
            refused(another.path(), geteuid().as_raw() + 1, "belongs to another user");
        }
    }

    #[test]
    fn too_little_room_is_told_in_numbers() {
        assert_eq!(lacks(BYTES_MIN, FILES_MIN), None);
        assert_eq!(lacks(3_900_000, FILES_MIN).as_deref(), Some("there are 3 MB free, and they need 500 MB"));
        let few = lacks(BYTES_MIN, 12);
        assert_eq!(few.as_deref(), Some("12 more files can be made, and they need 10000"));
    }
}
