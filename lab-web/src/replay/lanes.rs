//! What the lanes of the timeline show of a run: freshness of the focus key in each server, marks, notices.

use lab_core::report::Check;
use lab_core::trace::{Actor, Event, Kind, Verb, Why};
use lab_core::value::{Instant, Version};
use lab_core::world::Fault;

use super::{Call, Replay};
use crate::stage_state::is_background;

/// A row of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// All clients.
    Clients,
    /// A server, counted from 0.
    Server(usize),
    /// The bus.
    Bus,
    /// Redis masters and replicas.
    Redis,
    /// PostgreSQL.
    Postgres,
}

impl Lane {
    /// The lane that an actor's events are drawn in.
    pub(crate) fn of(actor: Actor) -> Option<Self> {
        match actor {
            Actor::Client(_) | Actor::Balancer => Some(Self::Clients),
            Actor::Server(server) => Some(Self::Server(server.index())),
            Actor::Bus => Some(Self::Bus),
            Actor::RedisMaster(_) | Actor::RedisReplica(_) => Some(Self::Redis),
            Actor::Primary | Actor::Replica(_) => Some(Self::Postgres),
            Actor::Lab => None,
        }
    }

    /// Its row among [`lanes_of`](super::lanes_of) so many servers.
    pub(crate) fn row(self, servers: usize) -> usize {
        match self {
            Self::Clients => 0,
            Self::Server(place) => place + 1,
            Self::Bus => servers + 1,
            Self::Redis => servers + 2,
            Self::Postgres => servers + 3,
        }
    }

    /// Its name on the left.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Clients => "clients".to_owned(),
            Self::Server(place) => format!("srv-{}", place + 1),
            Self::Bus => "bus".to_owned(),
            Self::Redis => "redis".to_owned(),
            Self::Postgres => "postgres".to_owned(),
        }
    }
}

/// How fresh a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The newest committed version.
    Fresh,
    /// An older version.
    Stale,
    /// It was there and is gone, or has run out.
    Gone,
}

/// A stretch of a server's lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Band {
    /// The server, counted from 0.
    pub(crate) server: usize,
    /// From when.
    pub(crate) from: Instant,
    /// Until when.
    pub(crate) to: Instant,
    /// How fresh the focus key is.
    pub(crate) freshness: Freshness,
}

/// An answer worth a mark in its server's lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// The event: the answer at the server.
    pub(crate) index: usize,
    /// The server, counted from 0.
    pub(crate) server: usize,
    /// When.
    pub(crate) at: Instant,
    /// Whether it breaks the goal (a cross) or is only stale (a triangle).
    pub(crate) bad: bool,
}

/// A notice on the bus.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publication {
    /// When the bus took it.
    pub(crate) from: Instant,
    /// When it reached its last subscriber.
    pub(crate) to: Instant,
}

/// The stretches of freshness of the focus key in each server.
pub(super) fn bands(replay: &Replay, servers: usize) -> Vec<Band> {
    let end = replay.trace.events.last().map_or(Instant(0), |event| event.at);
    let mut builders = vec![Builder::default(); servers];
    let mut bands = Vec::new();
    let mut newest = Version(0);
    for event in &replay.trace.events {
        if event.key.as_ref().is_some_and(|key| *key != replay.focus) {
            continue;
        }
        if let (Actor::Primary, Kind::Served { verb: Verb::Update, .. }, Some(version)) =
            (event.actor, &event.kind, event.version)
        {
            newest = newest.max(version);
            for (server, builder) in builders.iter_mut().enumerate() {
                if let Some(held) = builder.version {
                    builder.turn(server, event.at, Some(freshness(held, newest)), &mut bands);
                }
            }
        }
        if let Kind::Injected { fault: Fault::Kill(Actor::Server(id)) } = event.kind
            && let Some(builder) = builders.get_mut(id.index())
        {
            builder.version = None;
            builder.turn(id.index(), event.at, None, &mut bands);
        }
        let Actor::Server(id) = event.actor else { continue };
        let Some(builder) = builders.get_mut(id.index()) else { continue };
        match &event.kind {
            Kind::L1Stored { .. } => {
                builder.version = event.version;
                let now = event.version.map(|held| freshness(held, newest));
                builder.turn(id.index(), event.at, now, &mut bands);
            }
            Kind::L1Dropped { held: true, .. }
            | Kind::L1Flushed { .. }
            | Kind::L1Unfit { why: Why::Expired } => {
                builder.version = None;
                builder.turn(id.index(), event.at, Some(Freshness::Gone), &mut bands);
            }
            _ => {}
        }
    }
    for (server, builder) in builders.iter_mut().enumerate() {
        builder.turn(server, end, None, &mut bands);
    }
    bands
}

fn freshness(held: Version, newest: Version) -> Freshness {
    if held < newest { Freshness::Stale } else { Freshness::Fresh }
}

/// One server's band in the making.
#[derive(Clone, Default)]
struct Builder {
    version: Option<Version>,
    now: Option<(Instant, Freshness)>,
}

impl Builder {
    fn turn(&mut self, server: usize, at: Instant, to: Option<Freshness>, bands: &mut Vec<Band>) {
        if self.now.map(|(_, freshness)| freshness) == to {
            return;
        }
        if let Some((from, freshness)) = self.now.take() {
            bands.push(Band { server, from, to: at, freshness });
        }
        self.now = to.map(|freshness| (at, freshness));
    }
}

/// Stale answers and answers that break the goal.
pub(super) fn marks(replay: &Replay) -> Vec<Mark> {
    let events = &replay.trace.events;
    let answered = |event: &&Event| matches!(event.kind, Kind::Answered { .. });
    let mut marks: Vec<Mark> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| answered(event))
        .filter_map(|(index, event)| {
            let operation = replay.operation(event.operation?)?;
            let bad = replay.violates(event.operation?);
            (operation.is_stale() || operation.behind || bad).then(|| Mark {
                index,
                server: operation.server.index(),
                at: event.at,
                bad,
            })
        })
        .collect();
    // A check that is not about answers names an event of its own: the query too many, the second computation. One
    // about answers that names another event means the end of the run, where some are lacking.
    let failed = |check: &&Check| check.goal && !check.holds && check.offenders.is_empty();
    for check in replay.report.checks.iter().filter(failed) {
        let Some(index) = check.event.map(lab_core::trace::EventId::index) else { continue };
        let Some(event) = events.get(index) else { continue };
        let server =
            event.operation.and_then(|id| replay.operation(id)).map(|operation| operation.server.index());
        if let Some(server) = server
            && !matches!(event.kind, Kind::Answered { .. } | Kind::Completed { .. })
        {
            marks.push(Mark { index, server, at: event.at, bad: true });
        }
    }
    marks.sort_by_key(|mark| mark.index);
    marks
}

/// The notices on the bus that took their time; signs of life are left out.
pub(super) fn publications(events: &[Event], calls: &[Option<Call>]) -> Vec<Publication> {
    let shown = |call: &&Call| call.is_publication() && !is_background(call.verb);
    calls
        .iter()
        .flatten()
        .filter(shown)
        .filter_map(|call| {
            let to = call.deliveries.iter().map(|(_, _, at)| *at).max()?;
            // A real bus answers the publisher when it has handed the notice on: its own instant is not known.
            let served = events.get(call.served?)?.at;
            Some(Publication { from: if served <= to { served } else { call.sent_at }, to })
        })
        .collect()
}
