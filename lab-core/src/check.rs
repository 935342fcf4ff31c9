//! What held: pure functions over a trace.
//!
//! A read is **stale** when it starts after a write was acknowledged and answers an older version. "After" is the
//! order of the trace, so the verdict does not rest on any clock.

mod requests;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::panic::Location;

pub use requests::{History, Request};
pub use tally::figures;

use crate::cluster::Actor;
use crate::report::{Bound, Check};
use crate::trace::{Event, EventId, Kind, Outcome, RequestKind, Verb};
use crate::value::{Instant, Tier};

/// Checks that more than one scenario asks for.
pub mod id {
    /// No read is answered an older version than one acknowledged before it began.
    pub const NO_STALE_READ: &str = "no-stale-read";
    /// No session reads below what it wrote itself.
    pub const READ_YOUR_WRITES: &str = "read-your-writes";
    /// Everybody is answered the same.
    pub const EQUAL_ANSWERS: &str = "equal-answers";
    /// Every request has an answer.
    pub const ALL_ANSWERED: &str = "all-answered";
}

/// A part of a trace.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    history: &'a History<'a>,
    from: usize,
    until: usize,
}

impl<'a> Part<'a> {
    /// The trace from the phase of that name to the end; nothing of it if the run never got there.
    pub fn since(history: &'a History<'a>, phase: &str) -> Self {
        let events = &history.trace.events;
        let from = events.iter().position(|event| is_phase(event, phase)).unwrap_or(events.len());
        Self { history, from, until: events.len() }
    }

    /// The whole trace.
    pub fn whole(history: &'a History<'a>) -> Self {
        Self { history, from: 0, until: history.trace.events.len() }
    }

    /// The trace from the phase of that name to the next phase.
    pub fn of(history: &'a History<'a>, phase: &str) -> Self {
        let part = Self::since(history, phase);
        let rest = history.trace.events.iter().enumerate().skip(part.from + 1);
        let next =
            rest.filter(|(_, event)| matches!(event.kind, Kind::Phase { .. })).map(|(index, _)| index).next();
        Self { until: next.filter(|_| kept!("part.ends")).unwrap_or(part.until), ..part }
    }

    /// Its events, with their places in the whole trace.
    pub fn events(self) -> impl Iterator<Item = (EventId, &'a Event)> {
        let events = self.history.trace.events[self.from..self.until].iter();
        (self.from..).map(|index| EventId(u32::try_from(index).unwrap_or(u32::MAX))).zip(events)
    }

    /// The requests that were sent in it, with their answers whenever they came.
    pub fn requests(self, kind: RequestKind) -> impl Iterator<Item = &'a Request<'a>> {
        self.history.requests(kind).filter(move |request| self.holds(request))
    }

    fn holds(self, request: &Request<'_>) -> bool {
        (self.from..self.until).contains(&request.sent.index()) || !kept!("part.within")
    }
}

fn is_phase(event: &Event, phase: &str) -> bool {
    matches!(&event.kind, Kind::Phase { name } if name == phase)
}

/// A count against a bound, as a check of the goal. Nothing to count from (`of` is 0) is no success. The line that asks is the one that the Test panel marks.
#[track_caller]
pub fn check(id: &str, seen: u64, of: Option<u64>, wanted: Bound, event: Option<EventId>) -> Check {
    let holds = wanted.holds(seen) && (of != Some(0) || !kept!("check.of-something"));
    Check {
        id: id.to_owned(),
        holds,
        seen,
        of,
        wanted,
        goal: true,
        event: event.filter(|_| !holds || !kept!("check.event-when-broken")),
        offenders: Vec::new(),
        source: Some(Location::caller().into()),
    }
}

/// The same, but the goal does not need it.
#[track_caller]
pub fn inform(id: &str, seen: u64, of: Option<u64>, wanted: Bound, event: Option<EventId>) -> Check {
    Check { goal: !kept!("inform.goal"), ..check(id, seen, of, wanted, event) }
}

/// A check of answers: those that break it are named.
#[track_caller]
fn of_answers(id: &str, broken: &[&Request<'_>], of: usize) -> Check {
    let first = broken.iter().filter_map(|request| request.completed).min();
    naming(broken, check(id, broken.len() as u64, Some(of as u64), Bound::AtMost(0), first))
}

/// Names the requests that break a check.
fn naming(broken: &[&Request<'_>], check: Check) -> Check {
    Check { offenders: broken.iter().map(|request| request.operation).collect(), ..check }
}

/// Since when a read's answer was known to be old as it was sent: the first acknowledgement, before its sending, of a
/// write of something newer. `None` for a read that is not stale.
fn stale_since(history: &History<'_>, read: &Request<'_>) -> Option<Instant> {
    let version = read.version?;
    let newer = history.requests(RequestKind::Write).filter(|write| {
        let known = (write.succeeded || !kept!("stale.succeeded"))
            && (write.completed.is_some_and(|done| done < read.sent) || !kept!("stale.acknowledged-before"));
        known
            && (write.key == read.key || !kept!("stale.same-row"))
            && write.version.is_some_and(|written| written > version || !kept!("stale.newer"))
    });
    newer.map(|write| write.completed_at).min()
}

/// The reads of a part that are stale, each with the instant from which on its answer was known to be old: the
/// acknowledgement of something newer, not its commit.
pub fn stale_reads(part: Part<'_>) -> impl Iterator<Item = (&Request<'_>, Instant)> {
    part.requests(RequestKind::Read)
        .filter_map(move |read| stale_since(part.history, read).map(|since| (read, since)))
}

/// No read of the part is stale.
#[track_caller]
pub fn no_stale_read(id: &str, part: Part<'_>) -> Check {
    let stale: Vec<_> = stale_reads(part).map(|(read, _)| read).collect();
    of_answers(id, &stale, part.requests(RequestKind::Read).count())
}

/// No read of the part is stale because of what this tier holds.
#[track_caller]
pub fn no_stale_read_from(id: &str, part: Part<'_>, tier: Tier) -> Check {
    let stale = stale_reads(part)
        .map(|(read, _)| read)
        .filter(|read| read.tier == Some(tier) || !kept!("stale.from-tier"));
    of_answers(id, &stale.collect::<Vec<_>>(), part.requests(RequestKind::Read).count())
}

/// No read of the part is answered an older version than one that was committed before it was sent, whether or not the
/// commit was acknowledged: its writer may be dead.
#[track_caller]
pub fn no_read_behind(id: &str, part: Part<'_>) -> Check {
    let commits: Vec<_> = commits(part.history).collect();
    let is_behind = |read: &&Request<'_>| {
        let newer = |(at, event): &(EventId, &Event)| {
            (*at < read.sent || !kept!("behind.committed-before"))
                && (event.key.as_ref() == Some(read.key) || !kept!("behind.same-row"))
                && (event.version > read.version || !kept!("behind.newer"))
        };
        (read.version.is_some() || !kept!("behind.answered")) && commits.iter().any(newer)
    };
    let behind: Vec<_> = part.requests(RequestKind::Read).filter(is_behind).collect();
    of_answers(id, &behind, part.requests(RequestKind::Read).count())
}

/// Every commit of a row, in the order of the trace.
fn commits<'a>(history: &History<'a>) -> impl Iterator<Item = (EventId, &'a Event)> {
    let is_commit = |event: &Event| {
        let updated = matches!(event.kind, Kind::Served { verb: Verb::Update, outcome: Outcome::Done, .. });
        updated && (event.actor == Actor::Primary || !kept!("behind.by-the-primary"))
    };
    (0..).map(EventId).zip(&history.trace.events).filter(move |(_, event)| is_commit(event))
}

/// No session reads below what it wrote itself.
#[track_caller]
pub fn read_your_writes(part: Part<'_>) -> Check {
    let own = |read: &Request<'_>| {
        let mine = part.history.requests(RequestKind::Write).filter(|write| {
            (write.client == read.client || !kept!("own.same-client"))
                && (write.key == read.key || !kept!("own.same-row"))
                && (write.completed.is_some_and(|done| done < read.sent) || !kept!("own.before"))
        });
        mine.filter_map(|write| write.version).max()
    };
    let reads: Vec<_> =
        part.requests(RequestKind::Read).filter(|read| own(read).is_some() || !kept!("own.owed")).collect();
    let below: Vec<_> = reads
        .iter()
        .copied()
        .filter(|read| (read.succeeded || !kept!("own.succeeded")) && read.version < own(read))
        .collect();
    Check { goal: false, ..of_answers(id::READ_YOUR_WRITES, &below, reads.len()) }
}

/// All requests of that kind that were answered a value were answered the same.
#[track_caller]
pub fn equal_answers(part: Part<'_>, kind: RequestKind) -> Check {
    let answered: Vec<_> =
        part.requests(kind).filter(|request| request.value.is_some() || !kept!("equal.answered")).collect();
    let values: BTreeSet<_> = answered.iter().map(|request| request.value).collect();
    let first = answered.first().and_then(|request| request.value);
    let others: Vec<_> = answered.into_iter().filter(|request| request.value != first).collect();
    let all = part.requests(kind).count() as u64;
    let event = others.first().and_then(|request| request.completed);
    let check = check(id::EQUAL_ANSWERS, values.len() as u64, Some(all), Bound::Exactly(1), event);
    naming(&others, Check { of: None, ..check })
}

/// Every request of the part was answered with a row, a version, or a plain yes.
#[track_caller]
pub fn all_answered(part: Part<'_>) -> Check {
    answered(part, |_| true)
}

/// Every read of the part was answered with a row; whoever wrote may have died over it.
#[track_caller]
pub fn all_reads_answered(part: Part<'_>) -> Check {
    answered(part, |request| request.kind == RequestKind::Read || !kept!("answered.reads"))
}

#[track_caller]
fn answered(part: Part<'_>, is_meant: impl Fn(&Request<'_>) -> bool) -> Check {
    let requests = part.history.requests.iter();
    let all: Vec<_> = requests.filter(|request| part.holds(request) && is_meant(request)).collect();
    let lost: Vec<_> =
        all.iter().copied().filter(|request| !request.succeeded && kept!("answered.succeeded")).collect();
    // That no answer comes at all is known only at the end.
    let end = EventId(u32::try_from(part.history.trace.events.len().saturating_sub(1)).unwrap_or(u32::MAX));
    let event = lost.iter().map(|request| request.completed.unwrap_or(end)).min();
    let (answered, all) = ((all.len() - lost.len()) as u64, all.len() as u64);
    naming(&lost, check(id::ALL_ANSWERED, answered, Some(all), Bound::Exactly(all), event))
}
