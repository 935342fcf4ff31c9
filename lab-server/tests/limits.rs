//! Where no process or thread is to be had, the lab says so and leaves nothing: no panic, whichever of its threads and
//! children is the one too many.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::process::geteuid;
use support::{ordinary_user, told};

/// As root we run as this user, since nothing is counted for root.
const ORDINARY_USER: &str = "games";

/// The runtime's threads, the sweep, the last will, the thread of the links, the nursery, and the first children.
const FEW: u64 = 14;

/// How many processes and threads the user has whose limit is set.
fn in_use() -> u64 {
    if geteuid().is_root() {
        return 0;
    }
    let processes = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let threads = processes.filter_map(|process| {
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let number = |field| {
            let value = status.lines().find_map(|line: &str| line.strip_prefix(field))?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        (number("Uid:") == Some(geteuid().as_raw().into())).then(|| number("Threads:")).flatten()
    });
    threads.sum()
}

struct Place {
    directory: tempfile::TempDir,
    lab: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lab = directory.path().join("lab");
        fs::copy(env!("CARGO_BIN_EXE_lab"), &lab).expect("a copy of lab");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("open to all");
        Self { directory, lab }
    }

    fn up(&self, processes: u64) -> Output {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={processes}")).arg(&self.lab).arg("up");
        if geteuid().is_root() {
            let user = ordinary_user(ORDINARY_USER);
            command.uid(user).gid(user);
        }
        command.current_dir("/").env("TMPDIR", self.directory.path());
        command.output().expect("prlimit (util-linux) can be started")
    }
}

#[test]
fn a_thread_or_process_that_cannot_be_had_is_an_error_with_a_clean_end() {
    let place = Place::new();
    for few in 1..=FEW {
        let output = place.up(in_use() + few);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{few} processes: {}", told(&output));
        assert!(!errors.contains("panicked"), "{few} processes: {}", told(&output));
        let is_named = ["limit of processes", "emporarily unavailable", "fork", "Background Jobs"]
            .iter()
            .any(|why| errors.contains(why));
        assert!(is_named, "{few} processes: {}", told(&output));
        let left = fs::read_dir(place.directory.path()).expect("it is there").flatten();
        let left: Vec<_> = left.map(|entry| entry.path()).filter(|path| *path != place.lab).collect();
        assert!(left.is_empty(), "{few} processes: {left:?}");
    }
}
