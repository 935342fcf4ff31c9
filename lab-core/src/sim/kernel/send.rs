//! What is sent: a server's calls, a client's requests; and what the scenario does by hand.

use std::panic::Location;
use std::task::Waker;

use super::{
    Audience, CALL_TIMEOUT, Command, Envelope, Inbox, Notice, Number, Parcel, Request, State, Statement,
};
use crate::cluster::slot;
use crate::ports::l2::Delete;
use crate::sim::network::link;
use crate::trace::{self, Actor, EventId, Kind, Note, Outcome, Verb};
use crate::value::{ClientId, Key, ServerId};
use crate::world::Route;

impl State {
    /// Sends a command to a shard's master.
    pub(in crate::sim) fn command(
        &mut self,
        server: ServerId,
        (shard, slot): (u8, u16),
        key: &Key,
        verb: Verb,
        command: Command,
    ) -> Number {
        let call = self.open_call(None);
        self.limit(call, CALL_TIMEOUT);
        let (from, to) = (Actor::Server(server), Actor::RedisMaster(shard));
        let fate = self.network.send(link(from, to), self.now);
        let envelope = envelope_of_caller(from, to, call, Parcel::Command(key.clone(), slot, verb, command));
        self.post(fate, envelope);
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
        let parcel = Parcel::Statement(verb, statement, self.now);
        let envelope = envelope_of_caller(Actor::Server(server), to, call, parcel);
        if is_pooled(verb) {
            let (message, operation, cause) = (envelope.message, envelope.operation, envelope.cause);
            match self.server(server).pool.take(envelope) {
                Ok(envelope) => self.post_statement(envelope),
                Err(ahead) => {
                    let note = Note::new(Kind::Queued { ahead });
                    self.note(Actor::Server(server), note.message(message).operation(operation).cause(cause));
                }
            }
        } else {
            self.post_statement(envelope);
        }
        call
    }

    pub(super) fn post_statement(&mut self, mut envelope: Envelope) {
        if let Parcel::Statement(_, _, sent) = &mut envelope.parcel {
            *sent = self.now;
        }
        if let Some(call) = envelope.call {
            self.limit(call, CALL_TIMEOUT);
        }
        let fate = self.network.send_alone(link(envelope.from, envelope.to), self.now);
        self.post(fate, envelope);
    }

    /// Hands a notice to the bus.
    pub(in crate::sim) fn publish(&mut self, verb: Verb, audience: Audience, notice: Notice) -> Number {
        let call = self.open_call(None);
        self.limit(call, CALL_TIMEOUT);
        let from = Actor::Server(notice.from);
        let fate = self.network.send(link(from, Actor::Bus), self.now);
        let envelope = envelope_of_caller(from, Actor::Bus, call, Parcel::Publish(verb, audience, notice));
        self.post(fate, envelope);
        call
    }

    /// Sends a client's request.
    pub(in crate::sim) fn request(
        &mut self,
        client: ClientId,
        route: Route,
        request: Request,
        line: &'static Location<'static>,
    ) -> Number {
        let server = match route {
            Route::To(server) => {
                self.balancer.opened(server);
                server
            }
            Route::Balanced => self.balancer.choose(request.key()),
        };
        let call = self.open_call(Some(server));
        let operation = self.journal.next_operation();
        let note = Note::new(Kind::Requested { request: request.kind(), server });
        let note = note.key(request.key()).operation(operation).cause(None).source(line);
        let sent = self.note(Actor::Client(client), note);
        let (from, to) = (Actor::Client(client), Actor::Server(server));
        let fate = self.network.send_alone(link(from, to), self.now);
        let envelope = Envelope {
            from,
            to,
            call: Some(call),
            message: None,
            operation: Some(operation),
            cause: Some(sent),
            parcel: Parcel::Request(client, request),
        };
        self.post(fate, envelope);
        call
    }

    /// An operator deletes a key at its master and its replica at once.
    pub(in crate::sim) fn delete_shared(&mut self, key: &Key, line: &'static Location<'static>) {
        let slot = slot(key.as_str());
        let shard = self.redis.owner(slot);
        let (_, change) = self.redis.apply(shard, slot, key, &Delete.into(), self.now);
        let note = |kind| Note::new(kind).key(key).source(line);
        let served = Kind::Served { verb: Verb::Delete, outcome: Outcome::Done, value: None, lsn: None };
        self.note(Actor::RedisMaster(shard), note(served));
        if self.has_replica(shard) {
            if let Some(change) = change {
                self.redis.replay(shard, key, change);
            }
            let replayed = Kind::Replayed { verb: Verb::Delete, value: None, lsn: None };
            self.note(Actor::RedisReplica(shard), note(replayed));
        }
    }

    /// Gives a key's slot to another shard's master.
    pub(in crate::sim) fn reshard(&mut self, key: &Key, shard: u8) {
        self.redis.give(slot(key.as_str()), shard);
    }

    /// Opens a server's inbox.
    pub(in crate::sim) fn subscribe(&mut self, server: ServerId) {
        self.server(server).subscription = Some(Inbox::default());
    }

    /// Takes the next notice out of a server's inbox; where there is none, `waker` is called when one comes.
    pub(in crate::sim) fn next_notice(
        &mut self,
        server: ServerId,
        waker: &Waker,
    ) -> Option<(Notice, Option<EventId>)> {
        let inbox = self.server(server).subscription.as_mut()?;
        let next = inbox.notices.pop_front();
        if next.is_none() {
            inbox.waker = Some(waker.clone());
        }
        next
    }
}

/// An envelope of the task that is being polled.
fn envelope_of_caller(from: Actor, to: Actor, call: Number, parcel: Parcel) -> Envelope {
    Envelope {
        from,
        to,
        call: Some(call),
        message: trace::message(),
        operation: trace::current(),
        cause: trace::cause(),
        parcel,
    }
}

/// Whether a statement goes through the server's pool: membership has a connection of its own.
pub(super) fn is_pooled(verb: Verb) -> bool {
    matches!(verb, Verb::Select | Verb::Update)
}
