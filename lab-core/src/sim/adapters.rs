//! The ports over the simulator: thin, since the kernel does the work.

use std::future::poll_fn;
use std::time::Duration;

use super::kernel::{Kernel, Number, Pending, Reply as Told};
use super::postgres::{Rows, Statement};
use super::redis::Answer;
use crate::cluster::slot;
use crate::ports::l2::{Command, Reply};
use crate::ports::{
    Arrival, Audience, Body, BoxFuture, Bus, BusError, Clock, Committed, Database, DatabaseError, Entropy,
    Member, Membership, Notice, Observer, Ports, Published, ReadFrom, Renewal, Row, Settled, SharedCache,
    SharedError, Subscription, Tasks, Unpublished,
};
use crate::trace::{self, Actor, EventId, MessageId, Note, Verb};
use crate::value::{Instant, Key, ServerId, Value, WriteId};
use crate::world::deadline;

/// A command that was redirected, or could not be sent, is sent anew so many times at most.
const TRIES_MAX: u32 = 60;

/// Between two tries to subscribe through a cut.
const SUBSCRIBE_EVERY: Duration = Duration::from_millis(20);

/// All ports of one simulated server.
#[derive(Clone)]
pub struct SimPorts {
    kernel: Kernel,
    server: ServerId,
    incarnation: u64,
}

impl SimPorts {
    pub(super) fn new(kernel: Kernel, server: ServerId, incarnation: u64) -> Self {
        Self { kernel, server, incarnation }
    }

    fn statement(
        &self,
        verb: Verb,
        statement: Statement,
    ) -> impl Future<Output = Result<Rows, DatabaseError>> + Send {
        let (kernel, server) = (self.kernel.clone(), self.server);
        async move {
            let call = kernel.state().statement(server, verb, statement);
            match Pending::new(kernel.clone(), call).await {
                Told::Rows(rows) => Ok(rows),
                Told::NotSent(why) => Err(DatabaseError::Failed(why.to_string())),
                _ => Err(DatabaseError::Unknown),
            }
        }
    }
}

/// An answer that does not belong to its question.
fn odd<T>(answer: &T) -> String
where
    T: std::fmt::Debug,
{
    format!("unexpected answer: {answer:?}")
}

impl Ports for SimPorts {
    type Clock = Self;
    type Shared = Self;
    type Database = Self;
    type Bus = Self;
    type Membership = Self;
    type Tasks = Self;
    type Entropy = Self;
    type Observer = Self;

    fn server(&self) -> ServerId {
        self.server
    }

    fn incarnation(&self) -> u64 {
        self.incarnation
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

    fn observer(&self) -> &Self {
        self
    }
}

impl Clock for SimPorts {
    fn now(&self) -> Instant {
        self.kernel.state().clock(self.server)
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.kernel.sleep(time)
    }
}

impl Tasks for SimPorts {
    fn spawn(&self, task: BoxFuture) {
        let refused = self.kernel.state().spawn(Actor::Server(self.server), task);
        drop(refused);
    }
}

impl Entropy for SimPorts {
    fn draw(&self) -> u64 {
        self.kernel.state().entropy.bits()
    }
}

impl Observer for SimPorts {
    fn enabled(&self) -> bool {
        true
    }

    fn sees_nodes(&self) -> bool {
        true
    }

    fn note_at(&self, actor: Actor, note: Note) -> EventId {
        self.kernel.state().note(actor, note)
    }

    fn actor(&self) -> Actor {
        Actor::Server(self.server)
    }

    fn next_message(&self) -> MessageId {
        self.kernel.state().journal.next_message()
    }
}

impl SharedCache for SimPorts {
    fn home(&self, key: &Key) -> Actor {
        self.home_of(slot(key.as_str()))
    }

    fn call(&self, key: &Key, command: Command) -> impl Future<Output = Result<Reply, SharedError>> + Send {
        let (kernel, server, key) = (self.kernel.clone(), self.server, key.clone());
        async move {
            let (verb, slot) = (command.verb(), slot(key.as_str()));
            let mut node = self.home_of(slot);
            let until = kernel.now().after(deadline::RESEND);
            // A command goes to whom the slot belongs, following redirections; what was surely not done is tried again for a
            // while.
            for _ in 0..TRIES_MAX {
                let call = kernel.state().command(server, (node, slot), &key, verb, command.clone());
                match Pending::new(kernel.clone(), call).await {
                    Told::Command(Answer::Moved(owner)) => {
                        kernel.state().learn(server, owner);
                        node = owner;
                    }
                    Told::Command(Answer::Down) if kernel.now() < until => {
                        kernel.sleep(deadline::RESEND_EVERY).await;
                    }
                    Told::Command(Answer::Down) => {
                        return Err(SharedError::Failed("CLUSTERDOWN: a shard has no master".to_owned()));
                    }
                    Told::Command(Answer::Reply(reply)) => return Ok(reply),
                    Told::NotSent(_) if kernel.now() < until => {
                        kernel.sleep(deadline::RESEND_EVERY).await;
                        node = kernel.state().find_anew(server, node);
                    }
                    Told::NotSent(why) => return Err(SharedError::Failed(why.to_string())),
                    _ => return Err(SharedError::Unknown),
                }
            }
            Err(SharedError::Failed(format!("not done in {TRIES_MAX} tries")))
        }
    }
}

impl Database for SimPorts {
    async fn read(&self, key: &Key, from: ReadFrom) -> Result<Row, DatabaseError> {
        match self.statement(Verb::Select, Statement::Select(key.clone(), from)).await? {
            Rows::Row(row) => Ok(row),
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn update(
        &self,
        key: &Key,
        value: &Value,
        id: Option<WriteId>,
    ) -> Result<Committed, DatabaseError> {
        match self.statement(Verb::Update, Statement::Update(key.clone(), value.clone(), id)).await? {
            Rows::Committed(committed) => Ok(committed),
            Rows::Duplicate => {
                Err(DatabaseError::Failed("the write's name is in the outbox already".to_owned()))
            }
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn settle(&self, id: WriteId) -> Result<Settled, DatabaseError> {
        match self.statement(Verb::Settle, Statement::Settle(id)).await? {
            Rows::Settled(settled) => Ok(settled),
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn unpublished(&self, after: Duration) -> Result<Vec<Unpublished>, DatabaseError> {
        match self.statement(Verb::Outbox, Statement::Unpublished(after)).await? {
            Rows::Unpublished(writes) => Ok(writes),
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn published(&self, id: WriteId, forget: bool) -> Result<(), DatabaseError> {
        self.statement(Verb::Outbox, Statement::Published(id, forget)).await.map(drop)
    }
}

impl SimPorts {
    /// Where this server believes a slot to be.
    fn home_of(&self, slot: u16) -> Actor {
        let state = self.kernel.state();
        state.believed(self.server, state.topology.shard_of(slot))
    }

    fn member(&self) -> Member {
        Member { server: self.server, incarnation: self.incarnation() }
    }
}

impl Membership for SimPorts {
    async fn renew(&self, lease: Duration) -> Result<Renewal, DatabaseError> {
        match self.statement(Verb::Renew, Statement::Renew(self.member(), lease)).await? {
            Rows::Renewed(renewal) => Ok(renewal),
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn live(&self) -> Result<Vec<Member>, DatabaseError> {
        match self.statement(Verb::Members, Statement::Members).await? {
            Rows::Members(members) => Ok(members),
            other => Err(DatabaseError::Failed(odd(&other))),
        }
    }

    async fn bar(&self, members: Vec<Member>) -> Result<(), DatabaseError> {
        self.statement(Verb::Bar, Statement::Bar(members)).await.map(drop)
    }

    async fn leave(&self) -> Result<(), DatabaseError> {
        self.statement(Verb::Leave, Statement::Leave(self.member())).await.map(drop)
    }
}

impl Bus for SimPorts {
    type Subscription = SimSubscription;

    async fn publish(&self, audience: Audience, notice: Notice) -> Result<Published, BusError> {
        let verb = match notice.body {
            Body::Invalidate { .. } => Verb::PublishInvalidate,
            Body::Filled { .. } => Verb::PublishFilled,
            Body::Acknowledge { .. } => Verb::PublishAcknowledge,
            Body::Beat => Verb::PublishBeat,
        };
        let call = self.kernel.state().publish(verb, audience, notice);
        match Pending::new(self.kernel.clone(), call).await {
            Told::Published(receivers) => Ok(Published { receivers }),
            Told::NotSent(why) => {
                self.kernel.state().find_anew(self.server, Actor::Bus);
                Err(BusError::Failed(why.to_string()))
            }
            _ => Err(BusError::Unknown),
        }
    }

    async fn subscribe(&self) -> Result<SimSubscription, BusError> {
        let until = self.kernel.now().after(deadline::SUBSCRIBE);
        loop {
            let is_late = self.kernel.now() >= until;
            let subscribed = self.kernel.state().subscribe(self.server, !is_late);
            if let Some(connection) = subscribed {
                return Ok(SimSubscription { kernel: self.kernel.clone(), server: self.server, connection });
            }
            if is_late {
                return Err(BusError::Failed(format!("no answer within {:?}", deadline::SUBSCRIBE)));
            }
            self.kernel.sleep(SUBSCRIBE_EVERY).await;
        }
    }
}

/// A simulated server's stream of notices.
pub struct SimSubscription {
    kernel: Kernel,
    server: ServerId,
    connection: Number,
}

impl Subscription for SimSubscription {
    async fn next(&mut self) -> Arrival {
        let next = poll_fn(|cx| self.kernel.state().next_notice(self.server, self.connection, cx.waker()));
        match next.await {
            Some((notice, delivery)) => {
                trace::set_cause(delivery);
                Arrival::Notice(notice, delivery)
            }
            None => Arrival::Closed,
        }
    }
}

impl Drop for SimSubscription {
    fn drop(&mut self) {
        self.kernel.state().unsubscribe(self.server, self.connection);
    }
}
