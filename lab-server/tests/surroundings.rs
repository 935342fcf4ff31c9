//! What surrounds the lab on somebody's machine: where temporary files go, the umask, PATH, limits, and users without
//! a name. It works there, or names what is wrong before it starts a server.

mod support;

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::geteuid;
use support::{lab, told};

/// A user whom no machine has a name for.
const NAMELESS: u32 = 61_809;

/// A real run that is over soon.
const RUN: &str = "run stampede-lock --policy lock --world real";

/// The lab, behind words of a shell that end with `exec "$@"`.
fn behind(script: &str, arguments: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, "sh"]).arg(lab().get_program()).args(arguments.split_whitespace());
    shell
}

fn refused(mut command: Command, words: &[&str]) {
    let output = command.output().expect("it can be started");
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in words {
        assert!(said.contains(word), "{word:?} is not said: {said}");
    }
}

fn held(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", told(output));
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("ours");
    directory
}

/// An executable script.
fn script(path: &Path, mode: u32) {
    fs::write(path, "#!/bin/sh\necho 'the wrong program'\nexit 7\n").expect("a script");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

/// All at once, since a start takes seconds: a TMPDIR with `..`, a link, quotes and bytes that are no text, a umask that
/// closes everything, and a PATH on which the first of each program cannot be executed, or is a directory.
#[test]
fn a_run_holds_in_odd_surroundings() {
    let room = directory();
    let odd = room.path().join(OsStr::from_bytes(b"it's \"odd\" \\ \xff"));
    for path in [odd.clone(), odd.join("below"), room.path().join("bin"), room.path().join("more")] {
        fs::create_dir(path).expect("a directory");
    }
    std::os::unix::fs::symlink(&odd, room.path().join("link")).expect("a link");
    for program in ["redis-server", "setpriv", "postgres", "initdb", "pg_basebackup", "pg_config"] {
        script(&room.path().join("bin").join(program), 0o644);
        fs::create_dir(room.path().join("more").join(program)).expect("a directory");
    }
    let mut path = OsString::from(format!("{0}/bin:{0}/more:bin::", room.path().display()));
    path.push(std::env::var_os("PATH").expect("a PATH"));
    let mut command = behind(r#"umask 077; exec "$@""#, RUN);
    command.env("TMPDIR", room.path().join("link/below/..")).env("PATH", path);
    held(&command.output().expect("it can be started"));
    let left: Vec<_> =
        fs::read_dir(&odd).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["below"], "it was used, and is as it was");
}

#[test]
fn an_empty_path_is_no_missing_program() {
    let mut command = lab();
    held(&command.args(RUN.split_whitespace()).env("PATH", "").output().expect("it can be started"));
}

#[test]
fn what_cannot_be_executed_is_named_where_there_is_no_other() {
    use lab_server::harness::{Harness, HarnessError, HarnessSpec, Search};

    let only = directory();
    for program in ["setpriv", "redis-server", "postgres", "initdb", "pg_basebackup"] {
        let found = ["/usr/bin", "/usr/local/bin"].map(|bin| Path::new(bin).join(program));
        let found = found.iter().find(|program| program.is_file());
        match found {
            Some(found) => std::os::unix::fs::symlink(found, only.path().join(program)).expect("a link"),
            None => script(&only.path().join(program), 0o755),
        }
    }
    let redis = only.path().join("redis-server");
    fs::remove_file(&redis).expect("ours");
    script(&redis, 0o644);
    let start = || {
        let search = Search::Only(vec![only.path().to_owned()]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Harness::start(HarnessSpec { search, ..HarnessSpec::default() })).err()
    };
    let error = start().expect("it cannot be executed");
    assert!(matches!(&error, HarnessError::NotExecutable { program, .. } if *program == redis), "{error}");
    assert!(error.to_string().contains("apt-get install redis-server"), "{error}");
    if geteuid().is_root() {
        // We can, and the servers' account cannot.
        fs::set_permissions(&redis, Permissions::from_mode(0o700)).expect("ours");
        let error = start().expect("the servers' account cannot execute it");
        assert!(matches!(error, HarnessError::NotExecutable { .. }), "{error}");
        assert!(error.to_string().contains("the account that the servers run as"), "{error}");
    }
}

#[test]
fn a_place_that_will_not_do_is_named() {
    let room = directory();
    let mut nowhere = lab();
    nowhere.arg("up").env("TMPDIR", room.path().join("nowhere"));
    refused(nowhere, &["nowhere", "No such file", "TMPDIR"]);

    let open = directory();
    fs::set_permissions(open.path(), Permissions::from_mode(0o777)).expect("ours");
    let mut exchangeable = lab();
    exchangeable.arg("up").env("TMPDIR", open.path());
    refused(exchangeable, &["lets everybody rename", "TMPDIR", "such as /tmp"]);

    if !geteuid().is_root() {
        fs::set_permissions(room.path(), Permissions::from_mode(0o555)).expect("ours");
        let mut closed = lab();
        closed.arg("up").env("TMPDIR", room.path());
        refused(closed, &["Permission denied", "TMPDIR"]);
        eprintln!("not root: no full and no read-only file system was mounted to try");
        return;
    }
    // In a name space of its own, so that it goes with the command.
    let mounted = |options: &str| format!(r#"mount -t tmpfs -o {options} none "$TMPDIR" && "#);
    let mut mount = Command::new("unshare");
    mount.args(["-m", "/bin/sh", "-c", &format!("{} true", mounted("ro"))]).env("TMPDIR", room.path());
    if !mount.status().is_ok_and(|status| status.success()) {
        eprintln!("not allowed to mount: no full and no read-only file system was tried");
        return;
    }
    for (options, words) in [
        ("size=20m", ["20 MB free", "make room", "TMPDIR"]),
        ("nr_inodes=100", ["more files can be made", "make room", "TMPDIR"]),
        ("ro", ["Read-only file system", "nothing can be made there", "TMPDIR"]),
    ] {
        let inner = behind(&(mounted(options) + r#"exec "$@""#), "up");
        let mut command = Command::new("unshare");
        command.args(["-m", "--"]).arg(inner.get_program()).args(inner.get_args()).env("TMPDIR", room.path());
        refused(command, &words);
    }
}

#[test]
fn a_low_limit_of_open_files_is_named() {
    refused(behind(r#"ulimit -n 100; exec "$@""#, "up"), &["100 files open", "ulimit -n"]);
}

#[test]
fn a_user_without_a_name_is_told() {
    if !geteuid().is_root() {
        eprintln!("not root: this test cannot become a user without a name");
        return;
    }
    // Where that user may read and execute it.
    let room = directory();
    let program = room.path().join("lab");
    fs::copy(lab().get_program(), &program).expect("a copy");
    chown(&program, Some(NAMELESS), None).expect("root may");
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={NAMELESS}"), format!("--regid={NAMELESS}")];
    command.args(user).arg("--clear-groups").arg(program).arg("up").current_dir("/");
    refused(command, &["user number 61809", "no name", "/etc/passwd"]);
}
