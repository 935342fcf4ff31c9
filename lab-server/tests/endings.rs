//! However a run on servers that somebody else runs ends, and whichever of them is silent meanwhile, it leaves nothing
//! that it does not name, and the commands that it names remove that and nothing else. A program of its own, so that it
//! can be run for as long as one likes:
//!
//! ```text
//! cargo test -p lab-server --test endings -- --count 40 --seed 1
//! ```
//!
//! Without a count it makes as many trials as the suite has time for. The somebody is a harness of the test's, which all
//! trials share; a master that was silent for long has lost its slots to its replica in the next one.

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use rustix::process::{Pid, Signal, kill_process};
use support::chance::{self, Chance};
use support::host::{Found, Host, Node, Silent};
use support::lab;

/// The share of the test suite.
const COUNT: u32 = 3;
const SEED: u64 = 1;

/// Short, so that most nodes are still silent when it is over.
const LEAVE_WITHIN: &str = "3";

/// No lab takes longer, with a silent node or not.
const ENDED_WITHIN: Duration = Duration::from_mins(1);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// From the start of the command to the end of its run, in milliseconds.
const RUN_MS: u64 = 2_600;

/// The same where it asks for what cannot be done.
const ERROR_MS: u64 = 600;

/// What a node is silent for, if it answers again while the lab is there, in milliseconds.
const SILENCE_MS: u64 = 5_000;

/// The claim's key.
const CLAIM: &str = "cache-lab:{claim}";

fn main() -> ExitCode {
    let (count, mut chance) = chance::asked(COUNT, SEED);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let table = runtime.block_on(async {
        let host = Host::open().await;
        let mut table = Table::default();
        for _ in 0..count {
            let trial = Trial::draw(&mut chance);
            let left = trial.make(&host).await;
            println!("{trial}: {left}");
            table.note(&trial, &left);
        }
        table
    });
    println!("{table}");
    if table.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How a run ends.
#[derive(Clone, Copy)]
enum Ending {
    /// By itself.
    Finished,
    /// It asks for what cannot be done on named servers.
    Error,
    /// A signal asks for it.
    Signal(&'static str, Signal, Duration),
    /// A second one, while it leaves, ends it at once.
    AtOnce(Duration, Duration),
}

impl Ending {
    fn draw(chance: &mut Chance) -> Self {
        let after = Duration::from_millis(chance.below(RUN_MS));
        match chance.below(5) {
            0 => Self::Finished,
            1 => Self::Error,
            2 => Self::Signal("Ctrl-C", Signal::INT, after),
            3 => Self::Signal("SIGTERM", Signal::TERM, after),
            _ => Self::AtOnce(after, Duration::from_millis(chance.below(1_000))),
        }
    }

    /// When the lab begins to leave, as far as that is known.
    fn begins(self) -> Duration {
        match self {
            Self::Finished => Duration::from_millis(RUN_MS),
            Self::Error => Duration::from_millis(ERROR_MS),
            Self::Signal(_, _, after) | Self::AtOnce(after, _) => after,
        }
    }

    fn arguments(self) -> &'static str {
        match self {
            Self::Error => "run invalidation-delay --policy lesson",
            _ => "run stampede-lock --policy lock --set compute-ms=2000",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::Error => "an error",
            Self::Signal(name, ..) => name,
            Self::AtOnce(..) => "a second signal",
        })
    }
}

struct Trial {
    ending: Ending,
    silent: Silent,
    after: Duration,
    /// Without it, until the lab has left.
    silence: Option<Duration>,
}

impl Trial {
    fn draw(chance: &mut Chance) -> Self {
        let silent = match chance.below(2) {
            0 => Silent::Primary,
            _ => Silent::Master(chance.below(3) as usize),
        };
        let ending = Ending::draw(chance);
        // Before the end, or in the midst of it.
        let after = chance.below(ending.begins().as_millis() as u64 + 100);
        let after = Duration::from_millis(after);
        let silence = Duration::from_millis(chance.below(SILENCE_MS));
        let silence = (chance.below(3) == 0).then_some(silence);
        Self { ending, silent, after, silence }
    }

    async fn make(&self, host: &Host) -> Left {
        let node = host.find(self.silent).await;
        let mut lab = start(host, self.ending.arguments());
        let (ended, was_silent) = self.happen(&node, &mut lab);
        if !ended {
            lab.kill().expect("a child of ours");
        }
        let status = lab.wait().expect("a child of ours");
        let mut told = String::new();
        lab.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
        // What was on its way to the node is done now, or never.
        node.resume();
        let sessions = host.settle().await;
        let found = host.look().await;
        host.bring_neighbours().await;
        let named = Named::read(&told);
        let failed = named.commands.iter().filter_map(|command| host.obey(command)).collect();
        let left = Left {
            unnamed: named.lacks(&found),
            found,
            remaining: host.remaining().await,
            lost: host.take_neighbours().await,
            named,
            failed,
            sessions,
            was_silent,
            hangs: !ended,
            panics: status.code().is_none() && ended || told.contains("panicked"),
        };
        if !left.is_clean() {
            println!("{told}");
            host.wipe().await;
        }
        left
    }

    /// What happens while the lab is there, each at its time; whether the lab ended by itself, and whether the node was
    /// silent before.
    fn happen(&self, node: &Node<'_>, lab: &mut Child) -> (bool, bool) {
        let begun = Instant::now();
        let mut strikes = match self.ending {
            Ending::Finished | Ending::Error => vec![],
            Ending::Signal(_, signal, after) => vec![(after, signal)],
            Ending::AtOnce(after, later) => vec![(after, Signal::INT), (after + later, Signal::INT)],
        };
        let mut silence = Some(self.after);
        let mut speech = self.silence.map(|silence| self.after + silence);
        while begun.elapsed() < ENDED_WITHIN {
            if lab.try_wait().expect("a child of ours").is_some() {
                return (true, silence.is_none());
            }
            let is_due = |at: &mut Duration| *at <= begun.elapsed();
            if silence.take_if(is_due).is_some() {
                node.pause();
            }
            if speech.take_if(is_due).is_some() {
                node.resume();
            }
            strikes.retain(|(at, signal)| {
                let is_due = *at <= begun.elapsed();
                if is_due {
                    // It may have ended meanwhile: then this is a child to be waited for, and nobody else.
                    let _ = kill_process(Pid::from_child(lab), *signal);
                }
                !is_due
            });
            thread::sleep(LOOK);
        }
        (false, silence.is_none())
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ending)?;
        match self.ending {
            Ending::Signal(_, _, after) => write!(f, " after {after:?}")?,
            Ending::AtOnce(after, later) => write!(f, " after {after:?} and {later:?}")?,
            Ending::Finished | Ending::Error => {}
        }
        match self.silent {
            Silent::Master(number) => write!(f, ", master {number} silent after {:?}", self.after)?,
            Silent::Primary => write!(f, ", the primary silent after {:?}", self.after)?,
        }
        match self.silence {
            Some(silence) => write!(f, " for {silence:?}"),
            None => f.write_str(" to the end"),
        }
    }
}

fn start(host: &Host, arguments: &str) -> Child {
    let (redis, postgres) = host.owner.urls();
    let mut command = lab();
    command.args(arguments.split_whitespace());
    command.args(["--world", "real", "--leave-within", LEAVE_WITHIN]);
    command.env("LAB_REDIS", redis).env("LAB_POSTGRES", postgres);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("lab can be started")
}

/// What the lab said that it left.
#[derive(Default)]
struct Named {
    schema: bool,
    claim: bool,
    keys: bool,
    commands: Vec<String>,
}

impl Named {
    /// Each is a line with its name, and below it the command.
    fn read(told: &str) -> Self {
        let mut named = Self::default();
        let mut lines = told.lines();
        while let Some(line) = lines.next() {
            let Some((what, _)) = line.split_once("this takes it away, once the server answers:") else {
                continue;
            };
            named.schema |= what.contains("the schema cache_lab on ");
            named.claim |= what.contains(CLAIM);
            named.keys |= what.contains("the run's keys, ");
            named.commands.push(lines.next().expect("its command").trim().to_owned());
        }
        named
    }

    /// What was found and not named.
    fn lacks(&self, found: &Found) -> Vec<String> {
        let is_named = |key: &&String| if *key == CLAIM { self.claim } else { self.keys };
        let keys = found.keys.iter().filter(|key| !is_named(key)).cloned();
        keys.chain((found.schema && !self.schema).then(|| "the schema".to_owned())).collect()
    }
}

/// What a trial has left.
struct Left {
    named: Named,
    /// Once every server answered again.
    found: Found,
    unnamed: Vec<String>,
    /// Commands that failed.
    failed: Vec<String>,
    /// After the commands.
    remaining: Found,
    /// What is somebody else's, and was taken away too.
    lost: Vec<String>,
    sessions: i64,
    /// Whether the node was silent while the lab was there.
    was_silent: bool,
    hangs: bool,
    panics: bool,
}

impl Left {
    /// In the order of the table's columns; those from the fourth on must not be.
    fn facts(&self) -> [bool; 10] {
        [
            self.was_silent,
            !self.named.commands.is_empty(),
            !self.found.is_nothing(),
            !self.unnamed.is_empty(),
            !self.failed.is_empty(),
            !self.remaining.is_nothing(),
            !self.lost.is_empty(),
            self.sessions > 0,
            self.hangs,
            self.panics,
        ]
    }

    fn is_clean(&self) -> bool {
        self.facts()[3..].iter().all(|fact| !fact)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named, found, unnamed, failed, remaining, .. } = self;
        write!(f, "{} named, {} keys", named.commands.len(), found.keys.len())?;
        if found.schema {
            f.write_str(" and the schema")?;
        }
        f.write_str(" found")?;
        if self.is_clean() {
            return Ok(());
        }
        write!(f, "; not named {unnamed:?}, commands that failed {failed:#?}, after them {remaining:?}")?;
        write!(f, ", of somebody else's {:?}, sessions {}", self.lost, self.sessions)?;
        write!(f, ", hangs {}, panics {}", self.hangs, self.panics)
    }
}

/// How many endings of each kind there were, and of how many of them what is true.
#[derive(Default)]
struct Table(BTreeMap<String, [u32; 11]>);

impl Table {
    fn note(&mut self, trial: &Trial, left: &Left) {
        let silent = match trial.silent {
            Silent::Master(_) => "a silent master",
            Silent::Primary => "a silent primary",
        };
        let row = self.0.entry(format!("{}, {silent}", trial.ending)).or_default();
        row[0] += 1;
        for (sum, fact) in row[1..].iter_mut().zip(left.facts()) {
            *sum += u32::from(fact);
        }
    }

    fn is_clean(&self) -> bool {
        self.0.values().all(|row| row[4..] == [0; 7])
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            "endings", "named", "found", "unnamed", "failed", "remain", "lost", "sessions", "hangs", "panics",
        ];
        write!(f, "{:<34}", "")?;
        columns.iter().try_for_each(|column| write!(f, "{column:>9}"))?;
        let sum = self.0.values().fold([0; 11], |sum, row| std::array::from_fn(|at| sum[at] + row[at]));
        for (kind, row) in self.0.iter().map(|(kind, row)| (kind.as_str(), row)).chain([("all", &sum)]) {
            write!(f, "\n{kind:<34}")?;
            row.iter().try_for_each(|number| write!(f, "{number:>9}"))?;
        }
        Ok(())
    }
}
