//! What is sent: a server's calls, a client's requests; and what the scenario does by hand.

use std::panic::Location;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::calls::NotSent;
use super::connections::{Connection, Purpose};
use super::pool::Seat;
use super::{
    Answer, Audience, Command, Envelope, Inbox, Notice, Number, Parcel, Request, State, Statement, What,
};
use crate::cluster::slot;
use crate::ports::l2::Delete;
use crate::trace::{self, Actor, EventId, Kind, Note, Outcome, Verb};
use crate::value::{ClientId, Key, ServerId};
use crate::world::{Link, Route, deadline};

impl State {
    /// Sends a command to a Redis node.
    pub(in crate::sim) fn command(
        &mut self,
        server: ServerId,
        (node, slot): (Actor, u16),
        key: &Key,
        verb: Verb,
        command: Command,
    ) -> Number {
        let call = self.open_call(None);
        let (from, to) = (Actor::Server(server), node);
        let envelope = envelope_of_caller(from, to, call, Parcel::Command(key.clone(), slot, verb, command));
        let connection = self.connections.only(from, to, Purpose::Commands);
        self.send_over(connection, deadline::REDIS, envelope);
        call
    }

    /// Sends a statement, as soon as the server's pool has a connection. Membership has a connection of its own: a
    /// herd must not cost a server its lease.
    pub(in crate::sim) fn statement(&mut self, server: ServerId, verb: Verb, statement: Statement) -> Number {
        let call = self.open_call(None);
        let to = match &statement {
            Statement::Select(_, from) => from.actor(),
            _ => Actor::Primary,
        };
        let from = Actor::Server(server);
        let envelope = envelope_of_caller(from, to, call, Parcel::Statement(verb, statement, self.now));
        if !is_pooled(verb) {
            let purpose = if verb == Verb::Renew { Purpose::Membership } else { Purpose::Roster };
            let connection = self.connections.only(from, to, purpose);
            self.send_over(connection, deadline::STATEMENT, envelope);
        } else if let Some(seat) = self.server(server).pool(to).take() {
            self.send_statement(envelope, seat);
        } else {
            let (message, operation, cause) = (envelope.message, envelope.operation, envelope.cause);
            self.not_sent(call, NotSent::PoolIsBusy(to));
            self.limit(call, deadline::POOL);
            self.expire(Some(call));
            let ahead = self.server(server).pool(to).wait(envelope);
            // What is not watched is not seen waiting either.
            if !verb.is_quiet() {
                let note = Note::new(Kind::Queued { ahead });
                self.note(from, note.message(message).operation(operation).cause(cause));
            }
        }
        call
    }

    fn send_statement(&mut self, mut envelope: Envelope, seat: Seat) {
        let mut time = deadline::STATEMENT;
        if let Parcel::Statement(_, statement, sent) = &mut envelope.parcel {
            *sent = self.now;
            // It is told to take so long.
            time += if matches!(statement, Statement::Select(..)) { self.query_time } else { Duration::ZERO };
        }
        if let Some(call) = envelope.call {
            self.sent_after_all(call);
        }
        let connection = match seat {
            Seat::Open(connection) => connection,
            Seat::Unopened => {
                self.connections.open(Connection::new(envelope.from, envelope.to, Purpose::Statements))
            }
        };
        self.send_over(connection, time, envelope);
    }

    /// The next call that waits for a connection to a node gets one, if there is one. Who has given up meanwhile has left
    /// the queue.
    pub(super) fn next_statement(&mut self, server: ServerId, node: Actor) {
        while let Some((envelope, seat)) = self.server(server).pool(node).next() {
            if envelope.call.is_some_and(|call| self.is_awaited(call)) {
                return self.send_statement(envelope, seat);
            }
            self.server(server).pool(node).give_back(seat);
        }
    }

    /// Hands a notice to the bus.
    pub(in crate::sim) fn publish(&mut self, verb: Verb, audience: Audience, notice: Notice) -> Number {
        let call = self.open_call(None);
        let from = Actor::Server(notice.from);
        let envelope = envelope_of_caller(from, Actor::Bus, call, Parcel::Publish(verb, audience, notice));
        let connection = self.connections.only(from, Actor::Bus, Purpose::Publications);
        self.send_over(connection, deadline::REDIS, envelope);
        call
    }

    /// Sends a client's request, and says to whom; fails with the server that is not there.
    pub(in crate::sim) fn request(
        &mut self,
        client: ClientId,
        route: Route,
        request: Request,
        line: Option<&'static Location<'static>>,
    ) -> Result<(Number, ServerId), ServerId> {
        let server = match route {
            Route::To(server) => {
                if server.0 == 0 || server.index() >= self.servers.len() {
                    return Err(server);
                }
                self.balancer.opened(server);
                server
            }
            Route::Balanced => self.balancer.choose(request.key()),
        };
        let call = self.open_call(Some(server));
        self.asked(call, client, server);
        self.limit(call, deadline::ANSWER);
        self.expire(Some(call));
        let operation = self.journal.next_operation();
        let note = Note::new(Kind::Requested { request: request.kind(), server });
        let note = note.key(request.key()).operation(operation).cause(None).source(line);
        let sent = self.note(Actor::Client(client), note);
        let (from, to) = (Actor::Client(client), Actor::Server(server));
        self.send(Envelope {
            from,
            to,
            lane: None,
            order: 0,
            call: Some(call),
            message: None,
            operation: Some(operation),
            cause: Some(sent),
            parcel: Parcel::Request(client, request),
        });
        Ok((call, server))
    }

    /// An operator deletes a key at its master and its replica at once; fails with the node that does not do it.
    pub(in crate::sim) fn delete_shared(
        &mut self,
        key: &Key,
        line: &'static Location<'static>,
    ) -> Result<(), Actor> {
        let slot = slot(key.as_str());
        let shard = self.redis.owner(slot);
        let (master, replica) = (self.redis.leader(shard), self.redis.follower(shard));
        if self.is_silent(master) {
            return Err(master);
        }
        let (answer, change) = self.redis.apply(master, slot, key, &Delete.into(), self.now);
        if answer == Answer::Down {
            return Err(master);
        }
        let note = |kind| Note::new(kind).key(key).source(line);
        let served = Kind::Served { verb: Verb::Delete, outcome: Outcome::Done, value: None, lsn: None };
        self.note(master, note(served));
        if self.has_replica(shard) && !self.ledger.is_dead(replica) {
            if let Some(change) = change {
                self.redis.replay(replica, key, change);
            }
            let replayed = Kind::Replayed { verb: Verb::Delete, value: None, lsn: None };
            self.note(replica, note(replayed));
        }
        Ok(())
    }

    /// Gives a key's slot to another shard's master.
    pub(in crate::sim) fn reshard(&mut self, key: &Key, shard: u8) {
        self.redis.give(slot(key.as_str()), shard);
    }

    /// Opens a subscription; none where the link bars it, or the node that carries the bus stands still. Who is not
    /// `patient` any longer takes another node then.
    pub(in crate::sim) fn subscribe(&mut self, server: ServerId, patient: bool) -> Option<Number> {
        let at = self.subscribed_at(patient)?;
        let condition = self.network.condition(Link::BusTo(server));
        if condition.cut || condition.silent || 2 * condition.delay >= deadline::SUBSCRIBE {
            return None;
        }
        if let Some(before) = self.server(server).subscription.take() {
            self.close(before.connection);
        }
        let connection =
            self.connections.open(Connection::new(Actor::Server(server), Actor::Bus, Purpose::Subscription));
        self.server(server).subscription = Some(Inbox::new(connection, at));
        Some(connection)
    }

    /// Nobody listens any more.
    pub(in crate::sim) fn unsubscribe(&mut self, server: ServerId, connection: Number) {
        let Some(state) = self.servers.get_mut(server.index()) else { return };
        if state.subscription.as_ref().is_some_and(|inbox| inbox.connection == connection) {
            state.subscription = None;
        }
        self.close(connection);
    }

    /// A subscription's connection has ended: whoever listens is told when all that came is read.
    pub(super) fn end_subscription(&mut self, server: ServerId, connection: Number) {
        let Some(inbox) = &mut self.server(server).subscription else { return };
        if inbox.connection == connection {
            inbox.closed = true;
            if let Some(waker) = inbox.waker.take() {
                self.schedule(self.now, What::Timer(waker));
            }
        }
    }

    /// What a server's inbox has for whoever listens; where there is nothing, `waker` is called when something comes.
    pub(in crate::sim) fn next_notice(
        &mut self,
        server: ServerId,
        connection: Number,
        waker: &Waker,
    ) -> Poll<Option<(Notice, Option<EventId>)>> {
        let inbox = self.server(server).subscription.as_mut();
        let Some(inbox) = inbox.filter(|inbox| inbox.connection == connection) else {
            return Poll::Ready(None);
        };
        let next = inbox.notices.pop_front();
        if next.is_none() && !inbox.closed {
            inbox.waker = Some(waker.clone());
            return Poll::Pending;
        }
        Poll::Ready(next)
    }
}

/// An envelope of the task that is being polled.
fn envelope_of_caller(from: Actor, to: Actor, call: Number, parcel: Parcel) -> Envelope {
    Envelope {
        from,
        to,
        lane: None,
        order: 0,
        call: Some(call),
        message: trace::message(),
        operation: trace::current(),
        cause: trace::cause(),
        parcel,
    }
}

/// Whether a statement goes through the server's pool: membership has a connection of its own.
pub(super) fn is_pooled(verb: Verb) -> bool {
    matches!(verb, Verb::Select | Verb::Update | Verb::Settle | Verb::Outbox)
}
