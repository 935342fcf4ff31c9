//! Directories and files that one account alone can read, whatever the umask is. All directories but those of the
//! servers' data belong to us, so that nobody can put a link where we are about to write.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown, fchown};
use std::path::Path;

use super::error::HarnessError;
use super::process::Account;

/// Makes a directory of ours that the servers' account may pass through, and nobody else.
pub(crate) fn make_passage(path: &Path, account: Option<&Account>) -> Result<(), HarnessError> {
    let made = fs::create_dir(path).and_then(|()| let_pass(path, account));
    made.map_err(HarnessError::io(format!("make {}", path.display())))
}

/// Lets the servers' account pass through a directory of ours, and nobody else.
pub(crate) fn let_pass(path: &Path, account: Option<&Account>) -> io::Result<()> {
    let Some(account) = account else {
        return fs::set_permissions(path, Permissions::from_mode(0o700));
    };
    chown(path, None, Some(account.group_id))?;
    fs::set_permissions(path, Permissions::from_mode(0o710))
}

/// Makes a directory that belongs to the servers' account. It may be there already.
pub(crate) fn make_directory(path: &Path, account: Option<&Account>) -> Result<(), HarnessError> {
    let made = match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.and_then(|()| give(path, account)),
    };
    made.map_err(HarnessError::io(format!("make {}", path.display())))
}

fn give(path: &Path, account: Option<&Account>) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    if let Some(account) = account {
        chown(path, Some(account.user_id), Some(account.group_id))?;
    }
    Ok(())
}

/// Writes a new file that belongs to the servers' account, or to us where none is named.
pub(crate) fn write(path: &Path, text: &str, account: Option<&Account>) -> Result<(), HarnessError> {
    let written = || {
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        account.map_or(Ok(()), |account| fchown(&file, Some(account.user_id), Some(account.group_id)))
    };
    written().map_err(HarnessError::io(format!("write {}", path.display())))
}
