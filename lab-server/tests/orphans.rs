//! No server outlives the lab, however it ends: SIGKILL leaves it no chance to clean up, and neither does a second
//! polite signal. Nor does its directory.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use support::{Process, Running, descendants, lab, poll};

/// Six Redis nodes and three PostgreSQL nodes.
const SERVERS: usize = 9;

/// What a run holds of PostgreSQL while it is in flight: four app servers, five connections and two for membership.
const BACKENDS: usize = 28;

/// The lab is given this long to start its servers.
const STARTED_WITHIN: Duration = Duration::from_mins(1);

/// And its servers this long to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// And its last will this long for the directory.
const REMOVED_WITHIN: Duration = Duration::from_secs(10);

/// A temporary directory of the lab's own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("open to all");
        Self(directory)
    }

    fn start(&self, arguments: &str, path: Option<&Path>) -> Running {
        let mut command = lab();
        command.args(arguments.split_whitespace()).env("TMPDIR", self.0.path());
        if let Some(path) = path {
            let others = std::env::var("PATH").expect("PATH");
            command.env("PATH", format!("{}:{others}", path.display()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("lab can be started"))
    }

    fn expect_empty(&self) {
        let left = || -> Vec<PathBuf> {
            let entries = fs::read_dir(self.0.path()).expect("it is there").flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let empty = poll(REMOVED_WITHIN, || left().is_empty().then_some(()));
        assert!(empty.is_some(), "still there after {REMOVED_WITHIN:?}: {:?}", left());
    }
}

fn expect_gone(children: &[Process]) {
    let gone = poll(GONE_WITHIN, || children.iter().all(|child| !child.is_running()).then_some(()));
    let left: Vec<_> = children.iter().filter(|child| child.is_running()).collect();
    assert!(gone.is_some(), "still running after {GONE_WITHIN:?}: {left:#?}");
}

/// The last will is a child, too, and ends last.
fn servers(lab: &Running) -> Vec<Process> {
    let mut children = descendants(lab.0.id());
    children.retain(|child| !child.command.contains("last-will"));
    children
}

fn kill_and_look(mut lab: Running, children: &[Process]) {
    lab.0.kill().expect("SIGKILL");
    lab.0.wait().expect("it is dead");
    expect_gone(children);
}

/// One test for all, since two clusters at a time would make a small machine miss deadlines.
#[test]
fn no_end_of_the_lab_leaves_a_child() {
    let place = Place::new();
    killed_while_servers_wait(&place);
    killed_in_a_run(&place);
    told_twice_to_end(&place);
    killed_under_a_wrapper(&place);
}

fn killed_while_servers_wait(place: &Place) {
    let mut up = place.start("up", None);
    up.read_until("ready");
    let children = servers(&up);
    assert!(children.len() >= SERVERS, "{children:#?}");
    kill_and_look(up, &children);
    place.expect_empty();
}

fn killed_in_a_run(place: &Place) {
    let run = place
        .start("run stampede-lock --world real --policy unprotected --set compute-ms=2000 --seeds 100", None);
    let in_flight = poll(STARTED_WITHIN, || {
        let children = servers(&run);
        let backends = children.iter().filter(|child| child.command.starts_with("postgres: lab lab")).count();
        (backends >= BACKENDS).then_some(children)
    });
    kill_and_look(run, &in_flight.expect("a run in flight"));
    place.expect_empty();
}

/// The second signal comes while it cleans up: it ends at once, and its last will does the rest.
fn told_twice_to_end(place: &Place) {
    let mut up = place.start("up", None);
    up.read_until("ready");
    let children = servers(&up);
    up.signal(Signal::TERM);
    let errors = BufReader::new(up.0.stderr.take().expect("it is piped"));
    let cleaning = errors.lines().map_while(Result::ok).any(|line| line.starts_with("cleaning up"));
    assert!(cleaning, "it does not say that it cleans up");
    up.signal(Signal::TERM);
    assert_eq!(up.ends_within(GONE_WITHIN), Some(143));
    expect_gone(&children);
    place.expect_empty();
}

/// A `redis-server` that starts the real one and waits for it, one in a session of its own for each. The lab refuses
/// such; killed before it can, it leaves none.
fn killed_under_a_wrapper(place: &Place) {
    let directory = tempfile::tempdir().expect("a directory");
    let wrapper = directory.path().join("redis-server");
    let script = r#"#!/bin/sh
setsid /usr/bin/redis-server "$@" &
wait
"#;
    fs::write(&wrapper, script).expect("a script");
    for path in [directory.path(), &wrapper] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("open to all");
    }
    let up = place.start("up", Some(directory.path()));
    let real = poll(STARTED_WITHIN, || {
        let children = servers(&up);
        children.iter().any(|child| child.command.starts_with("/usr/bin/redis-server")).then_some(children)
    });
    kill_and_look(up, &real.expect("a real server"));
    place.expect_empty();
}
