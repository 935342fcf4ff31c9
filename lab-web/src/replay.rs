//! A run made ready to be looked at: every event reachable in little time, and what the drawing asks for again and
//! again (calls with all their instants, requests, commits, bands of freshness) found once.
//!
//! It is derived from the trace alone, so a recorded real run and a simulated one are the same to the view.

mod comparison;
mod flights;
mod lanes;
mod series;
mod space_time;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lab_core::cluster::Topology;
use lab_core::report::{Check, Report, WorldKind};
use lab_core::scenario::{Run, RunSpec};
use lab_core::trace::{Actor, Event, EventId, Kind, MessageId, OperationId, Outcome, Source, Trace, Verb};
use lab_core::value::{ClientId, Instant, Key, Version};

pub(crate) use comparison::Comparison;
pub(crate) use flights::{Call, Operation};
pub(crate) use lanes::{Band, Freshness, Lane, Mark, Publication};
pub(crate) use space_time::{Arrow, Carries, Past, SpaceTime, drawn_at};

use crate::ruler::{Ruler, View};
use crate::stage_state::{Ahead, ClientState, StageState, is_background_event};

/// Between two keyframes stand at least so many events …
const KEYFRAME_EVERY: usize = 256;
/// … and at least one for so many things that a keyframe holds, so that keyframes stay small beside the trace.
const KEYFRAME_THINGS_AN_EVENT: usize = 4;

/// A commit in the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commit {
    /// The event.
    pub(crate) index: usize,
    /// When.
    pub(crate) at: Instant,
    /// Of which row.
    pub(crate) key: Key,
    /// As which version.
    pub(crate) version: Version,
}

/// A run, ready to be shown at any of its events.
#[derive(Debug)]
pub(crate) struct Replay {
    /// What decided it.
    pub(crate) spec: RunSpec,
    /// Where it took place.
    pub(crate) world: WorldKind,
    /// Whether somebody opened it from a file: then nothing vouches for it but the file itself.
    pub(crate) from_file: bool,
    /// What happened.
    pub(crate) trace: Trace,
    /// What it amounts to.
    pub(crate) report: Report,
    /// The row that the stage shows.
    pub(crate) focus: Key,
    /// The shared horizontal ruler.
    pub(crate) ruler: Ruler,
    /// The ruler of the space-time diagram, on which messages can be told apart.
    pub(crate) close_ruler: Ruler,
    /// Actors and messages, as the space-time diagram draws them.
    pub(crate) space_time: SpaceTime,
    /// Every call, by message.
    calls: Vec<Option<Call>>,
    /// Every request, by operation.
    operations: Vec<Option<Operation>>,
    /// Commits, in order.
    pub(crate) commits: Vec<Commit>,
    /// Freshness of the focus key in each server, for the lanes.
    pub(crate) bands: Vec<Band>,
    /// Stale and failed answers, for the lanes.
    pub(crate) marks: Vec<Mark>,
    /// Notices on the bus with their deliveries, for the lanes.
    pub(crate) publications: Vec<Publication>,
    /// Operations whose answer breaks the goal.
    violations: BTreeSet<OperationId>,
    /// Which nodes it has.
    pub(crate) topology: Topology,
    /// The home server of each client, counted from 0: its dot stands over that server's card.
    pub(crate) homes: Vec<u8>,
    /// What the figures count.
    series: series::Series,
    /// The stage just before some events, in order.
    keyframes: Vec<(usize, StageState)>,
    /// The stage that was asked for last: the next one is most often a few events further.
    latest: RefCell<Option<(usize, Rc<StageState>)>>,
    /// The lines of the scenario, each with the first event at which it ran.
    scenario_lines: BTreeMap<u32, usize>,
    /// The first eight hexadecimal digits of the trace's digest.
    pub(crate) digest: u32,
}

/// A run is what it was made from: another one, even an equal one, is another.
impl PartialEq for Replay {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A run shared by pointer: the same run is the same pointer.
#[derive(Clone, Debug)]
pub(crate) struct Shown(pub(crate) Rc<Replay>);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Replay {
    /// Makes a run ready.
    pub(crate) fn new(spec: RunSpec, world: WorldKind, run: Run) -> Self {
        let Run { trace, report } = run;
        let events = &trace.events;
        let commits = commits(events);
        let calls = flights::calls(events);
        let operations = flights::operations(&trace, &commits);
        let (topology, homes) = population(events);
        let servers = usize::from(topology.servers);
        let shown = || events.iter().filter(|event| !is_background_event(event)).map(|event| event.at);
        let mut replay = Self {
            focus: Key::new(spec.scenario.scenario().focus),
            ruler: Ruler::new(shown()),
            close_ruler: Ruler::close(shown()),
            space_time: SpaceTime::new(events, &calls, &operations),
            violations: flights::violations(&report, &operations),
            publications: lanes::publications(events, &calls),
            series: series::Series::new(events, &operations, act(events)),
            bands: Vec::new(),
            marks: Vec::new(),
            keyframes: Vec::new(),
            latest: RefCell::default(),
            scenario_lines: scenario_lines(events, spec.scenario.file()),
            digest: (trace.digest() >> 32) as u32,
            spec,
            world,
            from_file: false,
            trace,
            report,
            calls,
            operations,
            commits,
            homes,
            topology,
        };
        replay.keyframes = replay.fold_all();
        replay.bands = lanes::bands(&replay, servers);
        replay.marks = lanes::marks(&replay);
        replay
    }

    fn fold_all(&self) -> Vec<(usize, StageState)> {
        let mut state = StageState::empty(&self.topology, self.homes.len());
        let mut keyframes = Vec::new();
        let mut next = 0;
        for (index, event) in self.trace.events.iter().enumerate() {
            if index == next {
                next += KEYFRAME_EVERY.max(state.things() / KEYFRAME_THINGS_AN_EVENT);
                keyframes.push((index, state.clone()));
            }
            state.apply(index, event, self);
        }
        keyframes
    }

    /// The stage just after event `index`.
    pub(crate) fn stage(&self, index: usize) -> Rc<StageState> {
        let index = index.min(self.last());
        let before = self.keyframes.partition_point(|(at, _)| *at <= index).checked_sub(1);
        let Some((from, keyframe)) = before.and_then(|place| self.keyframes.get(place)) else {
            return Rc::new(StageState::empty(&self.topology, 0));
        };
        let latest = self.latest.take().filter(|(at, _)| (*from..=index).contains(at));
        let (next, mut state) = match latest {
            Some((at, state)) => (at + 1, state),
            None => (*from, Rc::new(keyframe.clone())),
        };
        if next <= index {
            let state = Rc::make_mut(&mut state);
            for (place, event) in self.trace.events.iter().enumerate().take(index + 1).skip(next) {
                state.apply(place, event, self);
            }
        }
        *self.latest.borrow_mut() = Some((index, state.clone()));
        state
    }

    /// The ruler of a view of the time.
    pub(crate) fn ruler_of(&self, view: View) -> &Ruler {
        match view {
            View::Lanes => &self.ruler,
            View::SpaceTime => &self.close_ruler,
        }
    }

    /// The event at `index`, or the last one.
    pub(crate) fn event(&self, index: usize) -> Option<&Event> {
        self.trace.events.get(index.min(self.last()))
    }

    /// The index of the last event.
    pub(crate) fn last(&self) -> usize {
        self.trace.events.len().saturating_sub(1)
    }

    /// The last event at or before `at`.
    pub(crate) fn index_at(&self, at: Instant) -> usize {
        self.trace.events.partition_point(|event| event.at <= at).saturating_sub(1)
    }

    /// How many app servers there are.
    pub(crate) fn servers(&self) -> usize {
        usize::from(self.topology.servers)
    }

    /// The call that a message is.
    pub(crate) fn call(&self, message: MessageId) -> Option<&Call> {
        self.calls.get(message.0 as usize)?.as_ref()
    }

    /// A client's request.
    pub(crate) fn operation(&self, operation: OperationId) -> Option<&Operation> {
        self.operations.get(operation.0 as usize)?.as_ref()
    }

    /// Whether the answer of this operation breaks the goal.
    pub(crate) fn violates(&self, operation: OperationId) -> bool {
        self.violations.contains(&operation)
    }

    /// When `version` of `key` was superseded in the database, if that is before the event `index` or at it.
    pub(crate) fn superseded(&self, key: &Key, version: Version, index: usize) -> Option<Instant> {
        self.commits
            .iter()
            .take_while(|commit| commit.index <= index)
            .find(|commit| commit.key == *key && commit.version > version)
            .map(|commit| commit.at)
    }

    /// The event at which the part of the run begins that the question is about: the phase `act`.
    pub(crate) fn act(&self) -> usize {
        act(&self.trace.events)
    }

    /// The event at which it is known that a check is broken; the last event where it fails as a whole.
    pub(crate) fn broken_at(&self, check: &Check) -> usize {
        check.event.map_or(self.last(), EventId::index).min(self.last())
    }

    /// The event at which the first check of the goal that failed is known to be broken.
    pub(crate) fn first_violation(&self) -> Option<usize> {
        self.report.first_failure().map(|check| self.broken_at(check))
    }

    /// Events that N and P jump to: answers that are stale or break a check.
    pub(crate) fn trouble(&self) -> Vec<usize> {
        let mut at: BTreeSet<usize> = self.marks.iter().map(|mark| mark.index).collect();
        at.extend(self.first_violation());
        at.into_iter().collect()
    }

    /// The chain of causes that ends in `index`, itself among them: what it did in order to get there. Its past, all
    /// that can have told it anything, is [`SpaceTime::past`].
    pub(crate) fn causes(&self, index: usize) -> BTreeSet<usize> {
        let mut causes = BTreeSet::new();
        let mut next = Some(index);
        while let Some(index) = next {
            if !causes.insert(index) {
                break;
            }
            next = self.event(index).and_then(|event| event.cause).map(EventId::index);
        }
        causes
    }

    /// The operation that the Code panel follows at `index`: the event's own, or the last one that was at a line
    /// of our source.
    pub(crate) fn followed(&self, index: usize) -> Option<OperationId> {
        let events = &self.trace.events;
        if let Some(operation) = events.get(index)?.operation {
            return Some(operation);
        }
        events[..=index].iter().rev().take(4_000).find_map(|event| event.source.as_ref().and(event.operation))
    }

    /// The last line that an operation was at, as of `index`, of the files that `wanted` picks.
    pub(crate) fn line_of(
        &self,
        operation: OperationId,
        index: usize,
        wanted: impl Fn(&Source) -> bool,
    ) -> Option<(usize, &Source)> {
        // A request that has not begun yet is at no line.
        self.operation(operation)?.events_until(index).iter().rev().find_map(|own| {
            let source = self.event(*own)?.source.as_ref()?;
            wanted(source).then_some((*own, source))
        })
    }

    /// The lines of the scenario that ran up to event `index`.
    pub(crate) fn ran(&self, index: usize) -> BTreeSet<u32> {
        self.scenario_lines.iter().filter(|(_, first)| **first <= index).map(|(line, _)| *line).collect()
    }
}

impl Ahead for Replay {
    fn ends_call(&self, index: usize, message: MessageId) -> bool {
        self.call(message).is_some_and(|call| call.over == Some(index))
    }

    fn client_after(&self, operation: OperationId) -> ClientState {
        match self.operation(operation) {
            Some(own) if own.is_stale() || (own.behind && self.violates(operation)) => ClientState::Stale,
            Some(operation) if matches!(operation.outcome, Some(Outcome::Failed(_) | Outcome::Unknown)) => {
                ClientState::Failed
            }
            _ => ClientState::Fresh,
        }
    }

    fn lost(&self, index: usize) -> Vec<(OperationId, ClientId)> {
        let numbered = (0..).map(OperationId).zip(&self.operations);
        let lost = numbered.filter_map(|(id, operation)| Some((id, operation.as_ref()?)));
        lost.filter(|(_, own)| own.lost == Some(index)).map(|(id, own)| (id, own.client)).collect()
    }
}

fn act(events: &[Event]) -> usize {
    let is_act = |event: &Event| matches!(&event.kind, Kind::Phase { name } if name == "act");
    events.iter().position(is_act).unwrap_or(0)
}

/// The lines of a file, each with the first event that names it.
fn scenario_lines(events: &[Event], file: &str) -> BTreeMap<u32, usize> {
    let mut lines = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if let Some(source) = event.source.as_ref().filter(|source| source.file == file) {
            lines.entry(source.line).or_insert(index);
        }
    }
    lines
}

fn commits(events: &[Event]) -> Vec<Commit> {
    let is_commit = |event: &Event| {
        event.actor == Actor::Primary
            && matches!(event.kind, Kind::Served { verb: Verb::Update, outcome: Outcome::Done, .. })
    };
    events
        .iter()
        .enumerate()
        .filter(|(_, event)| is_commit(event))
        .filter_map(|(index, event)| {
            Some(Commit { index, at: event.at, key: event.key.clone()?, version: event.version? })
        })
        .collect()
}

/// The nodes of a run, and the home server of each client. A recording that does not name its nodes has the usual ones.
fn population(events: &[Event]) -> (Topology, Vec<u8>) {
    let started = events.iter().find_map(|event| match &event.kind {
        Kind::Started { topology } => Some(topology.clone()),
        _ => None,
    });
    let topology = started.unwrap_or_default();
    let mut homes: Vec<Option<u8>> = Vec::new();
    for event in events {
        if let (Actor::Client(client), Kind::Requested { server, .. }) = (event.actor, &event.kind) {
            let place = usize::from(client.0).saturating_sub(1);
            if homes.len() <= place {
                homes.resize(place + 1, None);
            }
            homes[place].get_or_insert(server.0.saturating_sub(1));
        }
    }
    let servers = usize::from(topology.servers.max(1));
    let homes =
        homes.iter().enumerate().map(|(place, home)| home.unwrap_or((place % servers) as u8)).collect();
    (topology, homes)
}

/// The lanes of the timeline, top to bottom.
pub(crate) fn lanes_of(servers: usize) -> Vec<Lane> {
    let mut lanes = vec![Lane::Clients];
    lanes.extend((0..servers).map(Lane::Server));
    lanes.extend([Lane::Bus, Lane::Redis, Lane::Postgres]);
    lanes
}

#[cfg(test)]
mod tests;
