//! Processors that others use too: a server's task that could go on waits for its turn.
//!
//! Without it a task goes on at the very instant at which it can, and two tasks of a server are seldom ready together: many
//! orders never come up. Four of five wait for a turn, which begins at a multiple of half a millisecond, so that several begin at once, in an
//! order of chance.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::random::{Purpose, Stream};
use crate::value::Instant;

/// How soon the tasks of servers go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As soon as they can.
    #[default]
    AtOnce,
    /// When it is their turn: within 2 ms mostly, rarely after 10 to 50.
    Busy,
}

/// Turns begin at multiples of it.
const QUANTUM_NS: u64 = 500_000;
/// The longest usual wait for a turn, in quanta.
const USUAL: u64 = 4;
/// Now and then, a wait as long as this, in quanta.
const RARE: (u64, u64) = (20, 100);
/// In so many of a thousand turns.
const RARE_PERMILLE: u32 = 5;

/// The tasks that wait for their turn.
pub(super) struct Busy {
    chance: Stream,
    later: BinaryHeap<Reverse<(Instant, u32)>>,
    /// Those whose turn it is.
    due: Vec<u32>,
}

impl Busy {
    /// What a pace needs.
    pub(super) fn at(pace: Pace, seed: u64) -> Option<Self> {
        let busy =
            || Self { chance: Stream::new(seed, Purpose::Pace), later: BinaryHeap::new(), due: Vec::new() };
        (pace == Pace::Busy).then(busy)
    }

    /// Puts off a task that could go on now, and says whether it did.
    pub(super) fn puts_off(&mut self, task: u32, now: Instant) -> bool {
        let quanta = if self.chance.below(1_000) < RARE_PERMILLE {
            self.chance.between(RARE.0, RARE.1)
        } else {
            self.chance.between(0, USUAL)
        };
        if quanta == 0 {
            return false;
        }
        let turn = now.after(Duration::from_nanos(quanta * QUANTUM_NS));
        self.later.push(Reverse((Instant(turn.0.next_multiple_of(QUANTUM_NS)), task)));
        true
    }

    /// When the next turn begins.
    pub(super) fn next(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// The turns of this instant begin.
    pub(super) fn begin(&mut self, now: Instant) {
        while self.next().is_some_and(|next| next <= now) {
            self.due.extend(self.later.pop().map(|Reverse((_, task))| task));
        }
    }

    /// A task whose turn it is, by chance.
    pub(super) fn take(&mut self) -> Option<u32> {
        let many = u32::try_from(self.due.len()).unwrap_or(u32::MAX);
        (many > 0).then(|| self.due.swap_remove(self.chance.below(many) as usize))
    }

    /// Whether it is nobody's turn.
    pub(super) fn is_idle(&self) -> bool {
        self.due.is_empty()
    }
}
