//! What a policy promises, and what of it a run broke.
//!
//! A promise speaks of answers that were given: a read whose answer was lost breaks none, and neither does a write of
//! which nobody knows whether it happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Trouble;
use crate::check::{History, Part, Request};
use crate::consistency::Level;
use crate::policy::{Acknowledge, Outbox, Policy};
use crate::trace::{Actor, EventId, Kind, OperationId, Outcome, RequestKind, Trace, Verb};
use crate::value::{ClientId, Key, Version};

/// A promise to whoever reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// A read that is sent after a write was acknowledged answers that version or a newer one.
    FreshAfterAcknowledgement,
    /// A read answers nothing older than a read that ended before it was sent, whoever sent either.
    Linearizable,
    /// A session reads nothing older than what it wrote.
    ReadYourWrites,
    /// A session reads nothing older than what it read.
    MonotonicReads,
    /// When all is healed and quiet, every server answers what the database holds.
    ConvergesWhenQuiet,
    /// Every answer is a version that was committed before the answer was given.
    NothingInvented,
    /// Every write that was acknowledged was committed before.
    NoLostWrite,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// The row.
    pub key: Key,
    /// The request whose answer breaks it: a read, or the write that is lost.
    pub request: OperationId,
    /// What it was answered.
    pub answered: Version,
    /// What it had to be answered at least (at most, where something was invented).
    pub owed: Version,
    /// The event of the answer.
    pub event: EventId,
}

/// What a policy promises to keep whatever the nemesis does.
///
/// An acknowledged invalidation alone does not promise that all converges: a commit that lands after its write was given up is
/// announced by nobody. A record of it beside the row tells, which is the outbox.
pub fn promised(policy: &Policy) -> Vec<Promise> {
    let acknowledged = policy.write.acknowledge != Acknowledge::No;
    let (strong, session) = (policy.level == Level::Strong, policy.level == Level::Session);
    let promises = [
        (Promise::FreshAfterAcknowledgement, acknowledged || strong),
        (Promise::Linearizable, strong),
        (Promise::ReadYourWrites, acknowledged || strong || session),
        (Promise::MonotonicReads, strong || session),
        (Promise::ConvergesWhenQuiet, strong || (acknowledged && policy.write.outbox != Outbox::None)),
        (Promise::NothingInvented, true),
        (Promise::NoLostWrite, true),
    ];
    promises.into_iter().filter_map(|(promise, made)| made.then_some(promise)).collect()
}

/// Whether a policy keeps a promise under this trouble, too.
///
/// Who waits for acknowledgements waits for the members of a table, and a member serves L1 as long as its own clock says
/// that its lease runs. A clock that stands still, as one does that was ahead and is set right, makes the lease longer than
/// the database thinks: for so long that server may answer what is old.
///
/// Who reads from L2 trusts that it keeps what it has acknowledged. A Redis master that dies, or is deposed while it stands
/// still, loses what its replica has not heard of: then L2 goes back to an older version, and no lease in a slot helps, since
/// the slot itself is older. (A session knows what it wrote and read, and refuses that; a strong read asks the database.)
pub fn survives(policy: &Policy, promise: Promise, trouble: Trouble) -> bool {
    let by_shared = match promise {
        Promise::FreshAfterAcknowledgement | Promise::ConvergesWhenQuiet => policy.level != Level::Strong,
        Promise::ReadYourWrites => !matches!(policy.level, Level::Strong | Level::Session),
        _ => false,
    };
    if by_shared && matches!(trouble, Trouble::BounceRedis(_) | Trouble::PauseRedis(_)) {
        return false;
    }
    let by_lease = matches!(promise, Promise::FreshAfterAcknowledgement | Promise::ReadYourWrites)
        && policy.level != Level::Strong;
    !(by_lease && matches!(trouble, Trouble::Skew(..)))
}

/// Holds a run against promises, its policy's own or others. Answers with the violations, in the order of [`Promise`], and
/// the number of answers checked.
pub fn judge(promises: &[Promise], trace: &Trace) -> (Vec<Violation>, u64) {
    let history = History::of(trace);
    let commits = commits(trace);
    let reads: Vec<_> = history.requests(RequestKind::Read).filter(|read| answered(read)).collect();
    let mut violations = Vec::new();
    let mut checked = 0;
    for &promise in promises {
        let owed: Vec<_> = match promise {
            Promise::FreshAfterAcknowledgement => owed_by(&reads, &writes(&history), |_, _| true),
            Promise::Linearizable => owed_by(&reads, &reads, |_, _| true),
            Promise::ReadYourWrites => owed_by(&reads, &writes(&history), same_client),
            Promise::MonotonicReads => owed_by(&reads, &reads, same_client),
            Promise::ConvergesWhenQuiet => last_look(&history, &commits),
            Promise::NothingInvented => {
                checked += reads.len() as u64;
                violations.extend(reads.iter().filter_map(|read| invented(read, &commits)));
                continue;
            }
            Promise::NoLostWrite => {
                let acknowledged = writes(&history);
                checked += acknowledged.len() as u64;
                violations.extend(acknowledged.iter().filter_map(|write| lost(write, &commits)));
                continue;
            }
        };
        checked += owed.len() as u64;
        violations.extend(owed.into_iter().filter_map(|(read, owed)| below(promise, read, owed)));
    }
    violations.sort_by_key(|violation| (violation.promise, violation.event));
    (violations, checked)
}

/// The version of each row at each commit, in the order of the trace.
type Commits = BTreeMap<Key, Vec<(EventId, Version)>>;

fn commits(trace: &Trace) -> Commits {
    let mut commits = Commits::new();
    for (event, id) in trace.events.iter().zip((0..).map(EventId)) {
        let committed = matches!(
            (&event.kind, event.actor),
            (Kind::Served { verb: Verb::Update, outcome: Outcome::Done, .. }, Actor::Primary)
        );
        if let (true, Some(key), Some(version)) = (committed, &event.key, event.version) {
            commits.entry(key.clone()).or_default().push((id, version));
        }
    }
    commits
}

fn answered(read: &Request<'_>) -> bool {
    read.succeeded || !kept!("judge.answered")
}

fn writes<'a>(history: &'a History<'a>) -> Vec<&'a Request<'a>> {
    history
        .requests(RequestKind::Write)
        .filter(|write| write.succeeded || !kept!("judge.acknowledged"))
        .collect()
}

fn same_client(one: ClientId, other: ClientId) -> bool {
    one == other || !kept!("judge.same-session")
}

/// The reads, each with the newest version that a request before it makes it owe.
fn owed_by<'a>(
    reads: &[&'a Request<'a>],
    before: &[&'a Request<'a>],
    binds: impl Fn(ClientId, ClientId) -> bool,
) -> Vec<(&'a Request<'a>, Version)> {
    let owed = |read: &'a Request<'a>| {
        let earlier = before.iter().filter(|earlier| {
            (earlier.key == read.key || !kept!("judge.same-row"))
                && (earlier.completed.is_some_and(|done| done < read.sent) || !kept!("judge.before"))
                && binds(earlier.client, read.client)
        });
        earlier.filter_map(|earlier| earlier.version).max().map(|version| (read, version))
    };
    reads.iter().filter_map(|read| owed(read)).collect()
}

/// The reads of the last look, each with what the database held then.
fn last_look<'a>(history: &'a History<'a>, commits: &Commits) -> Vec<(&'a Request<'a>, Version)> {
    let reads = Part::of(history, "look again").requests(RequestKind::Read).filter(|read| answered(read));
    let owed = |read: &'a Request<'a>| {
        let committed = commits
            .get(read.key)?
            .iter()
            .filter(|(event, _)| *event < read.sent || !kept!("judge.committed-before"));
        committed.map(|(_, version)| *version).max().map(|version| (read, version))
    };
    reads.filter_map(owed).collect()
}

fn below(promise: Promise, read: &Request<'_>, owed: Version) -> Option<Violation> {
    let answered = read.version.unwrap_or_default();
    (answered < owed || !kept!("judge.older")).then(|| violation(promise, read, answered, owed))
}

fn invented(read: &Request<'_>, commits: &Commits) -> Option<Violation> {
    let (answered, done) = (read.version.unwrap_or_default(), read.completed?);
    let committed = commits
        .get(read.key)
        .into_iter()
        .flatten()
        .filter(|(event, _)| *event < done || !kept!("judge.committed-by-then"));
    let newest = committed.map(|(_, version)| *version).max().unwrap_or_default();
    (answered > newest || !kept!("judge.newer"))
        .then(|| violation(Promise::NothingInvented, read, answered, newest))
}

fn lost(write: &Request<'_>, commits: &Commits) -> Option<Violation> {
    let (acknowledged, done) = (write.version.unwrap_or_default(), write.completed?);
    let mut committed = commits
        .get(write.key)
        .into_iter()
        .flatten()
        .filter(|(event, _)| *event < done || !kept!("judge.committed-by-the-answer"));
    let is_there = committed.any(|(_, version)| *version == acknowledged || !kept!("judge.that-version"));
    let nothing = Version::default();
    (!is_there).then(|| violation(Promise::NoLostWrite, write, nothing, acknowledged))
}

fn violation(promise: Promise, read: &Request<'_>, answered: Version, owed: Version) -> Violation {
    Violation {
        promise,
        key: read.key.clone(),
        request: read.operation,
        answered,
        owed,
        event: read.completed.unwrap_or(read.sent),
    }
}
