//! The System V shared memory of PostgreSQL servers that were killed: one segment of 56 bytes each, by which a
//! server sees that another uses its data directory. A killed server cannot free it, and the system allows some
//! thousand in all.
//!
//! Its key is the inode of the data directory, so that no file needs to be believed. It is freed only where it
//! belongs to the directory's owner, who could free it as well.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::last_will;

/// What a data directory says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    key: u32,
    owner: u32,
}

/// Frees the segments of the servers whose data directories lie in this one. Their processes are dead; what
/// cannot be freed stays, and does no harm.
pub(crate) fn free(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let Ok(in_use) = fs::read_to_string("/proc/sysvipc/shm") else {
        return;
    };
    for claim in entries.flatten().filter_map(|entry| claim_of(&entry.path())) {
        for id in abandoned(claim, &in_use) {
            let mut command = Command::new("ipcrm");
            command.args(["-m", &id.to_string()]).env("PATH", last_will::PATH);
            let _ = command.stdin(Stdio::null()).output();
        }
    }
}

/// A link is no data directory.
fn claim_of(data: &Path) -> Option<Claim> {
    let metadata = fs::symlink_metadata(data).ok().filter(fs::Metadata::is_dir)?;
    Some(Claim { key: metadata.ino() as u32, owner: metadata.uid() })
}

/// The segments of this key and owner that nobody is attached to. Columns of `/proc/sysvipc/shm`: key (signed),
/// id, permissions, size, creator's pid, last user's pid, number attached, owner, group, creator.
fn abandoned(claim: Claim, in_use: &str) -> Vec<u32> {
    let id_of = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [key, id, _, _, _, _, "0", _, _, creator, ..] = columns[..] else {
            return None;
        };
        let claimed =
            key.parse::<i32>().ok()?.cast_unsigned() == claim.key && creator.parse() == Ok(claim.owner);
        claimed.then(|| id.parse().ok()).flatten()
    };
    in_use.lines().filter_map(id_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_USE: &str = "
       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime
  10019080      65537   600                    56   747   747      0   105   112   105   112 1795368018
-2137483646     65538   600                    56   748   748      6   105   112   105   112 1795368018
  10019080      65539   600                    56   747   747      0   105   112  1000   112 1795368018";

    #[test]
    fn only_the_abandoned_segment_of_the_directory_and_its_owner_is_freed() {
        let of = |key, owner| abandoned(Claim { key, owner }, IN_USE);
        assert_eq!(of(10_019_080, 105), [65537]);
        assert_eq!(of(10_019_080, 1000), [65539]);
        assert_eq!(of(10_019_080, 0), [0; 0], "another user's");
        assert_eq!(of(10_019_081, 105), [0; 0], "another directory's");
        assert_eq!(of(2_157_483_650, 105), [0; 0], "somebody is attached");
    }

    #[test]
    fn a_link_claims_nothing() {
        let base = tempfile::tempdir().expect("a temporary directory");
        let link = base.path().join("data");
        std::os::unix::fs::symlink("/", &link).expect("a link");
        assert_eq!(claim_of(&link), None);
        assert!(claim_of(base.path()).is_some());
    }
}
