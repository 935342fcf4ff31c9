//! The requests of a trace, each put together from its events.

use std::collections::BTreeMap;

use crate::trace::{Actor, EventId, Kind, OperationId, Outcome, RequestKind, Trace};
use crate::value::{ClientId, Instant, Key, ServerId, Tier, Value, Version};

/// One client's request, from its sending to its completion.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Its number.
    pub operation: OperationId,
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

/// The requests of one kind, in the order of their sending.
pub fn requests(trace: &Trace, kind: RequestKind) -> Vec<Request<'_>> {
    let mut open: BTreeMap<OperationId, Request<'_>> = BTreeMap::new();
    for (event, id) in trace.events.iter().zip((0..).map(EventId)) {
        let (Some(operation), Some(key)) = (event.operation, &event.key) else {
            continue;
        };
        match (&event.kind, event.actor) {
            (Kind::Requested { request, server }, Actor::Client(client)) if *request == kind => {
                let request = Request {
                    operation,
                    client,
                    server: *server,
                    key,
                    sent: id,
                    sent_at: event.at,
                    completed: None,
                    completed_at: event.at,
                    succeeded: false,
                    version: None,
                    value: None,
                    tier: None,
                };
                open.insert(operation, request);
            }
            (Kind::Completed { outcome, value, tier }, _) => {
                if let Some(request) = open.get_mut(&operation) {
                    request.completed = Some(id);
                    request.completed_at = event.at;
                    request.succeeded = matches!(outcome, Outcome::Hit | Outcome::Negative | Outcome::Done);
                    request.version = event.version;
                    request.value = value.as_ref();
                    request.tier = *tier;
                }
            }
            _ => {}
        }
    }
    open.into_values().collect()
}
