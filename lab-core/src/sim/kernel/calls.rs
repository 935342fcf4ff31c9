//! Calls that wait for an answer, and timers: the futures that the code under study awaits.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Answer, CALL_TIMEOUT, Kernel, Number, Response, Rows, State, What};
use crate::trace::{self, EventId};
use crate::value::{Instant, ServerId};

/// What a call is answered.
#[derive(Debug)]
pub(in crate::sim) enum Reply {
    Command(Answer),
    Rows(Rows),
    Published(u32),
    Response(Response),
    /// Nobody knows whether it happened.
    Unknown,
}

/// A call under way.
#[derive(Default)]
pub(super) struct Call {
    reply: Option<(Reply, Option<EventId>)>,
    waker: Option<Waker>,
    /// Nobody waits any more.
    abandoned: bool,
    /// The server that a client's request went to.
    pub(super) server: Option<ServerId>,
    /// When whoever called stops waiting. A client waits for its server without end, and a statement's time begins when
    /// it has got its connection.
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

    /// Answers a call, once: a second answer (a request given up by a kill, then answered) finds nobody.
    pub(super) fn answer(&mut self, number: Number, reply: Reply, cause: Option<EventId>) -> Option<Waker> {
        let call = self.calls.get_mut(number)?;
        if call.abandoned {
            self.calls.take(number);
            return None;
        }
        call.reply = Some((reply, cause));
        call.waker.take()
    }

    /// Requests at a server that died get no answer any more.
    pub(super) fn give_up_requests(&mut self, server: ServerId) {
        for number in self.calls.numbers(|call| call.server == Some(server)) {
            self.give_up(Some(number), CALL_TIMEOUT);
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
