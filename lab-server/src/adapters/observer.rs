//! The journal that all servers of a run write, and whoever wants to watch the run reads.
//!
//! An event is stamped under the lock, so that the order of the journal is the order of its times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab_core::ports::{Clock, Observer};
use lab_core::trace::{Actor, Event, EventId, Journal, MessageId, Note, OperationId, Trace};
use lab_core::value::ServerId;
use tokio::sync::watch;

use super::refusals::{Answer, Refusal, Refusals, Store};
use super::time::{RunClock, ServerClock};

/// The journal of a run.
pub struct Recorder {
    clock: RunClock,
    pages: Mutex<Pages>,
    /// The events as JSON, as far as somebody has read them so.
    lines: Mutex<Vec<Arc<str>>>,
    /// How far the journal is, for those who follow it.
    progress: watch::Sender<Progress>,
    refusals: Mutex<Refusals>,
    /// The servers' own clocks.
    clocks: Mutex<BTreeMap<ServerId, ServerClock>>,
}

enum Pages {
    Open(Journal),
    Closed(Arc<Trace>),
}

/// How far a journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events in it.
    pub events: usize,
    /// Whether there will be more.
    pub closed: bool,
}

impl Recorder {
    /// An empty journal; the run's time begins now.
    pub fn start() -> Arc<Self> {
        Arc::new(Self {
            clock: RunClock::start(),
            pages: Mutex::new(Pages::Open(Journal::default())),
            lines: Mutex::default(),
            progress: watch::Sender::new(Progress::default()),
            refusals: Mutex::default(),
            clocks: Mutex::default(),
        })
    }

    /// The run's clock.
    pub fn clock(&self) -> RunClock {
        self.clock
    }

    /// A server's clock. It outlives the server, as a machine's clock does.
    pub fn clock_of(&self, server: ServerId) -> ServerClock {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.entry(server).or_insert_with(|| ServerClock::new(self.clock)).clone()
    }

    /// Writes down a note, now. What is noted after the end is lost: it belongs to no run.
    pub fn note(&self, actor: Actor, note: Note) -> EventId {
        let mut pages = self.pages();
        let Pages::Open(journal) = &mut *pages else {
            return EventId(u32::MAX);
        };
        let id = journal.note(self.clock.now(), actor, note);
        let events = journal.events().len();
        self.progress.send_replace(Progress { events, closed: false });
        id
    }

    /// A number for a new request.
    pub fn next_operation(&self) -> OperationId {
        match &mut *self.pages() {
            Pages::Open(journal) => journal.next_operation(),
            Pages::Closed(_) => OperationId(u32::MAX),
        }
    }

    fn next_message(&self) -> MessageId {
        match &mut *self.pages() {
            Pages::Open(journal) => journal.next_message(),
            Pages::Closed(_) => MessageId(u32::MAX),
        }
    }

    /// The call that an event belongs to.
    pub(super) fn message_of(&self, event: EventId) -> Option<MessageId> {
        match &*self.pages() {
            Pages::Open(journal) => journal.events().get(event.index())?.message,
            Pages::Closed(_) => None,
        }
    }

    /// Counts what a store did instead of what it was asked for.
    pub(super) fn refused(&self, store: Store, answer: Answer, words: &str) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).add(store, answer, words);
    }

    /// What the stores have refused so far.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    /// At most `limit` events from the one at `from` on.
    pub fn events(&self, from: usize, limit: usize) -> Vec<Event> {
        let slice = |events: &[Event]| {
            let end = events.len().min(from.saturating_add(limit));
            events.get(from..end).unwrap_or_default().to_vec()
        };
        match &*self.pages() {
            Pages::Open(journal) => slice(journal.events()),
            Pages::Closed(trace) => slice(&trace.events),
        }
    }

    /// At most `limit` events from the one at `from` on, each as a line of JSON. A line is written once, for whoever
    /// reads it first; many readers cost the run no more than one.
    pub fn lines(&self, from: usize, limit: usize) -> Vec<Arc<str>> {
        let end = from.saturating_add(limit);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = end.saturating_sub(lines.len());
        if missing > 0 {
            let events = self.events(lines.len(), missing);
            lines.extend(events.iter().map(line));
        }
        lines.get(from..end.min(lines.len())).unwrap_or_default().to_vec()
    }

    /// Tells how far the journal is, now and whenever it grows.
    pub fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Ends the journal: nothing is added any more.
    pub fn close(&self) -> Arc<Trace> {
        let mut pages = self.pages();
        let trace = match &mut *pages {
            Pages::Open(journal) => Arc::new(std::mem::take(journal).into_trace()),
            Pages::Closed(trace) => Arc::clone(trace),
        };
        *pages = Pages::Closed(Arc::clone(&trace));
        self.progress.send_replace(Progress { events: trace.events.len(), closed: true });
        trace
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(event: &Event) -> Arc<str> {
    // Fails only for what has no JSON, and every event has.
    serde_json::to_string(event).unwrap_or_default().into()
}

/// The notes of one server.
#[derive(Clone)]
pub struct ServerObserver {
    server: ServerId,
    recorder: Arc<Recorder>,
}

impl ServerObserver {
    /// Takes the notes of `server` into the journal.
    pub fn new(server: ServerId, recorder: Arc<Recorder>) -> Self {
        Self { server, recorder }
    }
}

impl Observer for ServerObserver {
    fn enabled(&self) -> bool {
        true
    }

    fn sees_nodes(&self) -> bool {
        false
    }

    fn note_at(&self, actor: Actor, note: Note) -> EventId {
        self.recorder.note(actor, note)
    }

    fn actor(&self) -> Actor {
        Actor::Server(self.server)
    }

    fn next_message(&self) -> MessageId {
        self.recorder.next_message()
    }
}

#[cfg(test)]
mod tests {
    use lab_core::trace::Kind;

    use super::*;

    #[test]
    fn a_line_is_written_once_for_all_readers() {
        let recorder = Recorder::start();
        let phase = |name: &str| recorder.note(Actor::Lab, Note::new(Kind::Phase { name: name.to_owned() }));
        for name in ["one", "two", "three"] {
            phase(name);
        }
        let first = recorder.lines(0, 2);
        phase("four");
        let second = recorder.lines(1, 256);
        assert_eq!((first.len(), second.len()), (2, 3));
        assert!(Arc::ptr_eq(&first[1], &second[0]), "the second reader has another text");

        let events = recorder.events(0, usize::MAX);
        let written = events.iter().map(|event| serde_json::to_string(event).expect("JSON"));
        assert!(written.eq(recorder.lines(0, usize::MAX).iter().map(ToString::to_string)));
        assert!(recorder.lines(4, 256).is_empty() && recorder.lines(usize::MAX, 256).is_empty());
        recorder.close();
        assert!(Arc::ptr_eq(&recorder.lines(0, 1)[0], &first[0]), "a run that is over keeps its lines");
    }
}
