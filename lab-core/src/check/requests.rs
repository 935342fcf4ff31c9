//! The requests of a trace, each put together from its events.

use crate::trace::{Actor, Event, EventId, Kind, OperationId, Outcome, RequestKind, Trace};
use crate::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};

/// One client's request, from its sending to its completion.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Its number.
    pub operation: OperationId,
    /// What it asks.
    pub kind: RequestKind,
    /// Who sent it.
    pub client: ClientId,
    /// Where it went.
    pub server: ServerId,
    /// The row that it is about.
    pub key: &'a Key,
    /// The event of its sending.
    pub sent: EventId,
    /// When it was sent.
    pub sent_at: Instant,
    /// The event of its completion, if it completed.
    pub completed: Option<EventId>,
    /// When it completed.
    pub completed_at: Instant,
    /// Whether it was answered with what it asked for.
    pub succeeded: bool,
    /// The version that was read or written.
    pub version: Option<Version>,
    /// What was read or computed.
    pub value: Option<&'a Value>,
    /// Where the answer came from.
    pub tier: Option<Tier>,
}

/// A trace with its requests put together, once for all checks.
pub struct History<'a> {
    pub(super) trace: &'a Trace,
    /// In the order of their sending.
    pub(super) requests: Vec<Request<'a>>,
}

impl<'a> History<'a> {
    /// Reads a trace.
    pub fn of(trace: &'a Trace) -> Self {
        let mut requests: Vec<Request<'a>> = Vec::new();
        // Operations are numbered from 1 in the order of their sending.
        let mut places: Vec<Option<usize>> = Vec::new();
        for (event, id) in trace.events.iter().zip((0..).map(EventId)) {
            let (Some(OperationId(operation)), Some(key)) = (event.operation, &event.key) else {
                continue;
            };
            let number = OperationId(operation);
            let operation = operation as usize;
            match (&event.kind, event.actor) {
                (Kind::Requested { request, server }, Actor::Client(client)) => {
                    places.resize(places.len().max(operation + 1), None);
                    places[operation] = Some(requests.len());
                    requests.push(Request::sent(number, id, event, (*request, client, *server, key)));
                }
                (Kind::Completed { outcome, value, tier }, _) => {
                    if let Some(place) = places.get(operation).copied().flatten() {
                        let request = &mut requests[place];
                        request.completed = Some(id);
                        request.completed_at = event.at;
                        request.succeeded =
                            matches!(outcome, Outcome::Hit | Outcome::Negative | Outcome::Done)
                                || !kept!("request.succeeded");
                        request.version = event.version;
                        request.value = value.as_ref();
                        request.tier = *tier;
                    }
                }
                _ => {}
            }
        }
        Self { trace, requests }
    }

    /// The requests of one kind, in the order of their sending.
    pub fn requests(&self, kind: RequestKind) -> impl Iterator<Item = &Request<'a>> {
        self.requests.iter().filter(move |request| request.kind == kind || !kept!("request.kind"))
    }
}

impl<'a> Request<'a> {
    fn sent(
        operation: OperationId,
        id: EventId,
        event: &Event,
        (kind, client, server, key): (RequestKind, ClientId, ServerId, &'a Key),
    ) -> Self {
        Self {
            operation,
            kind,
            client,
            server,
            key,
            sent: id,
            sent_at: event.at,
            completed: None,
            completed_at: event.at,
            succeeded: !kept!("request.open"),
            version: None,
            value: None,
            tier: None,
        }
    }
}
