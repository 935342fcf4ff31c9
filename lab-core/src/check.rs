//! What held: pure functions over a trace.
//!
//! A read is **stale** when it starts after a write was acknowledged and answers an older version. "After" is the
//! order of the trace, so the verdict does not rest on any clock.

mod requests;
mod tally;

use std::collections::BTreeSet;
use std::panic::Location;

pub use requests::{History, Request};
pub use tally::figures;

use crate::report::{Bound, Check};
use crate::trace::{Event, EventId, Kind, RequestKind};
use crate::value::{Key, Version};

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

    /// The trace from the phase of that name to the next phase.
    pub fn of(history: &'a History<'a>, phase: &str) -> Self {
        let part = Self::since(history, phase);
        let rest = history.trace.events.iter().enumerate().skip(part.from + 1);
        let next =
            rest.filter(|(_, event)| matches!(event.kind, Kind::Phase { .. })).map(|(index, _)| index).next();
        Self { until: next.unwrap_or(part.until), ..part }
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
        (self.from..self.until).contains(&request.sent.index())
    }
}

fn is_phase(event: &Event, phase: &str) -> bool {
    matches!(&event.kind, Kind::Phase { name } if name == phase)
}

/// A count against a bound, as a check of the goal. Nothing to count from (`of` is 0) is no success. The line that asks is the one that the Test panel marks.
#[track_caller]
pub fn check(id: &str, seen: u64, of: Option<u64>, wanted: Bound, event: Option<EventId>) -> Check {
    let holds = wanted.holds(seen) && of != Some(0);
    Check {
        id: id.to_owned(),
        holds,
        seen,
        of,
        wanted,
        goal: true,
        event: event.filter(|_| !holds),
        source: Some(Location::caller().into()),
    }
}

/// The same, but the goal does not need it.
#[track_caller]
pub fn inform(id: &str, seen: u64, of: Option<u64>, wanted: Bound, event: Option<EventId>) -> Check {
    Check { goal: false, ..check(id, seen, of, wanted, event) }
}

/// The newest version of a key whose write was acknowledged before the event `before`.
fn acknowledged(history: &History<'_>, key: &Key, before: EventId) -> Version {
    let writes = history.requests(RequestKind::Write);
    let known = writes.filter(|write| {
        write.succeeded && write.key == key && write.completed.is_some_and(|done| done < before)
    });
    known.filter_map(|write| write.version).max().unwrap_or_default()
}

/// The reads of a part that are stale.
pub fn stale_reads(part: Part<'_>) -> impl Iterator<Item = &Request<'_>> {
    part.requests(RequestKind::Read).filter(move |read| {
        read.version.is_some_and(|version| version < acknowledged(part.history, read.key, read.sent))
    })
}

/// No read of the part is stale.
#[track_caller]
pub fn no_stale_read(id: &str, part: Part<'_>) -> Check {
    let stale: Vec<_> = stale_reads(part).filter_map(|read| read.completed).collect();
    let all = part.requests(RequestKind::Read).count();
    check(id, stale.len() as u64, Some(all as u64), Bound::AtMost(0), stale.iter().min().copied())
}

/// No session reads below what it wrote itself.
#[track_caller]
pub fn read_your_writes(part: Part<'_>) -> Check {
    let own = |read: &Request<'_>| {
        let mine = part.history.requests(RequestKind::Write).filter(|write| {
            write.client == read.client
                && write.key == read.key
                && write.completed.is_some_and(|done| done < read.sent)
        });
        mine.filter_map(|write| write.version).max()
    };
    let reads: Vec<_> = part.requests(RequestKind::Read).filter(|read| own(read).is_some()).collect();
    let below = reads.iter().filter(|read| read.version < own(read));
    let broken: Vec<_> = below.filter_map(|read| read.completed).collect();
    let (seen, of) = (broken.len() as u64, reads.len() as u64);
    inform("read-your-writes", seen, Some(of), Bound::AtMost(0), broken.first().copied())
}

/// All requests of that kind were answered one and the same value.
#[track_caller]
pub fn equal_answers(part: Part<'_>, kind: RequestKind) -> Check {
    let first = part.requests(kind).find_map(|request| request.value);
    let values: BTreeSet<_> = part.requests(kind).filter_map(|request| request.value).collect();
    let other = part.requests(kind).find(|request| request.value != first);
    let all = part.requests(kind).count() as u64;
    let event = other.and_then(|request| request.completed);
    Check { of: None, ..check("equal-answers", values.len() as u64, Some(all), Bound::Exactly(1), event) }
}

/// Every request of the part was answered with a row, a version, or a plain yes.
#[track_caller]
pub fn all_answered(part: Part<'_>) -> Check {
    let all: Vec<_> = part.history.requests.iter().filter(|request| part.holds(request)).collect();
    let answered = all.iter().filter(|request| request.succeeded).count();
    let lost = all
        .iter()
        .find(|request| !request.succeeded)
        .map(|request| request.completed.unwrap_or(request.sent));
    check("all-answered", answered as u64, Some(all.len() as u64), Bound::Exactly(all.len() as u64), lost)
}
