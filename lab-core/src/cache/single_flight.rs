//! Requests of one server share one read.
//!
//! The first request to miss leads; the others join its flight. Whoever is polled drives it, so a leader whose
//! client went away takes nobody down with it. An invalidation detaches the flight: those aboard still get its
//! result, later readers start anew.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::read::{Read, ReadError};
use crate::value::Key;

/// The result of a read that is shared.
pub(super) type Landing = Result<Read, ReadError>;
type Flight = Shared<BoxFuture<'static, Landing>>;

/// The reads of this server that can still be joined.
#[derive(Default)]
pub(super) struct Flights(Mutex<Departures>);

#[derive(Default)]
struct Departures {
    next: u64,
    open: BTreeMap<Key, (u64, Flight)>,
}

/// A place in a flight.
pub(super) enum Seat {
    /// First to miss: the flight leaves now. It must be reported as landed under this number.
    Leads(u64, Flight),
    /// Somebody already reads.
    Joins(Flight),
}

impl Flights {
    /// Joins the flight for `key`, or starts one with the read that `read` makes.
    pub(super) fn board(&self, key: &Key, read: impl FnOnce() -> BoxFuture<'static, Landing>) -> Seat {
        let mut departures = self.0.lock().expect("no holder panics");
        if let Some((_, flight)) = departures.open.get(key) {
            return Seat::Joins(flight.clone());
        }
        let flight = read().shared();
        departures.next += 1;
        let number = departures.next;
        departures.open.insert(key.clone(), (number, flight.clone()));
        Seat::Leads(number, flight)
    }

    /// Closes the flight of that number, if it is still the one to join.
    pub(super) fn landed(&self, key: &Key, number: u64) {
        let mut departures = self.0.lock().expect("no holder panics");
        if departures.open.get(key).is_some_and(|(open, _)| *open == number) {
            departures.open.remove(key);
        }
    }

    /// Parts later readers from the flight in progress, and says whether there was one.
    pub(super) fn detach(&self, key: &Key) -> bool {
        self.0.lock().expect("no holder panics").open.remove(key).is_some()
    }
}
