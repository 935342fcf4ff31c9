//! Ctrl-C and SIGTERM while the lab is a guest on somebody else's servers: it cleans up and says that it was
//! interrupted; a second Ctrl-C does not wait for that.

mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use support::owner::Owner;
use support::{Running, lab};

/// Servers end, a sweep and a drop: all of it takes less than a second on a quiet machine.
const CLEANED_UP_WITHIN: Duration = Duration::from_secs(10);

/// No waiting for anybody.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A run of minutes.
const LONG: &str = "run stampede-lock --policy lock --set compute-ms=2000 --seeds 100";

fn start(owner: &Owner, command: &str) -> Running {
    Running::start(&there(owner, command))
}

fn there(owner: &Owner, command: &str) -> String {
    let (redis, postgres) = owner.urls();
    format!("{command} --world real --redis {redis} --postgres {postgres}")
}

async fn the_first_signal_cleans_up(owner: &Owner) {
    let commands = [
        (LONG, Signal::INT, 130),
        ("verify", Signal::TERM, 143),
        ("run thundering-herd --policy lease --seeds 100", Signal::HUP, 129),
    ];
    for (command, signal, code) in commands {
        let mut lab = start(owner, command);
        owner.begun().await;
        lab.signal(signal);
        assert_eq!(lab.ends_within(CLEANED_UP_WITHIN), Some(code), "lab {command}");
        owner.expect_clean(command).await;
    }
}

async fn the_second_signal_waits_for_nothing(owner: &Owner) {
    let mut lab = start(owner, LONG);
    owner.begun().await;
    // Whoever reads a table holds up its being dropped.
    owner.execute("BEGIN; LOCK TABLE cache_lab.data IN ACCESS SHARE MODE").await;
    lab.signal(Signal::INT);
    // Its keys go first.
    owner.until("the keys are gone", async || owner.keys().await == owner.claims().await).await;
    assert_eq!(lab.0.try_wait().expect("a child of ours"), None, "it waits for the table");
    lab.signal(Signal::INT);
    assert_eq!(lab.ends_within(AT_ONCE), Some(130));
    owner.execute("COMMIT").await;
}

/// Whoever starts it so wants it to go on when the terminal is closed.
async fn nohup_is_respected(owner: &Owner) {
    let mut command = Command::new("nohup");
    command.arg(lab().get_program()).args(there(owner, LONG).split_whitespace());
    let mut lab = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("nohup"));
    owner.begun().await;
    lab.signal(Signal::HUP);
    // The next seed's run begins.
    owner.until("a run is over", async || owner.keys().await == owner.claims().await).await;
    owner.begun().await;
    lab.signal(Signal::INT);
    assert_eq!(lab.ends_within(CLEANED_UP_WITHIN), Some(130));
    owner.expect_clean("a run under nohup").await;
}

/// One test, since two clusters at a time would make a small machine miss deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_guest_cleans_up() {
    let owner = Owner::start().await;
    the_first_signal_cleans_up(&owner).await;
    nohup_is_respected(&owner).await;
    the_second_signal_waits_for_nothing(&owner).await;
}
