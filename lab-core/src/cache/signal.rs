//! How a notice wakes who waits for it.
//!
//! A waiter takes its ticket *before* it asks whether it has to wait: a notice that comes between the question and
//! the waiting is then not missed.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use crate::trace::{self, EventId};
use crate::value::Key;

/// Who waits, by key. It holds only keys that somebody waits for.
#[derive(Clone, Default)]
pub(super) struct Signals(Arc<Mutex<BTreeMap<Key, Waiting>>>);

#[derive(Default)]
struct Waiting {
    /// Signals so far.
    rung: u64,
    /// The event that the last one followed from.
    cause: Option<EventId>,
    /// Tickets out.
    tickets: u32,
    wakers: Vec<Waker>,
}

/// The right to hear the next signal for a key.
pub(super) struct Ticket {
    signals: Signals,
    key: Key,
    rung: u64,
}

impl Signals {
    /// Begins to listen for a key.
    pub(super) fn ticket(&self, key: &Key) -> Ticket {
        let mut all = self.0.lock().expect("no holder panics");
        let waiting = all.entry(key.clone()).or_default();
        waiting.tickets += 1;
        Ticket { signals: self.clone(), key: key.clone(), rung: waiting.rung }
    }

    /// Wakes everybody who listens for a key.
    pub(super) fn ring(&self, key: &Key) {
        let wakers = match self.0.lock().expect("no holder panics").get_mut(key) {
            Some(waiting) => {
                waiting.rung += u64::from(kept!("wait.rung"));
                waiting.cause = trace::cause();
                std::mem::take(&mut waiting.wakers)
            }
            None => return,
        };
        // Woken outside the lock: a waker may run whatever it likes.
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Ticket {
    /// Waits for the first signal since the ticket was taken; what follows is its consequence.
    pub(super) async fn rung(&self) {
        poll_fn(|cx| {
            let mut all = self.signals.0.lock().expect("no holder panics");
            match all.get_mut(&self.key) {
                Some(waiting) if waiting.rung == self.rung => {
                    if !waiting.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                        waiting.wakers.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
                Some(waiting) => {
                    trace::set_cause(waiting.cause);
                    Poll::Ready(())
                }
                None => Poll::Ready(()),
            }
        })
        .await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = self.signals.0.lock().expect("no holder panics");
        if let Some(waiting) = all.get_mut(&self.key) {
            waiting.tickets -= 1;
            if waiting.tickets == 0 {
                all.remove(&self.key);
            }
        }
    }
}
