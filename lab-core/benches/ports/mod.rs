//! Ports for a benchmark of L1: a coarse clock, stores that answer at once, and nobody who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lab_core::ports::l2::{Command, Reply, Slot};
use lab_core::ports::{
    Arrival, Audience, BoxFuture, Bus, BusError, Clock, Committed, Database, DatabaseError, Entropy, Member,
    Membership, Notice, Ports, Published, ReadFrom, Renewal, Row, Settled, SharedCache, SharedError, Silent,
    Subscription, Tasks, Unpublished,
};
use lab_core::trace::Actor;
use lab_core::value::{Instant, Key, ServerId, Value, Version, WriteId};

const SERVER: ServerId = ServerId(1);

/// The ports of the only server.
#[derive(Clone)]
pub(crate) struct BenchPorts {
    time: Arc<AtomicU64>,
    observer: Silent,
}

impl BenchPorts {
    /// Ports whose clock shows what `time` holds, in nanoseconds.
    pub(crate) fn new(time: &Arc<AtomicU64>) -> Self {
        Self { time: Arc::clone(time), observer: Silent(Actor::Server(SERVER)) }
    }
}

impl Ports for BenchPorts {
    type Clock = Self;
    type Shared = Self;
    type Database = Self;
    type Bus = Self;
    type Membership = Self;
    type Tasks = Self;
    type Entropy = Self;
    type Observer = Silent;

    fn server(&self) -> ServerId {
        SERVER
    }

    fn incarnation(&self) -> u64 {
        1
    }

    fn clock(&self) -> &Self {
        self
    }

    fn shared(&self) -> &Self {
        self
    }

    fn database(&self) -> &Self {
        self
    }

    fn bus(&self) -> &Self {
        self
    }

    fn membership(&self) -> &Self {
        self
    }

    fn tasks(&self) -> &Self {
        self
    }

    fn entropy(&self) -> &Self {
        self
    }

    fn observer(&self) -> &Silent {
        &self.observer
    }
}

impl Clock for BenchPorts {
    #[inline]
    fn now(&self) -> Instant {
        Instant(self.time.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {}
}

impl Tasks for BenchPorts {
    fn spawn(&self, _: BoxFuture) {}
}

impl Entropy for BenchPorts {
    fn draw(&self) -> u64 {
        0
    }
}

impl SharedCache for BenchPorts {
    fn home(&self, _: &Key) -> Actor {
        Actor::RedisMaster(0)
    }

    async fn call(&self, _: &Key, command: Command) -> Result<Reply, SharedError> {
        Ok(command.apply(&mut Slot::default(), self.now()))
    }
}

impl Database for BenchPorts {
    async fn read(&self, _: &Key, _: ReadFrom) -> Result<Row, DatabaseError> {
        Ok(Row { value: Some(Value::new("x".repeat(64))), version: Version(1), as_of: self.now() })
    }

    async fn update(&self, _: &Key, _: &Value, _: Option<WriteId>) -> Result<Committed, DatabaseError> {
        Ok(Committed { version: Version(1), lsn: 0, as_of: self.now() })
    }

    async fn settle(&self, _: WriteId) -> Result<Settled, DatabaseError> {
        Ok(Settled::Refused)
    }

    async fn unpublished(&self, _: Duration) -> Result<Vec<Unpublished>, DatabaseError> {
        Ok(Vec::new())
    }

    async fn published(&self, _: WriteId, _: bool) -> Result<(), DatabaseError> {
        Ok(())
    }
}

impl Membership for BenchPorts {
    async fn renew(&self, _: Duration) -> Result<Renewal, DatabaseError> {
        Ok(Renewal::Member(Vec::new()))
    }

    async fn bar(&self, _: Vec<Member>) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn leave(&self) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn live(&self) -> Result<Vec<Member>, DatabaseError> {
        Ok(Vec::new())
    }
}

impl Bus for BenchPorts {
    type Subscription = Never;

    async fn publish(&self, _: Audience, _: Notice) -> Result<Published, BusError> {
        Ok(Published { receivers: 0 })
    }

    async fn subscribe(&self) -> Result<Never, BusError> {
        Ok(Never)
    }
}

/// A subscription on which nothing comes.
pub(crate) struct Never;

impl Subscription for Never {
    fn next(&mut self) -> impl Future<Output = Arrival> + Send {
        std::future::pending()
    }
}
