//! Calls that wait for an answer, and timers: the futures that the code under study awaits.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::connections::Purpose;
use super::{Answer, Kernel, Number, Response, Rows, State, What};
use crate::cluster::Actor;
use crate::trace::{self, EventId};
use crate::value::{ClientId, Instant, ServerId};
use crate::world::deadline;

/// What a call is answered.
#[derive(Debug)]
pub(in crate::sim) enum Reply {
    Command(Answer),
    Rows(Rows),
    Published(u32),
    Response(Response),
    /// The server takes requests.
    Started,
    /// It was not even sent, and why.
    NotSent(NotSent),
    /// Nobody knows whether it happened.
    Unknown,
}

/// Why a call was not even sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) enum NotSent {
    /// Its node has no connection to spare.
    PoolIsBusy(Actor),
    /// Its node is not there.
    Refused(Actor),
    /// Its node cannot be reached.
    Unreachable(Actor),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolIsBusy(node) => write!(f, "no connection to {node} within {:?}", deadline::POOL),
            Self::Refused(node) => write!(f, "{node} refuses the connection"),
            Self::Unreachable(node) => write!(f, "no connection to {node} can be opened"),
        }
    }
}

/// A call under way.
#[derive(Default)]
pub(super) struct Call {
    reply: Option<(Reply, Option<EventId>)>,
    waker: Option<Waker>,
    /// Nobody waits any more.
    abandoned: bool,
    /// The server that has to answer, of a client's request.
    pub(super) server: Option<ServerId>,
    /// Who asked whom, of a client's request.
    pub(super) request: Option<(ClientId, ServerId)>,
    /// The connection that it was sent over: when that ends, so does the call.
    pub(super) hangs_on: Option<Number>,
    /// Why nothing was sent so far, where that is so.
    not_sent: Option<NotSent>,
    /// When whoever called stops waiting. A statement's time begins anew when it has got its connection.
    deadline: Option<Instant>,
}

/// A future of the answer to a call.
pub(in crate::sim) struct Pending {
    kernel: Kernel,
    call: Option<Number>,
}

impl Pending {
    pub(in crate::sim) fn new(kernel: Kernel, call: Number) -> Self {
        Self { kernel, call: Some(call) }
    }
}

impl Future for Pending {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let number = self.call.expect("an answered call is not polled again");
        let mut state = self.kernel.state();
        let call = state.calls.get_mut(number).expect("a call lives as long as somebody waits for it");
        match call.reply.take() {
            None => {
                call.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some((reply, cause)) => {
                state.calls.take(number);
                drop(state);
                self.call = None;
                if cause.is_some() {
                    trace::set_cause(cause);
                }
                Poll::Ready(reply)
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(number) = self.call else {
            return;
        };
        let mut state = self.kernel.state();
        let Some(call) = state.calls.get_mut(number) else {
            return;
        };
        if call.reply.is_some() {
            state.calls.take(number);
        } else {
            (call.abandoned, call.waker) = (true, None);
        }
    }
}

impl State {
    /// Opens a call.
    pub(super) fn open_call(&mut self, server: Option<ServerId>) -> Number {
        self.calls.put(Call { server, ..Call::default() })
    }

    /// The call is a client's request.
    pub(super) fn asked(&mut self, number: Number, client: ClientId, server: ServerId) {
        if let Some(call) = self.calls.get_mut(number) {
            call.request = Some((client, server));
        }
    }

    /// From now on the call has so much time.
    pub(super) fn limit(&mut self, number: Number, time: Duration) {
        let deadline = self.now.after(time);
        if let Some(call) = self.calls.get_mut(number) {
            call.deadline = Some(deadline);
        }
    }

    /// What arrives at `at` may come too late for whoever called: then that is known at the deadline.
    pub(super) fn watch_deadline(&mut self, number: Option<Number>, at: Instant) {
        let late = number.and_then(|number| {
            let deadline = self.calls.get_mut(number)?.deadline?;
            (at > deadline).then_some((number, deadline))
        });
        if let Some((number, deadline)) = late {
            self.schedule(deadline.max(self.now), What::GiveUp(number));
        }
    }

    /// Nobody waits for this call longer than its deadline: what would answer it is late, or lost.
    pub(super) fn expire(&mut self, number: Option<Number>) {
        let deadline = number.and_then(|number| Some((number, self.calls.get(number)?.deadline?)));
        if let Some((number, deadline)) = deadline {
            self.schedule(deadline.max(self.now), What::GiveUp(number));
        }
    }

    /// The call's fate is that of this connection.
    pub(super) fn hangs_on(&mut self, number: Number, connection: Number) {
        if let Some(call) = self.calls.get_mut(number) {
            call.hangs_on = Some(connection);
        }
    }

    /// Until more is known nothing was sent.
    pub(super) fn not_sent(&mut self, number: Number, why: NotSent) {
        if let Some(call) = self.calls.get_mut(number) {
            call.not_sent = Some(why);
        }
    }

    pub(super) fn sent_after_all(&mut self, number: Number) {
        if let Some(call) = self.calls.get_mut(number) {
            call.not_sent = None;
        }
    }

    /// Whether somebody waits for this call's answer.
    pub(super) fn is_awaited(&self, number: Number) -> bool {
        self.calls.get(number).is_some_and(|call| call.reply.is_none() && !call.abandoned)
    }

    /// Answers a call, once: what comes later finds nobody.
    pub(super) fn answer(&mut self, number: Number, reply: Reply, cause: Option<EventId>) -> Option<Waker> {
        let call = self.calls.get_mut(number)?;
        if call.abandoned {
            self.calls.take(number);
            return None;
        }
        if call.reply.is_none() {
            call.reply = Some((reply, cause));
        }
        call.waker.take()
    }

    /// A call's time is over. A connection that gave no answer in time is thrown away, if it carries one statement at a time,
    /// if nothing will ever come from it, or if it never came about.
    pub(super) fn given_up(&mut self, number: Number) -> Option<Waker> {
        let now = self.now;
        let call = self.calls.get_mut(number)?;
        // It has been answered, or has been given more time since.
        if call.reply.is_some() || call.deadline.is_none_or(|deadline| deadline > now) {
            return None;
        }
        let connection = call.hangs_on.take();
        let reply = call.not_sent.take().map_or(Reply::Unknown, Reply::NotSent);
        let waker = self.answer(number, reply, None);
        let open = connection.and_then(|connection| Some((connection, self.connections.get(connection)?)));
        if let Some((connection, open)) = open
            && let Actor::Server(server) = open.opener
        {
            let acceptor = open.acceptor;
            if !open.is_open {
                self.close(connection);
            } else if open.purpose == Purpose::Statements || open.is_dumb() {
                self.leave(server, connection);
            }
            self.find_anew(server, acceptor);
        }
        waker
    }

    /// Whoever waits for this call learns at once that no answer will come.
    pub(super) fn lose(&mut self, number: Number) {
        self.limit(number, Duration::ZERO);
        self.expire(Some(number));
    }

    /// Requests at a server that died get no answer any more.
    pub(super) fn lose_requests(&mut self, server: ServerId) {
        for number in self.calls.numbers(|call| call.server == Some(server)) {
            self.lose(number);
        }
    }
}

/// A future that is ready after some time.
pub(in crate::sim) struct Sleep {
    kernel: Kernel,
    time: Duration,
    deadline: Option<Instant>,
    /// Who is woken at the deadline. A timer whose future was dropped wakes its task for nothing, which is harmless
    /// and cheaper than finding it on the agenda.
    waker: Option<Waker>,
}

impl Sleep {
    pub(super) fn new(kernel: Kernel, time: Duration) -> Self {
        Self { kernel, time, deadline: None, waker: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let kernel = self.kernel.clone();
        let mut state = kernel.state();
        let time = self.time;
        let deadline = *self.deadline.get_or_insert_with(|| state.now.after(time));
        if state.now >= deadline {
            return Poll::Ready(());
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.schedule(deadline, What::Timer(cx.waker().clone()));
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}
