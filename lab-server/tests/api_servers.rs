//! The servers behind the API, which runs use in turn: they are kept when a run is given up, and replaced, with a word,
//! when one of them has died or hangs.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;
use std::{env, fs};

use lab_core::recording::Recording;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::socket::{Socket, ask, status};
use support::{Process, Running, descendants, poll};

/// A start of all servers, and a run.
const MADE_WITHIN: Duration = Duration::from_mins(3);

struct Serving {
    lab: Running,
    host: String,
}

impl Serving {
    fn start() -> Self {
        let mut lab = Running::start("serve --listen 127.0.0.1:0");
        let line = lab.read_to("http://").pop().expect("a line");
        let host = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).expect("a link");
        Self { host: host.to_owned(), lab }
    }

    fn get(&self, path: &str) -> String {
        let answer = ask(self.host.parse().expect("an address"), &self.host, path, "");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    fn send(&self, method: &str, path: &str, body: &str) -> String {
        let mut socket = Socket::open(self.host.parse().expect("an address"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        assert!(socket.say(&head));
        socket.read_all()
    }

    /// Asks for a run, and answers its path.
    fn post(&self, compute_ms: u64) -> String {
        let settings = json!({ "compute-ms": compute_ms });
        let body = json!({ "scenario": "stampede-lock", "policy": "lock", "settings": settings });
        let answer = self.send("POST", "/api/runs", &body.to_string());
        let id = answer.split('"').rev().nth(1).unwrap_or_else(|| panic!("{answer} has no id"));
        format!("/api/runs/{id}")
    }

    /// How far a run is.
    fn state(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).expect("JSON")
    }

    /// Waits until a run is as it should be.
    fn until(&self, path: &str, wanted: &[&str]) -> Value {
        let state = poll(MADE_WITHIN, || {
            let state = self.state(path);
            wanted.contains(&state["state"].as_str().expect("a state")).then_some(state)
        });
        state.unwrap_or_else(|| panic!("{wanted:?} in vain: {}", self.state(path)))
    }

    /// Makes a short run to its end.
    fn run(&self) -> Value {
        let path = self.post(100);
        let state = self.until(&path, &["done", "failed"]);
        assert_eq!(state["state"], "done", "{state}");
        state
    }

    /// What it has made among the temporary files.
    fn directories(&self) -> Vec<OsString> {
        let ours = format!("cache-lab-{}-", self.lab.0.id());
        let entries = fs::read_dir(env::temp_dir()).expect("it is there").flatten();
        let names = entries.map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with(&ours)).collect()
    }

    /// The Redis nodes, the masters first.
    fn redis(&self) -> Vec<Process> {
        let mut nodes = descendants(self.lab.0.id());
        nodes.retain(|process| {
            process.command.contains("redis-server") && process.command.contains("cluster")
        });
        nodes.sort_by(|one, other| one.command.cmp(&other.command));
        assert_eq!(nodes.len(), 6, "{nodes:#?}");
        nodes
    }
}

fn signal(process: &Process, signal: Signal) {
    let pid = Pid::from_raw(process.pid.cast_signed()).expect("a number");
    kill_process(pid, signal).expect("it can be signalled");
}

fn pids(processes: &[Process]) -> BTreeSet<u32> {
    processes.iter().map(|process| process.pid).collect()
}

/// Gives the first run up as soon as a server's process is there: what was begun is taken away, and the next run begins
/// anew.
fn given_up_while_the_servers_start(lab: &Serving, server: &str) {
    let path = lab.post(100);
    let is_there = || descendants(lab.lab.0.id()).iter().any(|process| process.command.contains(server));
    poll(MADE_WITHIN, || is_there().then_some(())).unwrap_or_else(|| panic!("no {server} is started"));
    assert_eq!(lab.state(&path)["state"], "queued", "its servers are not there yet");
    assert_eq!(status(&lab.send("DELETE", &path, "")), 204);
    let state = lab.until(&path, &["done", "failed"]);
    assert_eq!(state["problem"]["type"], "urn:cache-lab:problem:given-up", "{state}");
    let left = descendants(lab.lab.0.id());
    assert!(left.is_empty(), "after {server} there is {left:#?}");
    let directories = lab.directories();
    assert!(directories.is_empty(), "after {server} there is {directories:?}");
}

/// One test, since each start of the servers takes seconds.
#[test]
fn servers_are_kept_while_they_live_and_replaced_with_a_word() {
    let lab = Serving::start();
    for server in ["initdb", "redis-server", "pg_basebackup"] {
        given_up_while_the_servers_start(&lab, server);
    }
    assert_eq!(lab.run()["notices"], Value::Null);
    let first = lab.redis();

    // Given up in the midst of a run: nothing is wrong with the servers.
    let given_up = lab.post(2_000);
    poll(MADE_WITHIN, || (lab.state(&given_up)["events"].as_u64() > Some(0)).then_some(())).expect("a run");
    assert_eq!(status(&lab.send("DELETE", &given_up, "")), 204);
    let state = lab.until(&given_up, &["failed"]);
    assert_eq!(state["problem"]["type"], "urn:cache-lab:problem:given-up", "{state}");
    assert_eq!(lab.run()["notices"], Value::Null);
    assert_eq!(pids(&lab.redis()), pids(&first), "the servers were started anew");

    // A replica dies while nothing runs.
    let replica = first.last().expect("a node");
    signal(replica, Signal::KILL);
    poll(MADE_WITHIN, || (!replica.is_running()).then_some(())).expect("it is dead");
    let state = lab.run();
    let notice = state["notices"][0].as_str().expect("a notice");
    assert!(notice.contains("redis") && notice.contains("started anew"), "{notice}");
    let second = lab.redis();
    assert!(pids(&second).is_disjoint(&pids(&first)));

    // A replica dies when the run has its servers already, and before anything has happened. A master that says nothing
    // holds that instant open.
    signal(&second[0], Signal::STOP);
    let asked = lab.post(100);
    lab.until(&asked, &["running"]);
    let replica = second.last().expect("a node");
    signal(replica, Signal::KILL);
    poll(MADE_WITHIN, || (!replica.is_running()).then_some(())).expect("it is dead");
    signal(&second[0], Signal::CONT);
    let state = lab.until(&asked, &["done", "failed"]);
    assert_eq!(state["state"], "done", "{state}");
    let notice = state["notices"][0].as_str().expect("a notice");
    assert!(notice.contains("started anew") && notice.contains("ended (signal: 9"), "{notice}");
    let second = lab.redis();

    // A replica dies during a run: no mistake of the lab's, and the recording says so.
    let disturbed = lab.post(2_000);
    poll(MADE_WITHIN, || (lab.state(&disturbed)["events"].as_u64() > Some(0)).then_some(())).expect("a run");
    signal(second.last().expect("a node"), Signal::KILL);
    let state = lab.until(&disturbed, &["failed"]);
    assert_eq!(state["problem"]["type"], "urn:cache-lab:problem:no-verdict", "{state}");
    assert_eq!(state["problem"]["status"], 503, "{state}");
    let recording = Recording::read(&lab.get(&format!("{disturbed}/trace"))).expect("a whole recording");
    assert!(recording.unfinished.is_some_and(|why| why.contains("no verdict")));
    lab.run();

    // A master hangs while nothing runs.
    let third = lab.redis();
    signal(&third[0], Signal::STOP);
    let state = lab.run();
    let notice = state["notices"][0].as_str().expect("a notice");
    assert!(notice.contains("not fit") && notice.contains("started anew"), "{notice}");
    assert!(pids(&lab.redis()).is_disjoint(&pids(&third)));
}
