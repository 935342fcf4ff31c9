//! Where no process or thread is to be had, the lab says so and leaves nothing: no panic, whichever of its threads and
//! children is the one too many. Servers that somebody else runs are left clean then, and `lab serve` goes on.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::geteuid;
use serde_json::{Value, json};
use support::owner::Owner;
use support::socket::{Socket, ask, header, status};
use support::{Running, ordinary_user, poll, told};
use tokio::sync::Mutex;

/// As root we run as this user, since nothing is counted for root.
const ORDINARY_USER: &str = "games";

/// The runtime's threads, the sweep, the last will, the thread of the links, the nursery, and the first children.
const FEW: u64 = 14;

/// More than a run on named servers needs: the runtime's threads, the watch over pauses and the app servers.
const ENOUGH: u64 = 24;

/// What every refusal of a thread or process says.
const REASONS: [&str; 4] = ["limit of processes", "emporarily unavailable", "fork", "Background Jobs"];

/// No run takes longer, with threads or without.
const OVER_WITHIN: Duration = Duration::from_mins(1);

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

/// One test at a time: all processes of the ordinary user are counted.
static ALONE: Mutex<()> = Mutex::const_new(());

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
        let mut command = self.limited(processes);
        command.arg(&self.lab).arg("up").output().expect("prlimit (util-linux) can be started")
    }

    /// What runs the command that follows with so many processes and threads at most.
    fn limited(&self, processes: u64) -> Command {
        let mut command = self.ordinary("prlimit");
        command.arg(format!("--nproc={processes}"));
        command
    }

    /// Sets the soft limit of a process alone, which can be raised again: to one, or to the hard one.
    fn limit(&self, pid: u32, is_limited: bool) {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("Linux has it");
        let hard =
            limits.lines().find_map(|line| line.strip_prefix("Max processes")?.split_whitespace().nth(1));
        let soft = if is_limited { "1" } else { hard.expect("a hard limit") };
        let mut prlimit = self.ordinary("prlimit");
        prlimit.arg(format!("--pid={pid}")).arg(format!("--nproc={soft}:"));
        let limited = prlimit.output().expect("prlimit (util-linux) can be started");
        assert!(limited.status.success(), "{soft}: {}", told(&limited));
    }

    /// Starts a program as a user whose processes are counted.
    fn ordinary(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if geteuid().is_root() {
            let user = ordinary_user(ORDINARY_USER);
            command.uid(user).gid(user);
        }
        command.current_dir("/").env("TMPDIR", self.directory.path());
        command
    }
}

#[test]
fn a_thread_or_process_that_cannot_be_had_is_an_error_with_a_clean_end() {
    let _alone = ALONE.blocking_lock();
    let place = Place::new();
    for few in 1..=FEW {
        let output = place.up(in_use() + few);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{few} processes: {}", told(&output));
        assert!(!errors.contains("panicked"), "{few} processes: {}", told(&output));
        let is_named = REASONS.iter().any(|why| errors.contains(why));
        assert!(is_named, "{few} processes: {}", told(&output));
        let left = fs::read_dir(place.directory.path()).expect("it is there").flatten();
        let left: Vec<_> = left.map(|entry| entry.path()).filter(|path| *path != place.lab).collect();
        assert!(left.is_empty(), "{few} processes: {left:?}");
    }
}

/// A run on somebody else's servers, with one thread more each time until it has all that it needs.
async fn a_run_that_cannot_have_its_threads_leaves_named_servers_clean(owner: &Owner, place: &Place) {
    let (redis, postgres) = owner.urls();
    let mut refused_app_servers = 0;
    for few in 1..=ENOUGH {
        let mut run = place.limited(in_use() + few);
        run.arg(&place.lab).args(["run", "stampede-lock", "--policy", "lock", "--world", "real"]);
        run.env("LAB_REDIS", &redis).env("LAB_POSTGRES", &postgres);
        let output = run.output().expect("prlimit (util-linux) can be started");
        owner.expect_clean("a run without threads").await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{few} threads: {}", told(&output));
        if output.status.success() {
            assert!(
                refused_app_servers > 0,
                "none failed after the lab had come, and {few} threads are enough"
            );
            return;
        }
        assert_eq!(output.status.code(), Some(3), "{few} threads: {}", told(&output));
        assert!(REASONS.iter().any(|why| errors.contains(why)), "{few} threads: {}", told(&output));
        refused_app_servers += u32::from(errors.contains("did not start"));
    }
    panic!("{ENOUGH} threads are not enough");
}

/// A `lab serve` that cannot have threads any more, and then can.
async fn serving_outlives_a_run_that_cannot_have_its_threads(owner: &Owner, place: &Place) {
    let (redis, postgres) = owner.urls();
    let mut command = place.ordinary(&place.lab);
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("LAB_REDIS", redis).env("LAB_POSTGRES", postgres);
    let lab = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("lab can be started");
    let mut lab = Running(lab);
    let told = lab.read_to("(Ctrl-C ends").concat();
    let address = told.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address: SocketAddr = address.expect("a link").parse().expect("an address");
    for (is_limited, state) in [(true, "failed"), (false, "done")] {
        place.limit(lab.0.id(), is_limited);
        let run = make(address);
        assert_eq!(run["state"], state, "{run:#}");
        if state == "failed" {
            let why = run["problem"]["detail"].as_str().expect("a detail");
            assert!(REASONS.iter().any(|reason| why.contains(reason)), "{why}");
            assert!(!why.contains("mistake"), "no panic: {why}");
        }
        assert_eq!(status(&ask(address, &address.to_string(), "/api/health", "")), 200);
        owner.expect_clean(state).await;
    }
}

/// Asks for a run, and answers what came of it.
fn make(address: SocketAddr) -> Value {
    let host = address.to_string();
    let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
    let mut socket = Socket::open(address);
    socket.say(&format!(
        "POST /api/runs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ));
    let answer = socket.read_all();
    let path = header(&answer, "location").unwrap_or_else(|| panic!("{answer}")).to_owned();
    let made = poll(OVER_WITHIN, || {
        let answer = ask(address, &host, &path, "");
        let run: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1)?).ok()?;
        (run["state"] == "done" || run["state"] == "failed").then_some(run)
    });
    made.expect("it is over soon")
}

/// One test, since it needs somebody's servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_named_servers_a_thread_that_cannot_be_had_is_no_loss() {
    let _alone = ALONE.lock().await;
    let (owner, place) = (Owner::start().await, Place::new());
    a_run_that_cannot_have_its_threads_leaves_named_servers_clean(&owner, &place).await;
    serving_outlives_a_run_that_cannot_have_its_threads(&owner, &place).await;
}
