//! A decorator over any [`Ports`]: it notes each call with the line of the cache that waits for it.
//!
//! `#[track_caller]` has no effect on an `async fn`, so each method here is a plain one that takes its caller's
//! location before it enters its `async` block.

mod stores;

use std::panic::Location;
use std::time::Duration;

use super::{
    Audience, Body, Bus, BusError, Committed, Database, DatabaseError, Leased, Locked, Member, Membership,
    Notice, Observer, Ports, Published, ReadFrom, Row, SharedCache, SharedError, Stored, Unlocked,
};
use crate::trace::{self, Actor, Kind, Note, Outcome, Verb};
use crate::value::{Entry, Key, Lookup, ServerId, Token, Value, Version};

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
struct Call<'k, 'v> {
    to: Actor,
    verb: Verb,
    key: Option<&'k Key>,
    value: Option<&'v Value>,
    version: Option<Version>,
    line: &'static Location<'static>,
}

impl<'k, 'v> Call<'k, 'v> {
    fn new(to: Actor, verb: Verb, key: &'k Key, line: &'static Location<'static>) -> Self {
        Self { to, verb, key: Some(key), value: None, version: None, line }
    }

    fn writing(mut self, entry: &'v Entry) -> Self {
        self.value = entry.value.as_ref();
        self.version = Some(entry.stamp.version);
        self
    }

    fn note(&self, kind: Kind, version: Option<Version>, message: trace::MessageId) -> Note {
        let note = Note::new(kind).version(version).message(message).source(self.line);
        match self.key {
            Some(key) => note.key(key),
            None => note,
        }
    }

    /// Notes that the call is made, awaits it, and notes what came back.
    async fn through<P, T, E>(self, ports: &P, answer: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        P: Ports,
        T: Told,
        E: Failure,
    {
        let observer = ports.observer();
        if !observer.enabled() || self.verb.is_quiet() {
            return answer.await;
        }
        let Self { to, verb, .. } = self;
        let message = observer.next_message();
        observer.note(self.note(Kind::Called { to, verb }, self.version, message));
        let answer = trace::calling(message, answer).await;
        let told = match &answer {
            Ok(answer) => answer.told(),
            Err(error) => only(error.outcome()),
        };
        let version = told.version.or(self.version);
        if !observer.sees_nodes() && told.outcome != Outcome::Unknown {
            let wrote = self.value.filter(|_| told.outcome == Outcome::Done).cloned();
            let value = wrote.or(told.value);
            let served = Kind::Served { verb, outcome: told.outcome.clone(), value, lsn: told.lsn };
            let id = observer.note_at(to, self.note(served, version, message));
            trace::set_cause(Some(id));
        }
        observer.note(self.note(Kind::Returned { verb, outcome: told.outcome }, version, message));
        answer
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
    fn told(&self) -> Telling;
}

/// An error that can be told in the words of the trace.
trait Failure {
    fn outcome(&self) -> Outcome;
}

fn only(outcome: Outcome) -> Telling {
    Telling { outcome, version: None, value: None, lsn: None }
}

fn found(entry: &Entry) -> Telling {
    let outcome = if entry.value.is_some() { Outcome::Hit } else { Outcome::Negative };
    Telling { outcome, version: Some(entry.stamp.version), value: entry.value.clone(), lsn: None }
}

impl Told for () {
    fn told(&self) -> Telling {
        only(Outcome::Done)
    }
}

impl Told for Lookup {
    fn told(&self) -> Telling {
        match self {
            Self::Hit(entry) => found(entry),
            Self::Negative(stamp) => Telling { version: Some(stamp.version), ..only(Outcome::Negative) },
            Self::Miss => only(Outcome::Miss),
        }
    }
}

impl Told for Stored {
    fn told(&self) -> Telling {
        only(match self {
            Self::Stored => Outcome::Done,
            Self::Refused => Outcome::Refused,
        })
    }
}

impl Told for (Locked, Token) {
    fn told(&self) -> Telling {
        only(match self.0 {
            Locked::Granted => Outcome::Granted(self.1),
            Locked::Held => Outcome::Held,
        })
    }
}

impl Told for Unlocked {
    fn told(&self) -> Telling {
        only(match self {
            Self::Released => Outcome::Released,
            Self::NotHeld => Outcome::NotHeld,
        })
    }
}

impl Told for (Leased, Token) {
    fn told(&self) -> Telling {
        match &self.0 {
            Leased::Found(entry) => found(entry),
            Leased::Granted => only(Outcome::Granted(self.1)),
            Leased::Held => only(Outcome::Held),
        }
    }
}

impl Told for Row {
    fn told(&self) -> Telling {
        let outcome = if self.value.is_some() { Outcome::Hit } else { Outcome::Negative };
        Telling { outcome, version: Some(self.version), value: self.value.clone(), lsn: None }
    }
}

impl Told for Committed {
    fn told(&self) -> Telling {
        Telling { version: Some(self.version), lsn: Some(self.lsn), ..only(Outcome::Done) }
    }
}

impl Told for Published {
    fn told(&self) -> Telling {
        only(Outcome::Receivers(self.receivers))
    }
}

impl Told for Vec<Member> {
    fn told(&self) -> Telling {
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
