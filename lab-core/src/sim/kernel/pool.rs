//! A server's connections to one `PostgreSQL` node: a call takes a free one, or waits its turn.

use std::collections::VecDeque;

use super::slots::Number;

/// Of so many connections.
#[derive(Clone, Debug)]
pub(super) struct Pool<T> {
    idle: VecDeque<Number>,
    /// Not opened yet, or lost.
    unopened: u32,
    waiting: VecDeque<T>,
}

/// What a call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// A connection that is open.
    Open(Number),
    /// The right to open one.
    Unopened,
}

impl<T> Pool<T> {
    pub(super) fn new(connections: u32) -> Self {
        Self { idle: VecDeque::new(), unopened: connections, waiting: VecDeque::new() }
    }

    /// Takes in one that was opened before anybody asked.
    pub(super) fn warmed(&mut self, connection: Number) {
        self.unopened -= 1;
        self.idle.push_back(connection);
    }

    /// Takes a seat for a call; `None` where all are taken.
    pub(super) fn take(&mut self) -> Option<Seat> {
        if let Some(connection) = self.idle.pop_front() {
            return Some(Seat::Open(connection));
        }
        self.unopened = self.unopened.checked_sub(1)?;
        Some(Seat::Unopened)
    }

    /// Keeps a call until it is its turn, and says how many wait before it.
    pub(super) fn wait(&mut self, call: T) -> u32 {
        self.waiting.push_back(call);
        u32::try_from(self.waiting.len() - 1).unwrap_or(u32::MAX)
    }

    /// Gives a seat back.
    pub(super) fn give_back(&mut self, seat: Seat) {
        match seat {
            Seat::Open(connection) => self.idle.push_back(connection),
            Seat::Unopened => self.unopened += 1,
        }
    }

    /// The call that may go next, with its seat.
    pub(super) fn next(&mut self) -> Option<(T, Seat)> {
        if self.waiting.is_empty() {
            return None;
        }
        let seat = self.take()?;
        self.waiting.pop_front().map(|call| (call, seat))
    }

    /// A connection is lost, whether it was idle or not: another may be opened in its place.
    pub(super) fn lost(&mut self, connection: Number) {
        self.idle.retain(|other| *other != connection);
        self.unopened += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::Slots;
    use super::*;

    #[test]
    fn a_pool_serves_in_the_order_of_asking() {
        let mut pool = Pool::new(1);
        assert_eq!(pool.take(), Some(Seat::Unopened));
        assert_eq!(pool.take(), None);
        assert_eq!((pool.wait('b'), pool.wait('c')), (0, 1));
        assert_eq!(pool.next(), None);
        let connection = Slots::default().put(());
        pool.give_back(Seat::Open(connection));
        assert_eq!(pool.next(), Some(('b', Seat::Open(connection))));
        pool.give_back(Seat::Unopened);
        assert_eq!(pool.next(), Some(('c', Seat::Unopened)));
        assert_eq!(pool.next(), None);
    }

    #[test]
    fn another_is_opened_in_place_of_a_lost_connection() {
        let mut pool: Pool<char> = Pool::new(1);
        let connection = Slots::default().put(());
        assert_eq!(pool.take(), Some(Seat::Unopened));
        pool.lost(connection);
        assert_eq!(pool.take(), Some(Seat::Unopened));
        pool.give_back(Seat::Open(connection));
        pool.lost(connection);
        assert_eq!((pool.take(), pool.take()), (Some(Seat::Unopened), None));
    }
}
