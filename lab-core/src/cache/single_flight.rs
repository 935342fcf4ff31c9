//! Requests of one server share one read.
//!
//! The first request to miss leads; the others join its flight. Whoever is polled drives it, so a leader whose
//! client went away takes nobody down with it. An invalidation detaches the flight: those aboard still get its
//! result, later readers start anew.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::answer::Landing;
use crate::trace::EventId;
use crate::value::Key;

/// A landing, and the last event of the read, from which the passengers' next events follow.
pub(super) type Arrived = (Landing, Option<EventId>);
type Flight = Shared<BoxFuture<'static, Arrived>>;

/// The reads of this server that can still be joined.
#[derive(Default)]
pub(super) struct Flights(Mutex<Departures>);

#[derive(Default)]
struct Departures {
    next: u64,
    open: BTreeMap<Key, (u64, Flight)>,
}

/// A place in a flight.
pub(super) enum Seat<'a> {
    /// First to miss: the flight leaves now, and can be joined as long as the departure is kept.
    Leads(Departure<'a>, Flight),
    /// Somebody already reads.
    Joins(Flight),
}

/// The leader's hold on its flight. However the leader ends, nobody joins the flight after it.
pub(super) struct Departure<'a> {
    flights: &'a Flights,
    key: Key,
    number: u64,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        let mut departures = self.flights.0.lock().expect("no holder panics");
        let own = departures.open.get(&self.key).is_some_and(|(open, _)| *open == self.number);
        if kept!("flight.ends") && (own || !kept!("flight.own")) {
            departures.open.remove(&self.key);
        }
    }
}

impl Flights {
    /// Joins the flight for `key`, or starts one with the read that `read` makes.
    pub(super) fn board(&self, key: &Key, read: impl FnOnce() -> BoxFuture<'static, Arrived>) -> Seat<'_> {
        let mut departures = self.0.lock().expect("no holder panics");
        if let Some((_, flight)) = departures.open.get(key).filter(|_| kept!("flight.joins")) {
            return Seat::Joins(flight.clone());
        }
        let flight = read().shared();
        departures.next += 1;
        let number = departures.next;
        departures.open.insert(key.clone(), (number, flight.clone()));
        Seat::Leads(Departure { flights: self, key: key.clone(), number }, flight)
    }

    /// Parts later readers from the flight in progress, and says whether there was one.
    pub(super) fn detach(&self, key: &Key) -> bool {
        self.0.lock().expect("no holder panics").open.remove(key).is_some()
    }

    /// Parts later readers from every flight in progress.
    pub(super) fn detach_all(&self) {
        let detached = std::mem::take(&mut self.0.lock().expect("no holder panics").open);
        // Dropped outside the lock: a flight holds a handle to its cache.
        drop(detached);
    }
}
