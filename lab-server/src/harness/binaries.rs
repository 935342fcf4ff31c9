//! Where the servers' programs are: on `PATH`, in the system's own directories, or where `pg_config --bindir` and
//! Debian's packages put PostgreSQL. What cannot be executed is passed over. Installs nothing; says what to install.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::error::HarnessError;
use super::process::Account;

/// Where programs are whatever PATH says: it may be empty, and an ordinary user's often lacks some.
const SYSTEM: [&str; 6] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The oldest PostgreSQL that the lab runs on: `recovery_min_apply_delay` can be changed by a reload there.
const POSTGRES_MAJOR_MIN: u32 = 15;

/// Where to look for programs.
#[derive(Clone, Debug, Default)]
pub enum Search {
    /// `PATH`, the system's directories, `pg_config --bindir` and `/usr/lib/postgresql/*/bin`.
    #[default]
    Machine,
    /// These directories and nothing else, in this order.
    Only(Vec<PathBuf>),
}

/// The programs that the harness runs, as absolute paths.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) redis_server: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) initdb: PathBuf,
    pub(crate) pg_basebackup: PathBuf,
    /// From util-linux: ties a child's life to ours, and drops root for PostgreSQL.
    pub(crate) setpriv: PathBuf,
}

impl Binaries {
    /// Finds them all, or names the first that is missing and how to get it.
    pub(crate) fn find(search: &Search, account: Option<&Account>) -> Result<Self, HarnessError> {
        let directories = match search {
            Search::Machine => path_directories(),
            Search::Only(directories) => directories.clone(),
        };
        let setpriv = find_in(&directories, "setpriv", "util-linux", Runner::Ourselves)?;
        let runner = account.map_or(Runner::Ourselves, |account| Runner::Account(&setpriv, account));
        let redis_server = find_in(&directories, "redis-server", "redis-server", runner)?;
        let postgres_directories = match search {
            Search::Machine => postgres_directories(&directories),
            Search::Only(_) => directories,
        };
        let of_postgres = |program| find_in(&postgres_directories, program, "postgresql", runner);
        let found = Self {
            redis_server,
            postgres: of_postgres("postgres")?,
            initdb: of_postgres("initdb")?,
            pg_basebackup: of_postgres("pg_basebackup")?,
            setpriv: setpriv.clone(),
        };
        check_postgres_version(&found.postgres)?;
        Ok(found)
    }
}

/// Who is to execute a program.
#[derive(Clone, Copy)]
enum Runner<'a> {
    Ourselves,
    /// Another account, by `setpriv`.
    Account(&'a Path, &'a Account),
}

impl Runner<'_> {
    /// Whether it is a file that may be executed. Another account may come through fewer directories than we do, so
    /// the question is asked as that account.
    fn may_execute(self, program: &Path) -> bool {
        let may = match self {
            Self::Ourselves => accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok(),
            Self::Account(setpriv, account) => {
                let mut asked = Command::new(setpriv);
                account.become_by(&mut asked);
                asked.args(["--", "/bin/sh", "-c", r#"test -x "$0""#]).arg(program).current_dir("/");
                asked.output().is_ok_and(|answer| answer.status.success())
            }
        };
        may && program.is_file()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ourselves => "this user",
            Self::Account(..) => "the account that the servers run as",
        }
    }
}

/// A directory that is not named from the root on would mean another one to our children.
fn path_directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let named = env::split_paths(&path).filter(|directory| directory.is_absolute());
    named.chain(SYSTEM.map(PathBuf::from)).collect()
}

/// The newest installation first, then what `pg_config` says, then `PATH`. (`pg_config` may belong to client
/// libraries of another version, with no server beside it.)
fn postgres_directories(path: &[PathBuf]) -> Vec<PathBuf> {
    let mut directories = debian_directories();
    if let Ok(pg_config) = find_in(path, "pg_config", "postgresql-common", Runner::Ourselves)
        && let Ok(output) = Command::new(pg_config).arg("--bindir").output()
        && output.status.success()
    {
        directories.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    directories.extend_from_slice(path);
    directories
}

fn debian_directories() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, directory)| directory).collect()
}

fn find_in(
    directories: &[PathBuf],
    program: &str,
    package: &'static str,
    runner: Runner<'_>,
) -> Result<PathBuf, HarnessError> {
    let candidates = directories.iter().map(|directory| directory.join(program));
    let (mut there, mut passed_over) = (candidates.filter(|candidate| candidate.is_file()), None);
    let found = there.find(|candidate| {
        let may = runner.may_execute(candidate);
        if !may {
            passed_over.get_or_insert_with(|| candidate.clone());
        }
        may
    });
    found.ok_or_else(|| match passed_over {
        Some(program) => HarnessError::NotExecutable { program, by: runner.name(), package },
        None => HarnessError::MissingBinary { program: program.to_owned(), package },
    })
}

fn check_postgres_version(postgres: &Path) -> Result<(), HarnessError> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .map_err(HarnessError::io(format!("{} --version", postgres.display())))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if postgres_major(&text).is_some_and(|major| major >= POSTGRES_MAJOR_MIN) {
        return Ok(());
    }
    Err(HarnessError::OldPostgres { found: text })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn postgres_major(version: &str) -> Option<u32> {
    let number = version.split_once(") ")?.1;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version_of_releases_and_betas() {
        assert_eq!(postgres_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(postgres_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(postgres_major("no version"), None);
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let nowhere = Search::Only(vec![PathBuf::from("/nonexistent")]);
        let error = Binaries::find(&nowhere, None).expect_err("nothing is there");
        assert!(matches!(error, HarnessError::MissingBinary { .. }));
        assert!(error.to_string().contains("cargo xtask setup"));
    }
}
