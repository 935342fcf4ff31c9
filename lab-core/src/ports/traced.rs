//! A decorator over any [`Ports`]: it notes each call with the line of the cache that waits for it.
//!
//! `#[track_caller]` has no effect on an `async fn`, so each method here is a plain one that takes its caller's
//! location before it enters its `async` block.

mod stores;

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::{
    Audience, Body, Bus, BusError, Committed, Database, DatabaseError, Member, Membership, Notice, Observer,
    Ports, Published, ReadFrom, Renewal, Row, Settled, SharedCache, SharedError, Unpublished,
    l2::{Command, Reply},
};
use crate::trace::{self, Actor, Kind, MessageId, Note, Outcome, Verb};
use crate::value::{Key, ServerId, Token, Value, Version, WriteId};

pub use stores::{TracedBus, TracedDatabase, TracedMembership, TracedShared};

/// The ports of one server, each call noted.
pub struct Traced<P: Ports> {
    inner: P,
    shared: TracedShared<P>,
    database: TracedDatabase<P>,
    bus: TracedBus<P>,
    membership: TracedMembership<P>,
}

impl<P: Ports> Traced<P> {
    /// Watches over `ports`.
    pub fn new(ports: P) -> Self {
        Self {
            shared: TracedShared(ports.clone()),
            database: TracedDatabase(ports.clone()),
            bus: TracedBus(ports.clone()),
            membership: TracedMembership(ports.clone()),
            inner: ports,
        }
    }
}

impl<P: Ports> Clone for Traced<P> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<P: Ports> Ports for Traced<P> {
    type Clock = P::Clock;
    type Shared = TracedShared<P>;
    type Database = TracedDatabase<P>;
    type Bus = TracedBus<P>;
    type Membership = TracedMembership<P>;
    type Tasks = P::Tasks;
    type Entropy = P::Entropy;
    type Observer = P::Observer;

    fn server(&self) -> ServerId {
        self.inner.server()
    }

    fn incarnation(&self) -> u64 {
        self.inner.incarnation()
    }

    fn clock(&self) -> &P::Clock {
        self.inner.clock()
    }

    fn shared(&self) -> &Self::Shared {
        &self.shared
    }

    fn database(&self) -> &Self::Database {
        &self.database
    }

    fn bus(&self) -> &Self::Bus {
        &self.bus
    }

    fn membership(&self) -> &Self::Membership {
        &self.membership
    }

    fn tasks(&self) -> &P::Tasks {
        self.inner.tasks()
    }

    fn entropy(&self) -> &P::Entropy {
        self.inner.entropy()
    }

    fn observer(&self) -> &P::Observer {
        self.inner.observer()
    }
}

/// What is known of a call before its answer.
struct Call<'k> {
    to: Actor,
    verb: Verb,
    key: Option<&'k Key>,
    value: Option<Value>,
    version: Option<Version>,
    token: Option<Token>,
    line: &'static Location<'static>,
}

impl<'k> Call<'k> {
    fn new(to: Actor, verb: Verb, key: &'k Key, line: &'static Location<'static>) -> Self {
        Self { to, verb, key: Some(key), value: None, version: None, token: None, line }
    }

    fn command(to: Actor, key: &'k Key, command: &Command, line: &'static Location<'static>) -> Self {
        Self {
            value: command.entry().and_then(|entry| entry.value.clone()),
            version: command.entry().map(|entry| entry.stamp.version),
            token: command.asks_with(),
            ..Self::new(to, command.verb(), key, line)
        }
    }

    fn note(&self, kind: Kind, version: Option<Version>, message: MessageId) -> Note {
        let note = Note::new(kind).version(version).message(message).source(self.line);
        match self.key {
            Some(key) => note.key(key),
            None => note,
        }
    }

    /// A statement that is about no row.
    fn to_primary(verb: Verb, line: &'static Location<'static>) -> Self {
        Self { to: Actor::Primary, verb, key: None, value: None, version: None, token: None, line }
    }

    /// Notes that the call is made, awaits it, and notes what came back.
    fn through<P: Ports, F>(self, ports: &P, answer: F) -> Through<'k, '_, P, F> {
        Through { answer, call: self, ports, message: None, begun: false }
    }

    /// Notes that the call is made; not if nobody watches, nor for upkeep.
    fn begin<P: Ports>(&self, ports: &P) -> Option<MessageId> {
        let observer = ports.observer();
        if !observer.enabled() || self.verb.is_quiet() {
            return None;
        }
        let message = observer.next_message();
        observer.note(self.note(Kind::Called { to: self.to, verb: self.verb }, self.version, message));
        Some(message)
    }

    /// Notes what came back.
    fn end<P: Ports>(&self, ports: &P, message: MessageId, told: Telling) {
        let (observer, verb) = (ports.observer(), self.verb);
        let version = told.version.or(self.version);
        if !observer.sees_nodes() && told.outcome != Outcome::Unknown {
            let wrote = self.value.clone().filter(|_| told.outcome == Outcome::Done);
            let value = wrote.or(told.value);
            let served = Kind::Served { verb, outcome: told.outcome.clone(), value, lsn: told.lsn };
            let id = observer.note_at(self.to, self.note(served, version, message));
            trace::set_cause(Some(id));
        }
        observer.note(self.note(Kind::Returned { verb, outcome: told.outcome }, version, message));
    }
}

pin_project! {
    /// A call that is noted when it is made and when its answer is back.
    struct Through<'k, 'p, P, F> {
        #[pin]
        answer: F,
        call: Call<'k>,
        ports: &'p P,
        message: Option<MessageId>,
        begun: bool,
    }
}

impl<P, T, E, F> Future for Through<'_, '_, P, F>
where
    P: Ports,
    T: Told,
    E: Failure,
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let this = self.project();
        if !*this.begun {
            *this.begun = true;
            *this.message = this.call.begin(*this.ports);
        }
        let Some(message) = *this.message else {
            return this.answer.poll(cx);
        };
        let answer = ready!(trace::calling(message, || this.answer.poll(cx)));
        let told = match &answer {
            Ok(answer) => answer.told(this.call.token),
            Err(error) => only(error.outcome()),
        };
        this.call.end(*this.ports, message, told);
        Poll::Ready(answer)
    }
}

/// An answer in the words of the trace.
struct Telling {
    outcome: Outcome,
    version: Option<Version>,
    value: Option<Value>,
    lsn: Option<u64>,
}

/// Something that can be told in the words of the trace.
trait Told {
    /// `token` is what the call asked with, if it asked for a lock or a lease.
    fn told(&self, token: Option<Token>) -> Telling;
}

/// An error that can be told in the words of the trace.
trait Failure {
    fn outcome(&self) -> Outcome;
}

fn only(outcome: Outcome) -> Telling {
    Telling { outcome, version: None, value: None, lsn: None }
}

impl Told for () {
    fn told(&self, _: Option<Token>) -> Telling {
        only(Outcome::Done)
    }
}

impl Told for Reply {
    fn told(&self, token: Option<Token>) -> Telling {
        let found = if let Self::Found(entry) = self { Some(entry) } else { None };
        Telling {
            outcome: self.outcome(token),
            version: found.map(|entry| entry.stamp.version),
            value: found.and_then(|entry| entry.value.clone()),
            lsn: None,
        }
    }
}

impl Told for Row {
    fn told(&self, _: Option<Token>) -> Telling {
        let outcome = if self.value.is_some() { Outcome::Hit } else { Outcome::Negative };
        Telling { outcome, version: Some(self.version), value: self.value.clone(), lsn: None }
    }
}

impl Told for Committed {
    fn told(&self, _: Option<Token>) -> Telling {
        Telling { version: Some(self.version), lsn: Some(self.lsn), ..only(Outcome::Done) }
    }
}

impl Told for Settled {
    fn told(&self, _: Option<Token>) -> Telling {
        match self {
            Self::Committed(version) => Telling { version: Some(*version), ..only(Outcome::Done) },
            Self::Refused => only(Outcome::Refused),
        }
    }
}

impl Told for Published {
    fn told(&self, _: Option<Token>) -> Telling {
        only(Outcome::Receivers(self.receivers))
    }
}

impl Told for Renewal {
    fn told(&self, token: Option<Token>) -> Telling {
        match self {
            Self::Member(live) => live.told(token),
            Self::Barred => only(Outcome::Refused),
        }
    }
}

impl Told for Vec<Member> {
    fn told(&self, _: Option<Token>) -> Telling {
        only(Outcome::Members(u32::try_from(self.len()).unwrap_or(u32::MAX)))
    }
}

impl Failure for SharedError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(why) => Outcome::Failed(why.clone()),
            Self::Unknown => Outcome::Unknown,
        }
    }
}

impl Failure for DatabaseError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(why) => Outcome::Failed(why.clone()),
            Self::Unknown => Outcome::Unknown,
        }
    }
}

impl Failure for BusError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Failed(why) => Outcome::Failed(why.clone()),
            Self::Unknown => Outcome::Unknown,
        }
    }
}
