//! What the tests of the command line share: the built `lab`, and the processes that it starts.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod api;
pub(crate) mod chance;
pub(crate) mod host;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod pooler;
pub(crate) mod runs;
pub(crate) mod socket;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Between two looks at something that changes.
const POLL: Duration = Duration::from_millis(10);

/// The built command line.
pub(crate) fn lab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lab"))
}

/// Runs it to its end.
pub(crate) fn run(arguments: &str) -> Output {
    lab().args(arguments.split_whitespace()).output().expect("lab can be started")
}

/// What a command printed, for a failing test to show.
pub(crate) fn told(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\nstdout: {out}\nstderr: {error}", output.status)
}

/// A `lab` that keeps running; it is killed when the test forgets it.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it with its output for the test to read.
    pub(crate) fn start(arguments: &str) -> Self {
        let mut command = lab();
        command.args(arguments.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::piped());
        Self(command.spawn().expect("lab can be started"))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it can be signalled");
    }

    /// Its exit code, once it has ended.
    pub(crate) fn ends_within(&mut self, within: Duration) -> Option<i32> {
        poll(within, || self.0.try_wait().expect("a child of ours"))?.code()
    }

    /// Reads what it prints up to the line that has `last` in it; all lines, that one too.
    pub(crate) fn read_to(&mut self, last: &str) -> Vec<String> {
        let output = self.0.stdout.as_mut().expect("its output is the test's to read");
        let mut lines = Vec::new();
        for line in BufReader::new(output).lines() {
            lines.push(line.expect("text"));
            if lines.last().is_some_and(|line| line.contains(last)) {
                return lines;
            }
        }
        panic!("lab ended before it printed {last:?}: {lines:#?}");
    }

    /// Reads what it prints until a line begins with `last`; all lines before it.
    pub(crate) fn read_until(&mut self, last: &str) -> Vec<String> {
        let output = self.0.stdout.take().expect("its output is the test's to read");
        let mut lines = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line.expect("text");
            if line.starts_with(last) {
                return lines;
            }
            lines.push(line);
        }
        panic!("lab ended before it printed {last:?}: {lines:#?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process, told apart from a later one with its number by when it was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: u64,
    pub(crate) command: String,
}

impl Process {
    /// Whether it still runs (a zombie does not).
    pub(crate) fn is_running(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != 'Z')
    }
}

/// Every process that descends from this one, itself left out.
pub(crate) fn descendants(pid: u32) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").expect("Linux has /proc");
    for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Some(stat) = stat(pid) {
            let command =
                fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
            children.entry(stat.parent).or_default().push(Process { pid, started: stat.started, command });
        }
    }
    let mut found = children.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// Polls until `wanted` gives something; `None` at the deadline.
pub(crate) fn poll<T>(within: Duration, mut wanted: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = wanted() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Whether there is such a process, and it is no zombie.
pub(crate) fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z')
}

/// The number of an account that every machine has, and under which nothing runs: PostgreSQL wants a name.
pub(crate) fn ordinary_user(name: &str) -> u32 {
    let accounts = fs::read_to_string("/etc/passwd").expect("the accounts of this machine");
    let number = accounts.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))?.split(':').nth(1));
    let number =
        number.unwrap_or_else(|| panic!("there is no account {name}: add it (`useradd --system {name}`)"));
    number.parse().expect("a number")
}

struct Stat {
    state: char,
    parent: u32,
    started: u64,
}

/// `/proc/<pid>/stat`: the name in parentheses may hold anything, so fields are counted from its end.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}
