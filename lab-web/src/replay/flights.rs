//! Calls and requests with all their instants, gathered in one pass over the trace.

use std::collections::BTreeSet;

use lab_core::check::{self, History, Part};
use lab_core::report::Report;
use lab_core::trace::{Actor, Event, Kind, OperationId, Outcome, RequestKind, Trace, Verb};
use lab_core::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};
use lab_core::world::Fault;

use super::Commit;

/// One call from a server to a store or to the bus.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The server that calls.
    pub(crate) from: Actor,
    /// The node that is called.
    pub(crate) to: Actor,
    /// What for.
    pub(crate) verb: Verb,
    /// The row.
    pub(crate) key: Option<Key>,
    /// The event of the call.
    pub(crate) called: usize,
    /// When it was sent.
    pub(crate) sent_at: Instant,
    /// When it turns round at the node: where the node's own instant is not known, half-way.
    pub(crate) turns_at: Option<Instant>,
    /// The event at which it takes effect.
    pub(crate) served: Option<usize>,
    /// The event at which the answer is back.
    pub(crate) returned: Option<usize>,
    /// When the answer is back.
    pub(crate) returned_at: Option<Instant>,
    /// The answer.
    pub(crate) outcome: Option<Outcome>,
    /// The content that it carries or brings back.
    pub(crate) value: Option<Value>,
    /// The version that it carries or brings back.
    pub(crate) version: Option<Version>,
    /// For a publication: the events at which it reaches its subscribers, with server and instant.
    pub(crate) deliveries: Vec<(usize, ServerId, Instant)>,
    /// The event after which nothing of it is under way; `None` if that never comes.
    pub(crate) over: Option<usize>,
}

/// One client's request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    /// Who asks.
    pub(crate) client: ClientId,
    /// Who is asked.
    pub(crate) server: ServerId,
    /// What is asked.
    pub(crate) request: RequestKind,
    /// The row.
    pub(crate) key: Option<Key>,
    /// Its events, the first being the request itself.
    pub(crate) events: Vec<usize>,
    /// The event of the request.
    pub(crate) requested: usize,
    /// When it was sent.
    pub(crate) requested_at: Instant,
    /// When it reached the server.
    pub(crate) received: Option<(usize, Instant)>,
    /// When the server answered.
    pub(crate) answered: Option<(usize, Instant)>,
    /// When the answer reached the client.
    pub(crate) completed: Option<(usize, Instant)>,
    /// How it went.
    pub(crate) outcome: Option<Outcome>,
    /// What was answered.
    pub(crate) value: Option<Value>,
    /// Which version was answered.
    pub(crate) version: Option<Version>,
    /// From which tier.
    pub(crate) tier: Option<Tier>,
    /// For a stale read: since when its answer was known to be old, the acknowledgement of something newer.
    pub(crate) stale_since: Option<Instant>,
    /// Whether the answer is older than what the database held when it was sent.
    pub(crate) behind: bool,
    /// The event at which its server died over it.
    pub(crate) lost: Option<usize>,
}

/// Every call, at the place of its message number.
pub(super) fn calls(events: &[Event]) -> Vec<Option<Call>> {
    let mut calls: Vec<Option<Call>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Some(message) = event.message else { continue };
        let place = message.0 as usize;
        if calls.len() <= place {
            if place > events.len() * 4 + 1_000_000 {
                continue; // a recorded file may claim any number
            }
            calls.resize(place + 1, None);
        }
        match &event.kind {
            Kind::Called { to, verb } => calls[place] = Some(Call::new(index, event, *to, *verb)),
            _ => {
                if let Some(call) = &mut calls[place] {
                    call.take(index, event);
                }
            }
        }
    }
    let deaths: Vec<_> = deaths(events).collect();
    for call in calls.iter_mut().flatten() {
        let death =
            deaths.iter().find(|(server, at)| call.from == Actor::Server(*server) && call.called < *at);
        call.finish(death.map(|(_, at)| *at));
    }
    calls
}

/// The servers that are killed, each with the event.
fn deaths(events: &[Event]) -> impl Iterator<Item = (ServerId, usize)> {
    events.iter().enumerate().filter_map(|(index, event)| match event.kind {
        Kind::Injected { fault: Fault::Kill(Actor::Server(server)) } => Some((server, index)),
        _ => None,
    })
}

impl Call {
    fn new(index: usize, event: &Event, to: Actor, verb: Verb) -> Self {
        Self {
            from: event.actor,
            to,
            verb,
            key: event.key.clone(),
            called: index,
            sent_at: event.at,
            turns_at: None,
            served: None,
            returned: None,
            returned_at: None,
            outcome: None,
            value: None,
            version: event.version,
            deliveries: Vec::new(),
            over: None,
        }
    }

    fn take(&mut self, index: usize, event: &Event) {
        match &event.kind {
            Kind::Served { outcome, value, .. } => {
                self.served = Some(index);
                self.turns_at = Some(event.at);
                self.outcome = Some(outcome.clone());
                self.value.clone_from(value);
                self.version = event.version.or(self.version);
            }
            Kind::Returned { outcome, .. } => {
                self.returned = Some(index);
                self.returned_at = Some(event.at);
                self.outcome.get_or_insert_with(|| outcome.clone());
            }
            Kind::Delivered { .. } => {
                if let Actor::Server(server) = event.actor {
                    self.deliveries.push((index, server, event.at));
                }
            }
            _ => {}
        }
    }

    /// What it amounts to, where its server died at `death`, the first time after the call.
    fn finish(&mut self, death: Option<usize>) {
        // A real node's own instant is not known: it is noted with the answer. The picture turns half-way then.
        if let (Some(turns), Some(back)) = (self.turns_at, self.returned_at)
            && turns == back
        {
            self.turns_at = Some(Instant(self.sent_at.0.midpoint(back.0)));
        }
        let delivered = self.deliveries.iter().map(|(index, ..)| *index).max();
        // Nobody waits for the answer of who is dead; what it had sent may still arrive.
        let ended =
            self.returned.or_else(|| death.map(|death| self.served.map_or(death, |at| at.max(death))));
        self.over = ended.map(|ended| delivered.map_or(ended, |last| last.max(ended)));
    }

    /// Whether it hands a notice to the bus.
    pub(crate) fn is_publication(&self) -> bool {
        self.to == Actor::Bus
    }
}

/// Every request, at the place of its operation number.
pub(super) fn operations(trace: &Trace, commits: &[Commit]) -> Vec<Option<Operation>> {
    let events = &trace.events;
    let mut operations: Vec<Option<Operation>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Some(id) = event.operation else { continue };
        let place = id.0 as usize;
        if let (Actor::Client(client), Kind::Requested { request, server }) = (event.actor, &event.kind) {
            if place > events.len() * 4 + 1_000_000 {
                continue; // a recorded file may claim any number
            }
            if operations.len() <= place {
                operations.resize(place + 1, None);
            }
            operations[place] = Some(Operation::new(index, event, client, *server, *request));
            continue;
        }
        let Some(operation) = operations.get_mut(place).and_then(Option::as_mut) else { continue };
        operation.events.push(index);
        match &event.kind {
            Kind::Received { .. } => operation.received = Some((index, event.at)),
            Kind::Answered { .. } => operation.answered(index, event, commits),
            Kind::Completed { .. } => {
                operation.completed = Some((index, event.at));
                operation.take_answer(event);
            }
            _ => {}
        }
    }
    for (server, index) in deaths(events) {
        let waits = |own: &&mut Operation| {
            own.server == server && own.requested < index && own.completed.is_none() && own.lost.is_none()
        };
        for lost in operations.iter_mut().flatten().filter(waits) {
            lost.lost = Some(index);
        }
    }
    // Which answers are stale is the checks' decision, not the view's.
    let history = History::of(trace);
    for (read, since) in check::stale_reads(Part::whole(&history)) {
        if let Some(Some(operation)) = operations.get_mut(read.operation.0 as usize) {
            operation.stale_since = Some(since);
        }
    }
    operations
}

impl Operation {
    /// Its events up to `index`.
    pub(crate) fn events_until(&self, index: usize) -> &[usize] {
        &self.events[..self.events.partition_point(|own| *own <= index)]
    }

    /// Its events after `index`.
    pub(crate) fn events_after(&self, index: usize) -> &[usize] {
        &self.events[self.events_until(index).len()..]
    }

    /// Whether it is a stale read: it began after the acknowledgement of something newer than its answer.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale_since.is_some()
    }

    fn new(index: usize, event: &Event, client: ClientId, server: ServerId, request: RequestKind) -> Self {
        Self {
            client,
            server,
            request,
            key: event.key.clone(),
            events: vec![index],
            requested: index,
            requested_at: event.at,
            received: None,
            answered: None,
            completed: None,
            outcome: None,
            value: None,
            version: None,
            tier: None,
            stale_since: None,
            behind: false,
            lost: None,
        }
    }

    fn answered(&mut self, index: usize, event: &Event, commits: &[Commit]) {
        self.answered = Some((index, event.at));
        self.take_answer(event);
        if self.request == RequestKind::Read {
            let newest = commits
                .iter()
                .rev()
                .find(|commit| commit.index < index && Some(&commit.key) == self.key.as_ref());
            self.behind =
                matches!((newest, self.version), (Some(commit), Some(version)) if version < commit.version);
        }
    }

    fn take_answer(&mut self, event: &Event) {
        if let Kind::Answered { outcome, value, tier } | Kind::Completed { outcome, value, tier } =
            &event.kind
        {
            self.outcome = Some(outcome.clone());
            self.value = value.clone().or_else(|| self.value.clone());
            self.tier = tier.or(self.tier);
            self.version = event.version.or(self.version);
        }
    }
}

/// The operations whose answers break the goal, as the checks that failed name them. One without an answer has
/// none that could: that it lacks is known only when the run is over.
pub(super) fn violations(report: &Report, operations: &[Option<Operation>]) -> BTreeSet<OperationId> {
    let completed = |id: &OperationId| {
        operations.get(id.0 as usize).and_then(Option::as_ref).is_some_and(|own| own.completed.is_some())
    };
    let failed = report.checks.iter().filter(|check| check.goal && !check.holds);
    failed.flat_map(|check| check.offenders.iter().copied()).filter(completed).collect()
}
