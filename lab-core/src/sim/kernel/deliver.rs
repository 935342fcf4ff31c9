//! What happens when an envelope arrives.

use std::task::Waker;
use std::time::Duration;

use super::connections::{Purpose, Way};
use super::pool::Seat;
use super::{
    Answer, Audience, Command, Envelope, Kernel, Notice, Number, Parcel, Reply, Request, Rows, STATEMENT_NS,
    State, Statement, What,
};
use crate::ports::l2::{self, Change};
use crate::ports::{Body, ReadFrom, Settled};
use crate::service;
use crate::trace::{self, Actor, EventId, Kind, Note, OperationId, Outcome, Verb};
use crate::value::{ClientId, Instant, Key, ServerId, Value, Version};
use crate::world::{Fault, refused};

/// What of an answer the trace tells.
#[derive(Default)]
struct Told {
    value: Option<Value>,
    version: Option<Version>,
    lsn: Option<u64>,
}

impl State {
    /// An envelope is there. It wakes at most one task.
    pub(super) fn deliver(&mut self, kernel: &Kernel, envelope: Envelope) -> Option<Waker> {
        let Envelope { from, to, lane, call, message, operation, cause, parcel, .. } = envelope;
        let back = Return { from: to, to: from, lane: lane.map(turned), call, message, operation };
        match parcel {
            Parcel::Command(key, slot, verb, command) => {
                self.serve_command(back, cause, (key, slot), verb, &command);
            }
            Parcel::Statement(verb, statement, sent) => self.work(back, cause, verb, statement, sent),
            Parcel::Commit(verb, statement, sent) => self.commit(back, cause, verb, statement, sent),
            Parcel::Worked(rows) => self.send_back(&back, cause, Parcel::StatementAnswer(rows)),
            Parcel::Publish(verb, audience, notice) => {
                self.serve_publish(back, cause, verb, audience, &notice);
            }
            Parcel::Change(key, verb, change) => self.replay_change(to, cause, &key, verb, change),
            Parcel::Copy(all) => self.replay_copy(to, cause, *all),
            Parcel::Record(record) => self.replay_record(to, cause, record),
            Parcel::Request(client, request) => self.receive(kernel, back, cause, client, request),
            Parcel::CommandAnswer(answer) => return self.answer(call?, Reply::Command(answer), cause),
            Parcel::StatementAnswer(rows) => return self.receive_rows(lane, to, call?, rows, cause),
            Parcel::Published(receivers) => return self.answer(call?, Reply::Published(receivers), cause),
            Parcel::Notice(notice) => return self.receive_notice(to, message, cause, notice),
            Parcel::Response(key, response) => {
                // Whoever asked may have given up, and has told the balancer then.
                if !self.is_awaited(call?) {
                    return self.answer(call?, Reply::Unknown, None);
                }
                if let Actor::Server(server) = from {
                    self.balancer.closed(server);
                }
                let done = self.note(to, response.completed(&key).operation(operation).cause(cause));
                return self.answer(call?, Reply::Response(response), Some(done));
            }
        }
        None
    }

    fn serve_command(
        &mut self,
        back: Return,
        cause: Option<EventId>,
        (key, slot): (Key, u16),
        verb: Verb,
        command: &Command,
    ) {
        let (Actor::RedisMaster(shard) | Actor::RedisReplica(shard)) = back.from else {
            return;
        };
        let (answer, change) = self.redis.apply(back.from, slot, &key, command, self.now);
        let told = match (&answer, command.entry()) {
            (Answer::Reply(l2::Reply::Found(entry)), _) | (Answer::Reply(l2::Reply::Done), Some(entry)) => {
                Told::of(entry)
            }
            (_, wrote) => Told { version: wrote.map(|entry| entry.stamp.version), ..Told::default() },
        };
        let outcome = match &answer {
            Answer::Reply(reply) => reply.outcome(command.asks_with()),
            Answer::Moved(owner) => Outcome::Moved(*owner),
            Answer::Down => return self.refuse_while_down(&back, cause, verb, &key),
        };
        let served = self.served(&back, cause, verb, Some(&key), outcome, told);
        if let Some(change) = change.filter(|_| self.has_replica(shard))
            && let Some((replica, connection)) = self.replication(shard, back.from)
        {
            let master = back.from;
            let (parcel, lane) = (Parcel::Change(key, verb, change), Some((connection, Way::Back)));
            self.send(Envelope {
                from: master,
                to: replica,
                lane,
                call: None,
                ..back.envelope(served, parcel)
            });
        }
        self.send_back(&back, served, Parcel::CommandAnswer(answer));
    }

    /// The cluster is down. Whoever asked asks again and again; the trace tells it once.
    fn refuse_while_down(&mut self, back: &Return, cause: Option<EventId>, verb: Verb, key: &Key) {
        let is_first = back.message.is_none_or(|message| self.told_down.insert(message));
        let cause = if is_first {
            let outcome = Outcome::Failed("CLUSTERDOWN".to_owned());
            self.served(back, cause, verb, Some(key), outcome, Told::default())
        } else {
            cause
        };
        self.send_back(back, cause, Parcel::CommandAnswer(Answer::Down));
    }

    /// The primary or a replica begins to work on a statement. A `SELECT` sees the rows as they are when it begins;
    /// a write commits when the work is done.
    fn work(
        &mut self,
        back: Return,
        cause: Option<EventId>,
        verb: Verb,
        statement: Statement,
        sent: Instant,
    ) {
        let mut work = Duration::from_nanos(self.service.between(STATEMENT_NS.0, STATEMENT_NS.1));
        let parcel = if matches!(statement, Statement::Select(..)) {
            work += self.query_time;
            let key = statement_key(&statement);
            let (rows, _) = self.postgres.execute(statement, sent, self.now);
            let (outcome, told) = tell_rows(&rows, None);
            let served = self.served(&back, cause, verb, key.as_ref(), outcome, told);
            (Parcel::Worked(rows), served)
        } else {
            (Parcel::Commit(verb, statement, sent), cause)
        };
        let (parcel, cause) = parcel;
        if back.from == Actor::Primary {
            work += self.slow;
        }
        // To itself: the work takes its time, and then the answer goes back to where the statement came from.
        let lane = back.lane.map(turned);
        let envelope = Envelope { from: back.to, to: back.from, lane, ..back.envelope(cause, parcel) };
        self.work_until(work, envelope);
    }

    fn commit(
        &mut self,
        back: Return,
        cause: Option<EventId>,
        verb: Verb,
        statement: Statement,
        sent: Instant,
    ) {
        let key = statement_key(&statement);
        let wrote = match &statement {
            Statement::Update(_, value, _) => Some(value.clone()),
            _ => None,
        };
        let (rows, record) = self.postgres.execute(statement, sent, self.now);
        let (outcome, told) = tell_rows(&rows, wrote);
        let served = self.served(&back, cause, verb, key.as_ref(), outcome, told);
        if let Some(record) = record {
            for replica in (1..=self.postgres.replicas()).map(Actor::Replica) {
                if self.ledger.is_dead(replica) {
                    continue;
                }
                let connection = self.connections.only(replica, back.from, Purpose::Log);
                let lane = Some((connection, Way::Back));
                let envelope = back.envelope(served, Parcel::Record(record.clone()));
                self.send(Envelope { from: back.from, to: replica, lane, call: None, ..envelope });
            }
        }
        self.send_back(&back, served, Parcel::StatementAnswer(rows));
    }

    fn serve_publish(
        &mut self,
        back: Return,
        cause: Option<EventId>,
        verb: Verb,
        audience: Audience,
        notice: &Notice,
    ) {
        let servers = (1u8..).map(ServerId).zip(&self.servers);
        let hearing = servers.filter_map(|(server, state)| {
            let meant = audience == Audience::All || audience == Audience::One(server);
            let inbox = state.subscription.as_ref().filter(|inbox| meant && !inbox.closed)?;
            Some((server, inbox.connection, inbox.at))
        });
        let receivers: Vec<_> = hearing.collect();
        let count = self.counted(back.to, &receivers);
        let version = match &notice.body {
            Body::Invalidate { version, .. } => *version,
            _ => None,
        };
        let told = Told { version, ..Told::default() };
        let served = self.served(&back, cause, verb, notice.body.key(), Outcome::Receivers(count), told);
        for (server, connection, at) in receivers {
            let lane = Some((connection, Way::Back));
            let envelope = back.envelope(served, Parcel::Notice(notice.clone()));
            let envelope = Envelope { to: Actor::Server(server), lane, call: None, ..envelope };
            if self.ledger.is_any_paused() && self.ledger.is_paused(at) {
                self.parked.push((at, What::Arrival(envelope)));
            } else {
                self.send(envelope);
            }
        }
        self.send_back(&back, served, Parcel::Published(count));
    }

    /// How many subscribers a publisher is told of: those of the node at which it published. The others hear of it over the
    /// cluster's own bus.
    fn counted(&self, publisher: Actor, receivers: &[(ServerId, Number, Actor)]) -> u32 {
        let count = match publisher {
            Actor::Server(server) if self.redis.is_touched() => {
                let carrier = self.carrier(server);
                receivers.iter().filter(|(.., at)| *at == carrier).count()
            }
            _ => receivers.len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn replay_change(
        &mut self,
        replica: Actor,
        cause: Option<EventId>,
        key: &Key,
        verb: Verb,
        change: Change,
    ) {
        let entry = change.entry().cloned();
        self.redis.replay(replica, key, change);
        let version = entry.as_ref().map(|entry| entry.stamp.version);
        let value = entry.and_then(|entry| entry.value);
        let note = Note::new(Kind::Replayed { verb, value, lsn: None }).key(key).version(version);
        self.note(replica, note.cause(cause).operation(None));
    }

    pub(super) fn replay_record(
        &mut self,
        replica: Actor,
        cause: Option<EventId>,
        record: crate::sim::postgres::Record,
    ) {
        let Actor::Replica(number) = replica else {
            return;
        };
        if self.ledger.ends(Fault::ResumeReplay(replica)) {
            self.unreplayed.push((replica, cause, record));
            return;
        }
        if !self.postgres.is_new(number, &record) {
            return;
        }
        let kind =
            Kind::Replayed { verb: Verb::Update, value: Some(record.value.clone()), lsn: Some(record.lsn) };
        let note = Note::new(kind).key(&record.key).version(record.version);
        self.postgres.replay(number, record);
        self.note(replica, note.cause(cause).operation(None));
    }

    fn receive_rows(
        &mut self,
        lane: Option<(Number, Way)>,
        server: Actor,
        call: Number,
        rows: Rows,
        cause: Option<EventId>,
    ) -> Option<Waker> {
        if let (Some((number, _)), Actor::Server(server)) = (lane, server)
            && let Some(connection) = self.connections.get(number)
            && connection.purpose == Purpose::Statements
        {
            let node = connection.acceptor;
            self.server(server).pool(node).give_back(Seat::Open(number));
            self.next_statement(server, node);
        }
        self.answer(call, Reply::Rows(rows), cause)
    }

    fn receive_notice(
        &mut self,
        to: Actor,
        message: Option<trace::MessageId>,
        cause: Option<EventId>,
        notice: Notice,
    ) -> Option<Waker> {
        let Actor::Server(server) = to else {
            return None;
        };
        self.server(server).subscription.as_ref()?;
        let quiet = notice.body == Body::Beat;
        let delivered = (!quiet).then(|| {
            let version = match &notice.body {
                Body::Invalidate { version, .. } => *version,
                _ => None,
            };
            let note = Note::new(Kind::Delivered { notice: notice.body.kind(), from: notice.from });
            let note = note.version(version).message(message).cause(cause).operation(None);
            let note = match notice.body.key() {
                Some(key) => note.key(key),
                None => note,
            };
            self.note(to, note)
        });
        let inbox = self.server(server).subscription.as_mut()?;
        inbox.notices.push_back((notice, delivered));
        inbox.waker.take()
    }

    /// A request reaches its server, which starts a task for it.
    fn receive(
        &mut self,
        kernel: &Kernel,
        back: Return,
        cause: Option<EventId>,
        client: ClientId,
        request: Request,
    ) {
        let Actor::Server(server) = back.from else {
            return;
        };
        if !back.call.is_some_and(|call| self.is_awaited(call)) {
            // It was on its way to a life that is over.
            return;
        }
        if self.ledger.is_dead(back.from) || !self.server(server).ready {
            let refused = Parcel::Response(request.key().clone(), refused(server));
            return self.send_back(&back, cause, refused);
        }
        let note = Note::new(Kind::Received { request: request.kind() }).key(request.key());
        let received = self.note(back.from, note.operation(back.operation).cause(cause));
        let (cache, session) = (self.server(server).cache.clone(), self.session(client));
        let (kernel, operation) = (kernel.clone(), back.operation);
        let serve = async move {
            let key = request.key().clone();
            let response = service::serve(&cache, &session, request).await;
            let mut state = kernel.state();
            let answered = state.note(back.from, response.answered(&key));
            state.send_back(&back, Some(answered), Parcel::Response(key, response));
        };
        self.spawn(Actor::Server(server), Box::pin(trace::scope(operation, Some(received), serve)));
    }

    fn served(
        &mut self,
        back: &Return,
        cause: Option<EventId>,
        verb: Verb,
        key: Option<&Key>,
        outcome: Outcome,
        told: Told,
    ) -> Option<EventId> {
        if verb.is_quiet() {
            return cause;
        }
        let note = Note::new(Kind::Served { verb, outcome, value: told.value, lsn: told.lsn });
        let note = note.version(told.version).message(back.message).operation(back.operation).cause(cause);
        let note = match key {
            Some(key) => note.key(key),
            None => note,
        };
        Some(self.note(back.from, note))
    }

    pub(super) fn send_back(&mut self, back: &Return, cause: Option<EventId>, parcel: Parcel) {
        self.send(back.envelope(cause, parcel));
    }
}

/// The way back of an answer.
#[derive(Clone, Copy)]
pub(super) struct Return {
    from: Actor,
    to: Actor,
    lane: Option<(Number, Way)>,
    call: Option<Number>,
    message: Option<trace::MessageId>,
    operation: Option<OperationId>,
}

impl Return {
    fn envelope(&self, cause: Option<EventId>, parcel: Parcel) -> Envelope {
        let Self { from, to, lane, call, message, operation } = *self;
        Envelope { from, to, lane, order: 0, call, message, operation, cause, parcel }
    }
}

/// The other way on the same connection.
fn turned((connection, way): (Number, Way)) -> (Number, Way) {
    match way {
        Way::Forth => (connection, Way::Back),
        Way::Back => (connection, Way::Forth),
    }
}

impl Told {
    fn of(entry: &crate::value::Entry) -> Self {
        Self { value: entry.value.clone(), version: Some(entry.stamp.version), lsn: None }
    }
}

fn statement_key(statement: &Statement) -> Option<Key> {
    match statement {
        Statement::Select(key, ReadFrom::Primary | ReadFrom::Replica(_)) | Statement::Update(key, ..) => {
            Some(key.clone())
        }
        Statement::Settle(_)
        | Statement::Unpublished(_)
        | Statement::Published(..)
        | Statement::Renew(..)
        | Statement::Members
        | Statement::Bar(_)
        | Statement::Leave(_) => None,
    }
}

fn tell_rows(rows: &Rows, wrote: Option<Value>) -> (Outcome, Told) {
    match rows {
        Rows::Row(row) => {
            let outcome = if row.value.is_some() { Outcome::Hit } else { Outcome::Negative };
            (outcome, Told { value: row.value.clone(), version: Some(row.version), lsn: None })
        }
        Rows::Committed(committed) => {
            let told = Told { value: wrote, version: Some(committed.version), lsn: Some(committed.lsn) };
            (Outcome::Done, told)
        }
        Rows::Settled(Settled::Committed(version)) => {
            (Outcome::Done, Told { version: Some(*version), ..Told::default() })
        }
        Rows::Duplicate | Rows::Settled(Settled::Refused) => (Outcome::Refused, Told::default()),
        Rows::Renewed(_) | Rows::Published | Rows::Unpublished(_) | Rows::Barred | Rows::Left => {
            (Outcome::Done, Told::default())
        }
        Rows::Members(members) => {
            (Outcome::Members(u32::try_from(members.len()).unwrap_or(u32::MAX)), Told::default())
        }
    }
}
