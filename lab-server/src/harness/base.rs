//! The directory in which the harness makes its own: `TMPDIR`, or the system's for temporary files. It is looked at
//! before any server starts, since a server's words about a full disk are hard to read.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::error::HarnessError;
use super::process::Account;

/// What the servers write at their start and in a long run: the data of three PostgreSQL nodes, and their logs of
/// changes.
const BYTES_MIN: u64 = 500_000_000;
const FILES_MIN: u64 = 10_000;

/// Where to make a directory for servers that run as this account.
pub(crate) fn directory(account: Option<&Account>) -> Result<PathBuf, HarnessError> {
    let asked = env::temp_dir();
    // Absolute, without links and `..`: our children work elsewhere.
    let base = fs::canonicalize(&asked).map_err(|error| unusable(&asked, &error))?;
    if account.is_some() && !base.ancestors().all(lets_all_pass) {
        return Ok(PathBuf::from("/tmp"));
    }
    Ok(base)
}

/// Another account passes through a directory that lets everybody pass (root's home does not).
fn lets_all_pass(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
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
    use super::*;

    #[test]
    fn too_little_room_is_told_in_numbers() {
        assert_eq!(lacks(BYTES_MIN, FILES_MIN), None);
        assert_eq!(lacks(3_900_000, FILES_MIN).as_deref(), Some("there are 3 MB free, and they need 500 MB"));
        let few = lacks(BYTES_MIN, 12);
        assert_eq!(few.as_deref(), Some("12 more files can be made, and they need 10000"));
    }
}
