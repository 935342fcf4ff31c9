//! Calls of one server that are alike share one flight.
//!
//! The first to want an answer leads; the others join its flight. Whoever is polled drives it, so a leader whose client
//! went away takes nobody down with it. An invalidation detaches the flight: those aboard still get its result, later
//! readers start anew.
//!
//! Who needs an answer to a question that was asked *after* its own arrival cannot join what is under way. It waits for the
//! following flight, which leaves when that lands and takes all who wait by then: however many there are, two flights do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// A call that many wait for.
pub(super) type Flight<T> = Shared<BoxFuture<'static, T>>;

/// The calls of this server that can still be joined.
pub(super) struct Flights<K, T>(Arc<Mutex<Departures<K, T>>>)
where
    T: Clone;

struct Departures<K, T: Clone> {
    next: u64,
    open: BTreeMap<K, Open<T>>,
}

/// What can be joined for a key.
struct Open<T: Clone> {
    /// Under way.
    current: Option<(u64, Flight<T>)>,
    /// Leaves when the one under way has landed.
    following: Option<(u64, Flight<T>)>,
}

/// Which flight is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boarding {
    /// Also one that is under way.
    Any,
    /// Only one that has not left yet.
    BeforeDeparture,
}

/// A place in a flight.
pub(super) enum Seat<K: Ord, T: Clone> {
    /// First to want it: the flight can be joined as long as the departure is kept.
    Leads(Departure<K, T>, Flight<T>),
    /// Somebody already asks.
    Joins(Flight<T>),
}

/// The leader's hold on its flight. However the leader ends, nobody joins the flight after it.
pub(super) struct Departure<K: Ord, T: Clone> {
    flights: Flights<K, T>,
    key: K,
    number: u64,
}

impl<K, T: Clone> Clone for Flights<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Departures { next: 0, open: BTreeMap::new() })))
    }
}

impl<T: Clone> Open<T> {
    fn is_over(&self) -> bool {
        self.current.is_none() && self.following.is_none()
    }
}

fn is_number<T: Clone>(flight: Option<&(u64, Flight<T>)>, number: u64) -> bool {
    flight.is_some_and(|(own, _)| *own == number)
}

impl<K: Ord, T: Clone> Drop for Departure<K, T> {
    fn drop(&mut self) {
        let mut departures = self.flights.0.lock().expect("no holder panics");
        let Some(open) = departures.open.get_mut(&self.key) else { return };
        let mut landed = Vec::new();
        for flight in [&mut open.current, &mut open.following] {
            let own = is_number(flight.as_ref(), self.number) || !kept!("flight.own");
            if kept!("flight.ends") && own {
                landed.extend(flight.take());
            }
        }
        if open.is_over() {
            departures.open.remove(&self.key);
        }
        drop(departures);
        // Dropped outside the lock: a flight holds a handle to its cache.
        drop(landed);
    }
}

impl<K, T> Flights<K, T>
where
    K: Ord + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins a flight for `key` that is good enough, or starts one with the call that `call` makes.
    pub(super) fn board(
        &self,
        key: &K,
        boarding: Boarding,
        call: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Seat<K, T> {
        let mut departures = self.0.lock().expect("no holder panics");
        let departures = &mut *departures;
        let open = departures.open.entry(key.clone()).or_insert(Open { current: None, following: None });
        let under_way = open.current.as_ref().filter(|_| boarding == Boarding::Any);
        if let Some((_, flight)) = under_way.or(open.following.as_ref()).filter(|_| kept!("flight.joins")) {
            return Seat::Joins(flight.clone());
        }
        departures.next += 1;
        let number = departures.next;
        let flight = match &open.current {
            None => {
                let flight = call().shared();
                open.current = Some((number, flight.clone()));
                flight
            }
            Some((_, ahead)) => {
                let flight = self.after(ahead.clone(), key.clone(), number, call()).shared();
                open.following = Some((number, flight.clone()));
                flight
            }
        };
        Seat::Leads(Departure { flights: self.clone(), key: key.clone(), number }, flight)
    }

    /// A flight that leaves when the one ahead has landed.
    fn after(
        &self,
        ahead: Flight<T>,
        key: K,
        number: u64,
        call: BoxFuture<'static, T>,
    ) -> BoxFuture<'static, T> {
        let flights = self.clone();
        let flight = async move {
            ahead.await;
            flights.depart(&key, number);
            call.await
        };
        flight.boxed()
    }

    /// The following flight leaves: who comes from now on finds it under way.
    fn depart(&self, key: &K, number: u64) {
        let mut departures = self.0.lock().expect("no holder panics");
        let landed = departures.open.get_mut(key).and_then(|open| {
            if !is_number(open.following.as_ref(), number) || !kept!("flight.departs") {
                return None;
            }
            std::mem::replace(&mut open.current, open.following.take())
        });
        drop(departures);
        drop(landed);
    }

    /// Parts later readers from the flight under way, and says whether there was one. One that has not left yet asks when
    /// all that has happened by now is there to be seen.
    pub(super) fn detach(&self, key: &K) -> bool {
        let mut departures = self.0.lock().expect("no holder panics");
        let Some(open) = departures.open.get_mut(key) else { return false };
        let detached = open.current.take();
        if open.is_over() {
            departures.open.remove(key);
        }
        drop(departures);
        detached.is_some()
    }

    /// Parts later readers from every flight under way.
    pub(super) fn detach_all(&self) {
        let mut departures = self.0.lock().expect("no holder panics");
        let detached: Vec<_> = departures.open.values_mut().filter_map(|open| open.current.take()).collect();
        departures.open.retain(|_, open| !open.is_over());
        drop(departures);
        // Dropped outside the lock: a flight holds a handle to its cache.
        drop(detached);
    }
}
