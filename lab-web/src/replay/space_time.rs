//! The run as Lamport drew it: actors, the messages between them, and what lies in the past of an event.
//!
//! An event is in another's past when a chain leads from it: one step later at the same actor, or along a message.
//! The scenario itself is no actor here: it orders the requests, but it tells the servers nothing.

use std::collections::BTreeMap;

use lab_core::trace::{Actor, Event, EventId, Kind};
use lab_core::value::Instant;

use super::{Call, Operation, Replay};
use crate::stage_state::is_background;

/// What an arrow carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// A client's request.
    Request,
    /// The answer to it.
    Answer,
    /// A server's call.
    Call,
    /// The answer to that.
    Return,
    /// A notice, from the bus to a subscriber.
    Notice,
    /// What a master or the primary wrote, to a replica.
    Replication,
}

/// A message: it leaves one actor and reaches another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// The event that sends it.
    pub(crate) from: usize,
    /// The event at which it arrives.
    pub(crate) to: usize,
    /// What it carries.
    pub(crate) carries: Carries,
}

/// Every message of a run, and every actor's events in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SpaceTime {
    /// Messages, in order of arrival.
    pub(crate) arrows: Vec<Arrow>,
    /// By event: the event that sent what arrives here.
    sender: Vec<Option<u32>>,
    /// By actor: its events.
    lines: BTreeMap<Actor, Vec<u32>>,
}

impl SpaceTime {
    /// Gathers the messages of a run.
    pub(super) fn new(events: &[Event], calls: &[Option<Call>], operations: &[Option<Operation>]) -> Self {
        let mut arrows: Vec<Arrow> = Vec::new();
        let mut add = |from: Option<usize>, to: Option<usize>, carries| {
            if let (Some(from), Some(to)) = (from, to)
                && from < to
            {
                arrows.push(Arrow { from, to, carries });
            }
        };
        for operation in operations.iter().flatten() {
            let (received, answered) = (operation.received.map(|at| at.0), operation.answered.map(|at| at.0));
            add(Some(operation.requested), received, Carries::Request);
            add(answered, operation.completed.map(|at| at.0), Carries::Answer);
        }
        for call in calls.iter().flatten().filter(|call| !is_background(call.verb)) {
            add(Some(call.called), call.served, Carries::Call);
            add(call.served, call.returned, Carries::Return);
            for (delivered, ..) in &call.deliveries {
                // A real bus hands a notice on before it answers its publisher, which is when we note that it has it.
                let bus = call.served.filter(|served| served < delivered);
                add(bus.or(Some(call.called)), Some(*delivered), Carries::Notice);
            }
        }
        for (index, event) in events.iter().enumerate() {
            if let Kind::Replayed { verb, .. } = event.kind
                && !is_background(verb)
            {
                add(event.cause.map(EventId::index), Some(index), Carries::Replication);
            }
        }
        arrows.sort_by_key(|arrow| (arrow.to, arrow.from));
        let mut sender = vec![None; events.len()];
        for arrow in &arrows {
            sender[arrow.to] = u32::try_from(arrow.from).ok();
        }
        let mut lines: BTreeMap<Actor, Vec<u32>> = BTreeMap::new();
        for (index, event) in (0..).zip(events).filter(|(_, event)| event.actor != Actor::Lab) {
            lines.entry(event.actor).or_default().push(index);
        }
        Self { arrows, sender, lines }
    }

    /// Everything that can have led to the event `index`.
    pub(crate) fn past(&self, events: &[Event], index: usize) -> Past {
        let mut past = Past::default();
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            let Some(event) = events.get(index) else { continue };
            let Some(line) = self.lines.get(&event.actor) else { continue };
            let known = past.reach.get(&event.actor).copied();
            if known.is_some_and(|known| known >= index) {
                continue;
            }
            past.reach.insert(event.actor, index);
            let from = known.map_or(0, |known| line.partition_point(|&at| at as usize <= known));
            let to = line.partition_point(|&at| at as usize <= index);
            open.extend(
                line[from..to].iter().filter_map(|&at| self.sender[at as usize]).map(|at| at as usize),
            );
        }
        past
    }
}

/// The past of an event: how far it reaches at each actor.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Past {
    reach: BTreeMap<Actor, usize>,
}

impl Past {
    /// Whether the event `index` at `actor` is in it.
    pub(crate) fn has(&self, actor: Actor, index: usize) -> bool {
        self.reach.get(&actor).is_some_and(|&last| index <= last)
    }

    /// The last event of each actor that is in it.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (Actor, usize)> + '_ {
        self.reach.iter().map(|(actor, last)| (*actor, *last))
    }
}

/// When an event is drawn: a real node's own instant is not known, so its call turns round half-way.
pub(crate) fn drawn_at(replay: &Replay, index: usize) -> Instant {
    let Some(event) = replay.event(index) else { return Instant(0) };
    let turns = match event.kind {
        Kind::Served { .. } => event.message.and_then(|message| replay.call(message)?.turns_at),
        _ => None,
    };
    turns.unwrap_or(event.at)
}
