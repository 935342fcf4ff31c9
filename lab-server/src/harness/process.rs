//! Child processes that cannot outlive us. Knows nothing of Redis or PostgreSQL.
//!
//! Linux sends a child its *parent death signal* when the **thread** that spawned it ends, so all children are
//! spawned by one thread that lives as long as the process. The signal is set by `setpriv --pdeathsig KILL`,
//! which then becomes the server: pid and parent stay the same. Should we die before it is set, the shell in
//! between sees another parent and ends. What a child starts itself gets no such signal: our last will ends it, by
//! the mark that it bears.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

use super::error::HarnessError;
use super::family::{self, Member};
use super::mark::Mark;

/// Between two looks at something that becomes ready.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// How much of a log is read for its last lines.
const LOG_TAIL_BYTES: u64 = 4096;
const LOG_TAIL_LINES: usize = 15;

/// Ends unless its parent is the process that asked for it ($0), then becomes the program, with its mark in two
/// places.
const GUARD: &str = r#"test "$PPID" = "$0" && exec "$@" 9<&0"#;

/// How long it may take to stop a process and all that it has forked; it is bound by nothing but the machine's load.
const FROZEN_WITHIN: Duration = Duration::from_secs(1);

/// How long the threads of a dead process may take to be gone; they need nothing but their turn on a processor.
const STATUS_WITHIN: Duration = Duration::from_secs(1);

/// How long killed processes may take to be gone. Only one that waits for a broken disk takes longer.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(5);

/// The operating system's account that a child runs as.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user_id: u32,
    pub(crate) group_id: u32,
}

/// How to start a child; kept to start it again.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// What errors call it.
    pub(crate) name: String,
    pub(crate) setpriv: PathBuf,
    /// By which it and all that it starts are known.
    pub(crate) mark: Mark,
    /// Another account than ours; only root can ask for it.
    pub(crate) account: Option<Account>,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: PathBuf,
    /// Standard output and error are appended here.
    pub(crate) log: PathBuf,
}

impl Launch {
    /// Starts the child.
    pub(crate) async fn spawn(&self) -> Result<Process, HarnessError> {
        let starting = || HarnessError::spawning(&self.name);
        let (reply, answer) = oneshot::channel();
        let order = Order::Spawn { launch: Box::new(self.clone()), reply };
        nursery().map_err(starting())?.send(order).map_err(|_| gone()).map_err(starting())?;
        answer.await.map_err(|_| gone()).and_then(|spawned| spawned).map_err(starting())
    }

    /// Runs a program that ends by itself; its success is the answer.
    pub(crate) async fn run(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let process = self.spawn().await?;
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(process.died(status)),
                None if deadline.passed() => return Err(process.not_ready(deadline, "still running")),
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    fn command(&self) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.setpriv);
        command.args(["--pdeathsig", "KILL"]);
        if let Some(account) = &self.account {
            command.arg(format!("--reuid={}", account.user_id));
            command.arg(format!("--regid={}", account.group_id));
            command.arg("--init-groups");
        }
        command.args(["--", "/bin/sh", "-c", GUARD]).arg(std::process::id().to_string());
        command.arg(&self.program).args(&self.arguments);
        // What the user has set for PostgreSQL's clients or for messages must not change our servers.
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/local/bin:/usr/bin:/bin");
        // A Ctrl-C in the terminal is for us; we end the children.
        command.process_group(0).current_dir(&self.directory);
        command.stdin(self.mark.open()?).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }
}

/// The instant by which a start must be done, and what it had been given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(crate) fn after(allowed: Duration) -> Self {
        Self { at: Instant::now() + allowed, allowed }
    }

    pub(crate) fn passed(&self) -> bool {
        Instant::now() >= self.at
    }
}

/// A child process. Dropping it kills it, together with its own children, and reaps it.
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Mutex<Child>,
    pid: Pid,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// How it ended, or `None` while it lives (running or stopped). One that everybody can see to be dead has ended,
    /// although its status may be told only when the last of its threads is gone: that instant is waited for.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut child = self.child();
        let limit = Instant::now() + STATUS_WITHIN;
        loop {
            let status = child.try_wait().ok().flatten();
            let is_told = status.is_some() || Instant::now() > limit;
            if is_told || Member::look(self.pid).is_some_and(|member| member.lived()) {
                return status;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether it is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.ended().is_none() && Member::look(self.pid).is_some_and(|member| member.was_stopped())
    }

    /// Sends a signal; to a process that has ended this does nothing, since its pid may be another's by now.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            // The only failure left is that it has just ended.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How it ended, as an error, if it has.
    pub(crate) fn death(&self) -> Option<HarnessError> {
        self.ended().map(|status| self.died(status))
    }

    /// Whether that process, which waits for us, was forked by this one.
    pub(crate) fn has_child(&self, pid: i32) -> bool {
        Pid::from_raw(pid).and_then(Member::look).is_some_and(|member| member.is_child_of(self.pid))
    }

    /// Itself, its group, and all that descend from these.
    fn family(&self) -> Vec<Member> {
        family::of(self.pid)
    }

    /// Stops it and all that it has forked, so that none of them forks or reaps any more and every pid stays whose it
    /// is. Answers with them; with nobody if it has ended.
    pub(crate) fn freeze(&self) -> Vec<Member> {
        let limit = Instant::now() + FROZEN_WITHIN;
        self.signal(Signal::STOP);
        loop {
            let family = if self.ended().is_none() { self.family() } else { Vec::new() };
            let mut moving = family.iter().filter(|member| member.moved()).peekable();
            if moving.peek().is_none() || Instant::now() > limit {
                return family;
            }
            moving.for_each(|member| member.signal(Signal::STOP));
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on, and all that it has forked, these first.
    pub(crate) fn thaw(&self) {
        if self.ended().is_none() {
            self.family()
                .iter()
                .filter(|member| member.pid != self.pid)
                .for_each(|member| member.signal(Signal::CONT));
        }
        self.signal(Signal::CONT);
    }

    /// Kills it and all that it has forked, and waits until they are gone (the wait is bounded).
    pub(crate) fn kill(&self) {
        let family = self.freeze();
        family.iter().filter(|member| member.pid != self.pid).for_each(|member| member.signal(Signal::KILL));
        self.signal(Signal::KILL);
        let limit = Instant::now() + GONE_WITHIN;
        while (self.ended().is_none() || family.iter().any(Member::is_living)) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for it to end, and kills it when it has not in time.
    pub(crate) fn end_within(&self, within: Duration) {
        let limit = Instant::now() + within;
        while self.ended().is_none() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
        }
        self.kill();
    }

    /// Polls until `probe` finds nothing missing. Ends early, with the log's last lines, when the process dies
    /// or the deadline passes.
    pub(crate) async fn ready<F, R>(&self, deadline: Deadline, mut probe: F) -> Result<(), HarnessError>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<(), String>>,
    {
        loop {
            if let Some(status) = self.ended() {
                return Err(self.died(status));
            }
            let Err(missing) = probe().await else {
                return Ok(());
            };
            if deadline.passed() {
                return Err(self.not_ready(deadline, &missing));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log at {}: {error})", self.log.display()))
    }

    fn died(&self, status: ExitStatus) -> HarnessError {
        HarnessError::Died {
            server: self.name.clone(),
            status: status.to_string(),
            log_tail: self.log_tail(),
        }
    }

    fn not_ready(&self, deadline: Deadline, missing: &str) -> HarnessError {
        HarnessError::NotReady {
            server: self.name.clone(),
            missing: missing.to_owned(),
            allowed: deadline.allowed,
            log_tail: self.log_tail(),
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

enum Order {
    /// If nobody waits for the answer any more, the process in it is dropped, which kills it.
    Spawn { launch: Box<Launch>, reply: oneshot::Sender<io::Result<Process>> },
    /// Answered once every earlier order has been carried out.
    Settle(mpsc::Sender<()>),
}

/// The thread that spawns every child, once there is one. It ends with the process: its sender is never dropped.
static NURSERY: Mutex<Option<mpsc::Sender<Order>>> = Mutex::new(None);

fn nursery() -> io::Result<mpsc::Sender<Order>> {
    let mut nursery = NURSERY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*nursery {
        return Ok(sender.clone());
    }
    let (sender, orders) = mpsc::channel::<Order>();
    thread::Builder::new().name("nursery".to_owned()).spawn(move || {
        for order in orders {
            match order {
                Order::Spawn { launch, reply } => {
                    // Without a reader the process is dropped here, which kills it.
                    let _ = reply.send(spawn_here(*launch));
                }
                Order::Settle(settled) => {
                    let _ = settled.send(());
                }
            }
        }
    })?;
    *nursery = Some(sender.clone());
    Ok(sender)
}

/// Waits until no child is being started for somebody who has gone away meanwhile (the wait is bounded).
pub(crate) fn settle() {
    let nursery = NURSERY.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (settled, is_settled) = mpsc::channel();
    if nursery.is_some_and(|nursery| nursery.send(Order::Settle(settled)).is_ok()) {
        let _ = is_settled.recv_timeout(GONE_WITHIN);
    }
}

fn spawn_here(launch: Launch) -> io::Result<Process> {
    let child = launch.command()?.spawn()?;
    let pid = Pid::from_child(&child);
    Ok(Process { name: launch.name, log: launch.log, child: Mutex::new(child), pid })
}

fn gone() -> io::Error {
    io::Error::other("the thread that spawns children is gone")
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(directory: &Path, script: &str) -> Launch {
        Launch {
            name: "shell".to_owned(),
            setpriv: PathBuf::from("/usr/bin/setpriv"),
            mark: Mark::create(directory).expect("a mark"),
            account: None,
            program: PathBuf::from("/bin/sh"),
            arguments: vec!["-c".into(), script.into()],
            directory: directory.to_owned(),
            log: directory.join("log"),
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_shows_the_end_of_its_log() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let launch = shell(directory.path(), "seq 1 100; echo 'the last line' >&2; exit 3");
        let error = launch.run(Deadline::after(Duration::from_secs(10))).await.expect_err("exit 3");
        let HarnessError::Died { status, log_tail, .. } = error else { panic!("{error}") };
        assert_eq!(status, "exit status: 3");
        assert!(log_tail.ends_with("the last line"));
        assert_eq!(log_tail.lines().count(), LOG_TAIL_LINES);
    }

    #[tokio::test]
    async fn a_deadline_ends_the_program() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let error = shell(directory.path(), "echo waiting; sleep 60")
            .run(Deadline::after(Duration::from_millis(100)))
            .await
            .expect_err("it sleeps for a minute");
        assert!(matches!(error, HarnessError::NotReady { .. }), "{error}");
    }

    /// As `initdb` does, and a wrapper: the shell's children have children, one of them in a session of its own.
    #[tokio::test]
    async fn killing_takes_all_descendants_along() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let script = "sh -c 'sleep 60; true' & setsid sh -c 'sleep 60; true' & wait";
        let process = shell(directory.path(), script).spawn().await.expect("a shell");
        let deadline = Deadline::after(Duration::from_secs(10));
        let all = || async { if process.family().len() == 5 { Ok(()) } else { Err("a family".to_owned()) } };
        process.ready(deadline, all).await.expect("it forks");
        let family = process.family();
        drop(process);
        assert!(!family.iter().any(Member::is_living));
    }

    #[tokio::test]
    async fn nothing_moves_while_it_is_frozen() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let script = "while :; do sh -c 'sleep 0.001; true'; done";
        let process = shell(directory.path(), script).spawn().await.expect("a shell");
        let family = process.freeze();
        assert!(!family.is_empty() && !process.family().iter().any(Member::moved));
        assert_eq!(process.family().len(), family.len());
        process.thaw();
        assert!(process.family().iter().any(Member::moved));
    }

    /// Started in the background, in a session of its own, by a shell that has ended: neither its parent nor its
    /// group tells whose it is.
    #[tokio::test]
    async fn the_mark_finds_whoever_has_left_the_family() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let launch = shell(directory.path(), "setsid sleep 60 & true");
        launch.run(Deadline::after(Duration::from_secs(10))).await.expect("the shell ends");
        let bearers = launch.mark.bearers();
        assert_eq!(bearers.len(), 1, "{bearers:?}");
        assert!(launch.mark.end_all(Duration::from_secs(10)));
        assert!(!bearers.iter().any(Member::is_living));
    }
}
