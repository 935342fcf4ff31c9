//! No server outlives the lab, however it ends: SIGKILL leaves it no chance to clean up.

mod support;

use std::time::Duration;

use support::{Process, Running, descendants, poll};

/// Six Redis nodes and three PostgreSQL nodes.
const SERVERS: usize = 9;

/// What a run holds of PostgreSQL while it is in flight: four app servers, five connections and one for membership.
const BACKENDS: usize = 24;

/// The lab is given this long to start its servers.
const STARTED_WITHIN: Duration = Duration::from_mins(1);

/// And its servers this long to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

fn kill_and_look(mut lab: Running, children: &[Process]) {
    lab.0.kill().expect("SIGKILL");
    lab.0.wait().expect("it is dead");
    let gone = poll(GONE_WITHIN, || children.iter().all(|child| !child.is_running()).then_some(()));
    let left: Vec<_> = children.iter().filter(|child| child.is_running()).collect();
    assert!(gone.is_some(), "still running after {GONE_WITHIN:?}: {left:#?}");
}

/// One test for both, since two clusters at a time would make a small machine miss deadlines.
#[test]
fn killing_the_lab_leaves_no_child() {
    let mut up = Running::start("up");
    up.read_until("ready");
    let children = descendants(up.0.id());
    assert!(children.len() >= SERVERS, "{children:#?}");
    kill_and_look(up, &children);

    let run = Running::start(
        "run stampede-lock --world real --policy unprotected --set compute-ms=2000 --seeds 100",
    );
    let in_flight = poll(STARTED_WITHIN, || {
        let children = descendants(run.0.id());
        let backends = children.iter().filter(|child| child.command.starts_with("postgres: lab lab")).count();
        (backends >= BACKENDS).then_some(children)
    });
    kill_and_look(run, &in_flight.expect("a run in flight"));
}
