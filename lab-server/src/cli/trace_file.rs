//! Where the recording of a run goes. What was there before stays until the new one is whole: it is written beside, and
//! takes the old one's place and rights in the end. What is no file of its own (a pipe, a terminal, `/dev/full`) is
//! written as it is.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use lab_core::recording::Recording;
use tempfile::{Builder, NamedTempFile};

use super::CliError;

/// What a new file's rights are, less what the user's umask takes away.
const MODE: u32 = 0o666;

/// Where a recording goes.
pub(super) struct TraceFile<'a> {
    path: &'a Path,
    place: Place,
}

enum Place {
    /// A file, or what will be one, behind all links.
    Beside(PathBuf),
    /// What can only be written as it is.
    Direct(File),
    /// Our own standard output, under another name.
    Output,
}

impl<'a> TraceFile<'a> {
    /// Makes sure that it can be written, and leaves everything as it was: a run that fails leaves nothing.
    pub(super) fn open(path: &'a Path) -> Result<Self, CliError> {
        let place = Place::at(path)
            .map_err(|error| CliError::Usage(format!("cannot write --trace {}: {error}", path.display())))?;
        Ok(Self { path, place })
    }

    pub(super) fn write(self, recording: &Recording) -> Result<(), CliError> {
        let writing = |error| CliError::Io(format!("write {}", self.path.display()), error);
        let lines = recording.to_json_lines().map_err(|error| writing(error.into()))?;
        let written = match self.place {
            Place::Beside(target) => replace(&target, &lines),
            Place::Direct(mut file) => file.write_all(lines.as_bytes()),
            Place::Output => io::stdout().write_all(lines.as_bytes()),
        };
        written.map_err(writing)
    }
}

impl Place {
    fn at(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if is_output(&metadata) => Ok(Self::Output),
            Ok(metadata) if metadata.is_file() => {
                // A file that may not be written is not to be replaced either.
                File::options().write(true).open(path)?;
                let target = fs::canonicalize(path)?;
                match beside(&target) {
                    Ok(_) => Ok(Self::Beside(target)),
                    Err(_) => File::options().write(true).truncate(false).open(path).map(Self::Direct),
                }
            }
            Ok(_) => File::options().write(true).open(path).map(Self::Direct),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = behind_links(path);
                beside(&target)?;
                Ok(Self::Beside(target))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether this is where our standard output goes: another handle to it would write over what is printed.
fn is_output(metadata: &Metadata) -> bool {
    fs::metadata("/proc/self/fd/1")
        .is_ok_and(|output| (output.dev(), output.ino()) == (metadata.dev(), metadata.ino()))
}

/// Where a file will be that is not there yet: what is behind a link need not exist.
fn behind_links(path: &Path) -> PathBuf {
    match fs::read_link(path) {
        Ok(target) => path.parent().unwrap_or(Path::new("")).join(target),
        Err(_) => path.to_owned(),
    }
}

/// A new file in the same directory, which goes when it is forgotten.
fn beside(target: &Path) -> io::Result<NamedTempFile> {
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = Builder::new();
    builder.prefix(".cache-lab-").permissions(Permissions::from_mode(MODE));
    builder.tempfile_in(directory.unwrap_or(Path::new(".")))
}

/// Gives the file a new content, all of it or nothing.
fn replace(target: &Path, lines: &str) -> io::Result<()> {
    let mut file = beside(target)?;
    file.write_all(lines.as_bytes())?;
    if let Ok(old) = fs::metadata(target) {
        file.as_file().set_permissions(old.permissions())?;
        // Root alone can give a file away; for everybody else it is their own now.
        let _ = chown(file.path(), Some(old.uid()), Some(old.gid()));
    }
    // A disk may say only here that it is full.
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}
