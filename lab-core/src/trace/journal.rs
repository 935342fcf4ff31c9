//! The journal: takes notes, stamps them and keeps them in order.

use std::panic::Location;

use super::{Actor, Event, EventId, Kind, MessageId, OperationId, Trace, operation};
use crate::value::{Instant, Key, Version};

/// What the noting code knows of an event; the journal adds the rest.
#[derive(Clone, Debug)]
pub struct Note {
    kind: Kind,
    key: Option<Key>,
    version: Option<Version>,
    message: Option<MessageId>,
    operation: Option<OperationId>,
    cause: Option<EventId>,
    source: Option<&'static Location<'static>>,
}

impl Note {
    /// A note of the operation that is being polled, caused by its last event.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            key: None,
            version: None,
            message: None,
            operation: operation::current(),
            cause: operation::cause(),
            source: None,
        }
    }

    /// Names the row.
    #[must_use]
    pub fn key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Names the version.
    #[must_use]
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.version = version.into();
        self
    }

    /// Names the call.
    #[must_use]
    pub fn message(mut self, message: impl Into<Option<MessageId>>) -> Self {
        self.message = message.into();
        self
    }

    /// Names the client's request, where no scope does.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<Option<OperationId>>) -> Self {
        self.operation = operation.into();
        self
    }

    /// Names the event that led to it, where no scope does.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Option<EventId>>) -> Self {
        self.cause = cause.into();
        self
    }

    /// Names the line of our source, where one asked for it.
    #[must_use]
    pub fn source(mut self, source: impl Into<Option<&'static Location<'static>>>) -> Self {
        self.source = source.into();
        self
    }
}

/// The growing trace of a run. It also hands out the numbers of operations and messages.
#[derive(Debug)]
pub struct Journal {
    events: Vec<Event>,
    operations: u32,
    messages: u32,
}

/// A journal begins with room for so many events, so that a run of a thousand clients does not move its events
/// again and again.
const ROOM: usize = 1 << 15;

impl Default for Journal {
    fn default() -> Self {
        Self { events: Vec::with_capacity(ROOM), operations: 0, messages: 0 }
    }
}

impl Journal {
    /// Writes a note down and says where it stands.
    pub fn note(&mut self, at: Instant, actor: Actor, note: Note) -> EventId {
        let id = EventId(u32::try_from(self.events.len()).unwrap_or(u32::MAX));
        self.events.push(Event {
            at,
            actor,
            kind: note.kind,
            key: note.key,
            version: note.version,
            cause: note.cause,
            operation: note.operation,
            message: note.message,
            source: note.source.map(Into::into),
        });
        id
    }

    /// A number for a new request.
    pub fn next_operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    /// A number for a new call.
    pub fn next_message(&mut self) -> MessageId {
        self.messages += 1;
        MessageId(self.messages)
    }

    /// The events so far, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Ends the journal.
    pub fn into_trace(self) -> Trace {
        Trace { events: self.events }
    }
}
