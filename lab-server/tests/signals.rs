//! Signals at random instants of a lab's start, run and stop leave no process, no directory and no shared memory
//! behind, nor does a start that is given up. A program of its own, so that it can be run for as long as one likes:
//!
//! ```text
//! cargo test -p lab-server --test signals -- --count 200 --seed 7
//! ```
//!
//! Without a count it makes as many trials as the suite has time for. Each trial has a temporary directory of its
//! own, by which everything is known that a lab has left. As root, every other lab runs as an ordinary user.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use support::chance::{self, Chance};
use support::{ordinary_user, poll};

/// The share of the test suite.
const COUNT: u32 = 8;
const SEED: u64 = 1;

/// No lab takes longer, signal or not.
const ENDED_WITHIN: Duration = Duration::from_mins(1);

/// What a last will needs on a busy machine.
const CLEAN_WITHIN: Duration = Duration::from_secs(10);

/// Between two looks at the data directories that a lab makes.
const LOOK: Duration = Duration::from_millis(20);

/// Under whom nothing else runs.
const ORDINARY_USER: &str = "bin";

fn main() -> ExitCode {
    let (count, mut chance) = chance::asked(COUNT, SEED);
    let mut table = Table::default();
    let program = Program::reachable_by_all();
    for turn in 0..count {
        let trial = Trial::draw(turn, &mut chance);
        let left = trial.make(&program);
        if !left.is_nothing() {
            println!("{trial} left {left}");
        }
        table.note(&trial, &left);
    }
    println!("{table}");
    if table.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The built command line, where every user can run it.
struct Program {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Program {
    fn reachable_by_all() -> Self {
        let directory = open_directory();
        let path = directory.path().join("lab");
        fs::copy(env!("CARGO_BIN_EXE_lab"), &path).expect("a copy of lab");
        Self { path, _directory: directory }
    }
}

fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("open to all");
    directory
}

/// What strikes the lab.
#[derive(Clone, Copy)]
enum Strike {
    Once(&'static str, Signal),
    /// And a second time, while it cleans up.
    Twice(Signal, Duration),
    /// Killed, and at once another one is started, and asked to end.
    KillAndStart,
}

impl Strike {
    fn draw(chance: &mut Chance) -> Self {
        let polite = [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP)];
        let (name, signal) = polite[chance.below(3) as usize];
        match chance.below(6) {
            0..=2 => Self::Once(name, signal),
            3 => Self::Twice(signal, Duration::from_millis(chance.below(300))),
            4 => Self::Once("KILL", Signal::KILL),
            _ => Self::KillAndStart,
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(name, _) => f.write_str(name),
            Self::Twice(..) => f.write_str("a second signal"),
            Self::KillAndStart => f.write_str("KILL, then a start"),
        }
    }
}

struct Trial {
    command: &'static str,
    strike: Strike,
    after: Duration,
    user: Option<u32>,
}

impl Trial {
    /// The instant lies anywhere from before the first server to after the end of the run.
    fn draw(turn: u32, chance: &mut Chance) -> Self {
        let (command, length_ms) = match chance.below(2) {
            0 => ("up", 6_000),
            _ => ("run thundering-herd --policy lease --world real", 9_000),
        };
        let after = Duration::from_millis(chance.below(length_ms));
        let user = (geteuid().is_root() && turn % 2 == 1).then(|| ordinary_user(ORDINARY_USER));
        Self { command, strike: Strike::draw(chance), after, user }
    }

    fn make(&self, program: &Program) -> Left {
        let place = open_directory();
        let mut watch = Watch::new(place.path());
        let mut lab = self.start(program, place.path());
        let begun = Instant::now();
        while begun.elapsed() < self.after && lab.try_wait().expect("a child of ours").is_none() {
            watch.look();
            thread::sleep(LOOK);
        }
        let strike = |lab: &Child, signal| {
            // It may have ended by itself: then this is a child to be waited for, and nobody else.
            let _ = kill_process(Pid::from_child(lab), signal);
        };
        match self.strike {
            Strike::Once(_, signal) => strike(&lab, signal),
            Strike::Twice(signal, later) => {
                strike(&lab, signal);
                thread::sleep(later);
                strike(&lab, signal);
            }
            Strike::KillAndStart => {
                strike(&lab, Signal::KILL);
                lab.wait().expect("it is dead");
                lab = self.start(program, place.path());
                for _ in 0..50 {
                    watch.look();
                    thread::sleep(LOOK);
                }
                strike(&lab, Signal::TERM);
            }
        }
        let ended = poll(ENDED_WITHIN, || {
            watch.look();
            lab.try_wait().expect("a child of ours")
        });
        if ended.is_none() {
            strike(&lab, Signal::KILL);
            lab.wait().expect("it is dead");
        }
        let mut left = watch.left();
        poll(CLEAN_WITHIN, || {
            left = watch.left();
            left.is_nothing().then_some(())
        });
        left.hangs = ended.is_none();
        left
    }

    fn start(&self, program: &Program, place: &Path) -> Child {
        let mut command = Command::new(&program.path);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.args(self.command.split_whitespace()).current_dir("/").env("TMPDIR", place);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("lab can be started")
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.user.is_some() { " as an ordinary user" } else { "" };
        write!(f, "{} {:?} into `lab {}`{user}", self.strike, self.after, self.command)
    }
}

/// What a trial has left when nothing more changes.
#[derive(Default)]
struct Left {
    processes: Vec<String>,
    directories: Vec<PathBuf>,
    segments: Vec<String>,
    hangs: bool,
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.processes.is_empty() && self.directories.is_empty() && self.segments.is_empty() && !self.hangs
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processes, directories, segments, hangs } = self;
        let hangs = if *hangs { ", and did not end" } else { "" };
        write!(f, "processes {processes:#?}, directories {directories:#?}, segments {segments:#?}{hangs}")
    }
}

/// Knows what belongs to a trial: whatever names its directory, and the shared memory of the data directories that
/// were seen there (their inodes are its keys).
struct Watch<'a> {
    place: &'a Path,
    inodes: BTreeSet<u32>,
    /// Segments that were there before: the system gives an inode to one directory after the other.
    before: Vec<String>,
}

impl<'a> Watch<'a> {
    fn new(place: &'a Path) -> Self {
        let before = segments().iter().filter_map(|line| id_of(line)).collect();
        Self { place, inodes: BTreeSet::new(), before }
    }

    fn look(&mut self) {
        for lab in entries(self.place) {
            let data = entries(&lab.join("postgres"));
            self.inodes.extend(data.iter().filter_map(|data| Some(fs::metadata(data).ok()?.ino() as u32)));
        }
    }

    fn left(&self) -> Left {
        let is_ours = |line: &String| {
            let key = line.split_whitespace().next().and_then(|key| key.parse::<i32>().ok());
            let is_claimed = key.is_some_and(|key| self.inodes.contains(&key.cast_unsigned()));
            is_claimed && id_of(line).is_some_and(|id| !self.before.contains(&id))
        };
        Left {
            processes: entries(Path::new("/proc"))
                .iter()
                .filter_map(|process| self.named_by(process))
                .collect(),
            directories: entries(self.place),
            segments: segments().into_iter().filter(is_ours).collect(),
            hangs: false,
        }
    }

    /// A process that has to do with the place: it works there, has a file open there, or was told its name.
    fn named_by(&self, process: &Path) -> Option<String> {
        process.file_name()?.to_str()?.parse::<u32>().ok()?;
        let command = fs::read(process.join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let mut links = entries(&process.join("fd"));
        links.push(process.join("cwd"));
        let is_there =
            |link: &PathBuf| fs::read_link(link).is_ok_and(|target| target.starts_with(self.place));
        let is_named = command.contains(self.place.to_str()?) || links.iter().any(is_there);
        is_named.then(|| format!("{} {command}", process.display()))
    }
}

/// Every segment of shared memory, a line each.
fn segments() -> Vec<String> {
    let text = fs::read_to_string("/proc/sysvipc/shm").expect("Linux has it");
    text.lines().skip(1).map(str::to_owned).collect()
}

fn id_of(segment: &str) -> Option<String> {
    segment.split_whitespace().nth(1).map(str::to_owned)
}

/// None, where the directory cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// How many trials of each kind there were, and how many of them have left what.
#[derive(Default)]
struct Table(BTreeMap<String, [u32; 5]>);

impl Table {
    fn note(&mut self, trial: &Trial, left: &Left) {
        let command = trial.command.split_whitespace().next().unwrap_or_default();
        let row = self.0.entry(format!("{} at lab {command}", trial.strike)).or_default();
        let some = [
            true,
            !left.processes.is_empty(),
            !left.directories.is_empty(),
            !left.segments.is_empty(),
            left.hangs,
        ];
        for (sum, is_some) in row.iter_mut().zip(some) {
            *sum += u32::from(is_some);
        }
    }

    fn is_clean(&self) -> bool {
        self.0.values().all(|row| row[1..] == [0; 4])
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["trials", "processes", "directories", "segments", "hangs"];
        write!(f, "{:<28}", "")?;
        columns.iter().try_for_each(|column| write!(f, "{column:>12}"))?;
        let sum = self.0.values().fold([0; 5], |sum, row| std::array::from_fn(|at| sum[at] + row[at]));
        for (kind, row) in self.0.iter().map(|(kind, row)| (kind.as_str(), row)).chain([("all", &sum)]) {
            write!(f, "\n{kind:<28}")?;
            row.iter().try_for_each(|number| write!(f, "{number:>12}"))?;
        }
        Ok(())
    }
}
