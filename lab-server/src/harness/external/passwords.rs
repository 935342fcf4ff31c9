//! Passwords of named servers that stand outside their URLs, where `psql` and `redis-cli` look for them too:
//! `PGPASSWORD`, a password file (`PGPASSFILE`, else `~/.pgpass`; the rules are libpq's) and `REDISCLI_AUTH`. None of
//! them is ever shown.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::notices::Notices;

/// The longest password file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the environment says of passwords.
#[derive(Clone, Default)]
pub(crate) struct Passwords {
    pub(super) redis: Option<String>,
    pub(super) postgres: Option<String>,
    /// The password file that the environment names.
    pub(super) file: Option<PathBuf>,
    /// The one that is looked at where nothing names another.
    pub(super) file_at_home: Option<PathBuf>,
}

/// Where a password came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// There is none.
    Nowhere,
    Url,
    Variable,
    File(PathBuf),
}

/// Whom a line of a password file is for.
#[derive(Clone, Copy)]
pub(super) struct Seat<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// A password file, read once.
pub(super) struct PasswordFile {
    path: PathBuf,
    content: Vec<u8>,
}

impl Passwords {
    /// Those of this process.
    pub(crate) fn of_environment() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| variable(name).and_then(|value: OsString| value.into_string().ok());
        Self {
            redis: text("REDISCLI_AUTH"),
            postgres: text("PGPASSWORD"),
            file: variable("PGPASSFILE").map(PathBuf::from),
            file_at_home: variable("HOME").map(|home| Path::new(&home).join(".pgpass")),
        }
    }

    /// The password file to look into: the one that the URL names, else the environment's, else the one at home. One
    /// that was named and is not fit is told, and so is any that others could read; it is ignored then, as `psql` does.
    pub(super) fn open(&self, named: Option<&Path>, notices: &Notices) -> Option<PasswordFile> {
        let asked = named.or(self.file.as_deref());
        let path = asked.or(self.file_at_home.as_deref())?;
        match read(path) {
            Ok(content) => Some(PasswordFile { path: path.to_owned(), content }),
            Err(Unfit::Io(error)) if asked.is_none() && error.kind() == io::ErrorKind::NotFound => None,
            Err(unfit) => {
                notices.add(format!("the password file {} is ignored: {unfit}", path.display()));
                None
            }
        }
    }
}

/// Why a password file is ignored.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no plain file")]
    NoFile,
    #[error("its mode {0:04o} lets others read it; make it yours alone with chmod 0600")]
    Open(u32),
    #[error("it is larger than {FILE_BYTES_MAX} bytes")]
    Large,
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    // Before it is opened: a FIFO would hold us there.
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(Unfit::NoFile);
    }
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Unfit::Open(mode));
    }
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(Unfit::Large);
    }
    Ok(content)
}

impl PasswordFile {
    /// The password of the first line that is for this seat, and where it stands.
    pub(super) fn password(&self, seat: Seat<'_>) -> Option<(Vec<u8>, From)> {
        let mut lines = self.content.split(|&byte| byte == b'\n');
        let password = lines.find_map(|line| password_in(line, seat))?;
        Some((password, From::File(self.path.clone())))
    }
}

/// The password in `host:port:database:user:password`, if the line is for this seat.
fn password_in(line: &[u8], seat: Seat<'_>) -> Option<Vec<u8>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"#") {
        return None;
    }
    let port = seat.port.to_string();
    let mut rest = line;
    for wanted in [seat.host, &port, seat.database, seat.user] {
        rest = rest.strip_prefix(b"*:").or_else(|| field(rest, wanted.as_bytes()))?;
    }
    let (password, _) = unescape(rest, None);
    (!password.is_empty()).then_some(password)
}

/// What comes after a field, if the field is this text.
fn field<'a>(line: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = unescape(line, Some(b':'));
    (found == wanted).then_some(rest?)
}

/// Reads up to an unescaped `end`: a backslash makes what follows it plain. Answers what comes after the end, if it is
/// there.
fn unescape(text: &[u8], end: Option<u8>) -> (Vec<u8>, Option<&[u8]>) {
    let mut read = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((index, &byte)) = bytes.next() {
        match byte {
            b'\\' => read.push(bytes.next().map_or(byte, |(_, &escaped)| escaped)),
            byte if Some(byte) == end => return (read, Some(&text[index + 1..])),
            byte => read.push(byte),
        }
    }
    (read, None)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("file", &self.file).finish_non_exhaustive()
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("no password was given"),
            Self::Url => f.write_str("the password is the URL's"),
            Self::Variable => f.write_str("the password is that of PGPASSWORD"),
            Self::File(path) => write!(f, "the password is that of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat<'static> = Seat { host: "db", port: 5432, database: "lab", user: "u" };

    /// The cases of libpq's own manual: comments, wildcards, escapes, the first line that matches.
    #[test]
    fn a_line_is_read_as_libpq_reads_it() {
        let cases: [(&str, Option<&str>); 14] = [
            ("db:5432:lab:u:geheim", Some("geheim")),
            ("db:5432:lab:u:geheim\r", Some("geheim")),
            ("*:*:*:*:geheim", Some("geheim")),
            ("db:*:lab:*:a:b", Some("a:b")),
            ("db:5432:lab:u:a\\:b\\\\c", Some("a:b\\c")),
            ("d\\b:5432:lab:u:geheim", Some("geheim")),
            ("#db:5432:lab:u:geheim", None),
            ("db:5433:lab:u:geheim", None),
            ("other:5432:lab:u:geheim", None),
            ("db:5432:lab:v:geheim", None),
            ("db:5432:lab:u:", None),
            ("db:5432:lab", None),
            ("*x:*:*:*:geheim", None),
            ("", None),
        ];
        for (line, password) in cases {
            let found = password_in(line.as_bytes(), SEAT);
            assert_eq!(found.as_deref(), password.map(str::as_bytes), "{line:?}");
        }
        let escaped = Seat { host: "::1", user: "a:b", ..SEAT };
        assert_eq!(password_in(b"\\:\\:1:5432:lab:a\\:b:x", escaped).as_deref(), Some(b"x".as_slice()));
        let content = b"other:*:*:*:no\n*:*:lab:u:first\n*:*:*:*:second\n".to_vec();
        let file = PasswordFile { path: PathBuf::from("f"), content };
        assert_eq!(file.password(SEAT), Some((b"first".to_vec(), From::File(PathBuf::from("f")))));
    }

    #[test]
    fn a_file_that_is_not_fit_is_ignored_and_told() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("passwords");
        let passwords = Passwords { file: Some(path.clone()), ..Passwords::default() };
        let told = |named: Option<&Path>| {
            let notices = Notices::default();
            (passwords.open(named, &notices).is_some(), notices.take().join("\n"))
        };
        let (found, said) = told(None);
        assert!(!found && said.contains("passwords is ignored: No such file"), "{said}");
        fs::write(&path, "*:*:*:*:geheim").expect("it can be written");
        for (mode, fit) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            let (found, said) = told(None);
            assert_eq!((found, said.is_empty()), (fit, fit), "{mode:o}: {said}");
            assert!(fit || said.contains("chmod 0600"), "{said}");
            assert!(!said.contains("geheim"), "{said}");
        }
        let (found, said) = told(Some(directory.path()));
        assert!(!found && said.contains("no plain file"), "{said}");
        let at_home = Passwords { file_at_home: Some(directory.path().join("none")), ..Passwords::default() };
        let notices = Notices::default();
        assert!(at_home.open(None, &notices).is_none(), "few have one");
        assert_eq!(notices.take(), Vec::<String>::new(), "few have one");
    }
}
