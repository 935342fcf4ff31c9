//! Random sequences of all commands of L2, on a real Redis Cluster and as the simulator applies them: the replies are
//! the same, and so is what is left. The simulator's Redis is then checked, not believed. A program of its own, so that
//! it can be run for as long as one likes:
//!
//! ```text
//! cargo xtask compare --sequences 10000 --seed 7
//! ```
//!
//! Without a count it makes as many sequences as the suite has time for. When a command was carried out is known up to
//! the time between its sending and its answer, and [`SLACK`]. Where that decides what a command finds (a value that
//! may just have expired), either reply is taken, and it goes on from there; such replies are counted.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, mem};

use futures_util::StreamExt;
use lab_core::ports::l2::{
    Change, Command, Content, Delete, Fill, Get, GetOrLease, Lock, ReplaceOlder, Reply, Set, SetIfNewer,
    Slot, Unlock, entry_of,
};
use lab_core::ports::{Ports, SharedCache};
use lab_core::trace::Verb;
use lab_core::value::{Entry, Instant, Key, ServerId, Stamp, Token, Value, Version};
use lab_server::adapters::keyspace::Keyspace;
use lab_server::adapters::observer::Recorder;
use lab_server::adapters::{Connect, RealPorts};
use lab_server::harness::{AppServer, Reach};
use lab_server::real::stores::Stores;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cmd;
use support::chance::{self, Chance};

/// The share of the test suite.
const COUNT: u32 = 400;
const SEED: u64 = 1;

/// Sequences under way at once.
const AT_ONCE: usize = 32;
/// Commands of a sequence.
const STEPS: (u64, u64) = (8, 32);
/// Keys of a sequence; each falls into a slot of its own.
const KEYS: u64 = 3;
/// Of so many steps one is a wait for what is short-lived.
const WAIT_EVERY: u64 = 40;
/// What is short-lived, and how long it takes until that is surely over.
const SHORT: Duration = Duration::from_millis(30);
const PAST_SHORT: Duration = Duration::from_millis(50);
/// What is not.
const LONG: Duration = Duration::from_hours(1);
/// Redis' clock has whole milliseconds, a key lives to the end of its last one, and both clocks may be read late.
const SLACK: Duration = Duration::from_millis(3);
/// Scripts compare versions as Lua's numbers, which are exact up to here.
const VERSION_MAX: u64 = 1 << 53;
/// Contents that a script could trip over.
const CONTENTS: [&str; 8] =
    ["50", "", "\"stamp\":{\"version\":9}", "T00000000000000ff", "{", "\\\u{0}\n", "\u{20ac}\u{1f600}", "}{"];

#[tokio::main]
async fn main() -> ExitCode {
    let (count, mut chance) = chance::asked(COUNT, SEED);
    let stores = Stores::start().await.unwrap_or_else(|error| panic!("{error}"));
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let real = Real::connect(stores.harness().endpoints().server(AppServer(1)).expect("a server")).await;
    let sequences = (1..=count).map(|number| Sequence::draw(number, &mut chance.fork()));
    let mut runs = futures_util::stream::iter(sequences)
        .map(|sequence| real.compare(sequence))
        .buffer_unordered(AT_ONCE);
    let (mut table, tenth) = (Table::default(), count.div_ceil(10));
    while let Some((sequence, compared)) = runs.next().await {
        table.note(&sequence, compared);
        if table.sequences.is_multiple_of(tenth) {
            eprintln!("{} of {count} sequences, {} differences", table.sequences, table.differences);
        }
    }
    println!("{table}");
    let missed = Command::ALL.iter().find(|facts| !table.replies.keys().any(|(verb, _)| *verb == facts.verb));
    if let Some(missed) = missed {
        println!("{} was never drawn: add it to `command`", missed.verb.as_str());
    }
    if table.differences == 0 && missed.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is done, in this order.
#[derive(Clone, Debug)]
enum Step {
    Call(u64, Command),
    Wait,
}

struct Sequence {
    number: u32,
    steps: Vec<Step>,
}

impl Sequence {
    fn draw(number: u32, chance: &mut Chance) -> Self {
        let length = STEPS.0 + chance.below(STEPS.1 - STEPS.0);
        let step = |_| match chance.below(WAIT_EVERY) {
            0 => Step::Wait,
            _ => Step::Call(chance.below(KEYS), command(chance)),
        };
        Self { number, steps: (0..length).map(step).collect() }
    }

    fn key(&self, number: u64) -> Key {
        Key::new(format!("compare:{}:{number}", self.number))
    }
}

fn command(chance: &mut Chance) -> Command {
    let (token, entry, ttl) = (Token(chance.below(3)), entry(chance), ttl(chance));
    match chance.below(9) {
        0 => Get.into(),
        1 => Set { entry, ttl }.into(),
        2 => SetIfNewer { entry, ttl }.into(),
        3 => ReplaceOlder { entry, ttl }.into(),
        4 => Delete.into(),
        5 => GetOrLease { token, ttl }.into(),
        6 => Fill { token, entry, ttl }.into(),
        7 => Lock { token, ttl }.into(),
        _ => Unlock { token }.into(),
    }
}

fn entry(chance: &mut Chance) -> Entry {
    let version = match chance.below(8) {
        0 => VERSION_MAX - chance.below(3),
        _ => chance.below(12),
    };
    let value = match chance.below(4) {
        0 => None,
        _ => Some(Value::new(CONTENTS[chance.below(CONTENTS.len() as u64) as usize])),
    };
    Entry { value, stamp: Stamp { version: Version(version), as_of: Instant(chance.below(u64::MAX)) } }
}

fn ttl(chance: &mut Chance) -> Duration {
    match chance.below(10) {
        0..=2 => SHORT,
        3 => Duration::from_micros(chance.below(3_000)),
        4 => Duration::MAX,
        _ => LONG,
    }
}

/// A real Redis Cluster, through the adapter and beside it.
struct Real {
    ports: RealPorts,
    beside: ClusterConnection,
    keyspace: Keyspace,
    begun: std::time::Instant,
}

impl Real {
    async fn connect(reach: &Reach) -> Self {
        let keyspace = Keyspace::default();
        let connect = Connect {
            server: ServerId(1),
            reach: reach.clone(),
            connections: 1,
            query_time: Duration::ZERO,
            keyspace: keyspace.clone(),
            recorder: Recorder::start(),
        };
        let ports = RealPorts::connect(connect).await.unwrap_or_else(|error| panic!("{error}"));
        let nodes = reach.redis_nodes().expect("addresses");
        let client = ClusterClient::builder(nodes).node_address_map(reach.redis_address_map()).build();
        let beside = client.expect("a client").get_async_connection().await.expect("a connection");
        Self { ports, beside, keyspace, begun: std::time::Instant::now() }
    }

    /// Nanoseconds since the beginning, which lies a slack after zero.
    fn now(&self) -> Instant {
        Instant(0).after(SLACK + self.begun.elapsed())
    }

    /// Carries a sequence out here and there.
    async fn compare(&self, sequence: Sequence) -> (Sequence, Compared) {
        let (mut model, mut compared) = (Model::default(), Compared::default());
        for (number, step) in sequence.steps.iter().enumerate() {
            let Step::Call(key, command) = step else {
                tokio::time::sleep(PAST_SHORT).await;
                continue;
            };
            let begun = self.now();
            let reply = self.ports.shared().call(&sequence.key(*key), command.clone()).await;
            let window = Window { from: begun, until: self.now() };
            let told = match &reply {
                Ok(reply) => model.step(*key, command, window, reply),
                Err(error) => Err(format!("Redis: {error}")),
            };
            match told {
                Ok(decided) => compared.saw(command, &reply.expect("it was one"), decided),
                Err(why) => {
                    compared.difference = Some(format!("step {number}, {command:?}: {why}"));
                    return (sequence, compared);
                }
            }
        }
        for key in 0..KEYS {
            if let Err(why) = self.compare_left(&model, key, &sequence.key(key)).await {
                compared.difference = Some(format!("at the end, key {key}: {why}"));
            }
        }
        (sequence, compared)
    }

    /// What is left: the content, and for how long.
    async fn compare_left(&self, model: &Model, number: u64, key: &Key) -> Result<(), String> {
        let (name, begun) = (self.keyspace.stored(key), self.now());
        let mut connection = self.beside.clone();
        let left: Option<i64> = cmd("PTTL").arg(&name).query_async(&mut connection).await.ok();
        let text: Option<String> =
            cmd("GET").arg(&name).query_async(&mut connection).await.expect("an answer");
        let window = Window { from: begun, until: self.now() };
        let left = left.ok_or("PTTL was not answered")?;
        let possible = model.slot(number);
        if possible.iter().any(|held| held.fits(text.as_deref(), left, window)) {
            return Ok(());
        }
        Err(format!("Redis holds {text:?} for {left} ms, the simulator {possible:?}"))
    }
}

fn is_stored_as(content: &Content, text: &str) -> bool {
    match content {
        Content::Token(token) => text == format!("T{token}"),
        Content::Value(entry) => entry_of(text).ok().flatten().as_ref() == Some(entry),
    }
}

/// When something was done: somewhere in between.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    fn earliest(self) -> Instant {
        Instant(self.from.0 - SLACK.as_nanos() as u64)
    }

    fn latest(self) -> Instant {
        self.until.after(SLACK)
    }
}

/// What a key may hold: a content that expires at an instant in between, or nothing.
#[derive(Clone, Debug, PartialEq)]
struct Possible {
    content: Option<Content>,
    expires: (Instant, Instant),
}

impl Possible {
    const NOTHING: Self = Self { content: None, expires: (Instant(0), Instant(0)) };

    /// As a slot in which it surely has not expired.
    fn live(&self) -> Slot {
        let mut slot = Slot::default();
        slot.replay(
            self.content.clone().map_or(Change::Remove, |content| Change::Put(content, Instant::FAR)),
        );
        slot
    }

    /// What a command does to it if it finds it as this slot.
    fn after(&self, found: &Slot, command: &Command, window: Window) -> (Reply, Self) {
        let (mut early, mut late) = (found.clone(), found.clone());
        let reply = command.apply(&mut early, window.earliest());
        command.apply(&mut late, window.latest());
        let next = match (early.take_change(), late.take_change()) {
            (Some(Change::Put(content, first)), Some(Change::Put(_, last))) => {
                Self { content: Some(content), expires: (first, last) }
            }
            (None, None) if !found.is_empty() => {
                // It was there: so it expires later than that.
                Self { expires: (self.expires.0.max(window.earliest()), self.expires.1), ..self.clone() }
            }
            _ => Self::NOTHING,
        };
        (reply, next)
    }

    /// What a command may be answered, and what it then leaves.
    fn outcomes(&self, command: &Command, window: Window) -> Vec<(Reply, Self)> {
        let live = (self.content.is_some() && window.earliest() < self.expires.1).then(|| self.live());
        let expired = (self.expires.0 <= window.latest()).then(Slot::default);
        live.iter().chain(&expired).map(|found| self.after(found, command, window)).collect()
    }

    /// Whether it may be what Redis holds as this text, for so many milliseconds more.
    fn fits(&self, text: Option<&str>, left: i64, window: Window) -> bool {
        let (Some(text), Some(content)) = (text, &self.content) else {
            return text.is_none() && self.expires.0 <= window.latest();
        };
        let Ok(left) = u64::try_from(left).map(Duration::from_millis) else { return false };
        let (least, most) = (self.expires.0.since(window.latest()), self.expires.1.since(window.earliest()));
        // Redis' clock goes further than the simulator's.
        let in_time = left <= most + SLACK || self.expires.1 == Instant::FAR;
        is_stored_as(content, text) && least.saturating_sub(SLACK) <= left && in_time
    }
}

/// The slots of a sequence's keys, each with all that it may hold.
#[derive(Default)]
struct Model(BTreeMap<u64, Vec<Possible>>);

impl Model {
    fn slot(&self, key: u64) -> Vec<Possible> {
        self.0.get(&key).cloned().unwrap_or_else(|| vec![Possible::NOTHING])
    }

    /// Applies a command and says whether only this reply could come; an error tells those that could.
    fn step(&mut self, key: u64, command: &Command, window: Window, reply: &Reply) -> Result<bool, String> {
        let outcomes = self.slot(key).into_iter().flat_map(|held| held.outcomes(command, window));
        let (mut next, others): (Vec<_>, Vec<_>) = outcomes.partition(|(applied, _)| applied == reply);
        if next.is_empty() {
            return Err(format!("Redis answers {reply:?}, the simulator {others:?} on {:?}", self.slot(key)));
        }
        next.dedup();
        self.0.insert(key, next.into_iter().map(|(_, held)| held).collect());
        Ok(others.is_empty())
    }
}

/// What came of a sequence.
#[derive(Default)]
struct Compared {
    /// How often each command was answered what.
    replies: BTreeMap<(Verb, String), u64>,
    undecided: u64,
    difference: Option<String>,
}

impl Compared {
    fn saw(&mut self, command: &Command, reply: &Reply, decided: bool) {
        let outcome = format!("{reply:?}");
        let kind = outcome.split(['(', ' ']).next().unwrap_or_default().to_owned();
        *self.replies.entry((command.verb(), kind)).or_default() += 1;
        self.undecided += u64::from(!decided);
    }
}

/// What came of all.
#[derive(Default)]
struct Table {
    sequences: u32,
    replies: BTreeMap<(Verb, String), u64>,
    undecided: u64,
    differences: u32,
}

impl Table {
    fn note(&mut self, sequence: &Sequence, mut compared: Compared) {
        self.sequences += 1;
        self.undecided += compared.undecided;
        for (reply, count) in mem::take(&mut compared.replies) {
            *self.replies.entry(reply).or_default() += count;
        }
        if let Some(difference) = compared.difference {
            self.differences += 1;
            println!("sequence {}: {difference}\n  {:?}", sequence.number, sequence.steps);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verb in self.replies.keys().map(|(verb, _)| *verb).collect::<BTreeSet<_>>() {
            write!(f, "{:<14}", verb.as_str())?;
            let of_verb = self.replies.iter().filter(|((of, _), _)| *of == verb);
            of_verb.into_iter().try_for_each(|((_, reply), count)| write!(f, "  {reply} {count}"))?;
            writeln!(f)?;
        }
        let commands: u64 = self.replies.values().sum();
        write!(
            f,
            "{} sequences, {commands} commands, of which {} were answered about an expiry that may have come or not; \
             {} differences",
            self.sequences, self.undecided, self.differences
        )
    }
}
