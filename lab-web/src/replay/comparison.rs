//! The same scenario in the two worlds, side by side: which events have the same order, which not, which are in one
//! world only. Verdicts come from checks, never from order.

use std::collections::BTreeMap;

use lab_core::trace::{Event, Kind};

use super::Replay;
use crate::stage_state::is_background_event;

/// Above this many events the order is not compared: the comparison costs their product.
const ORDER_COMPARED_MAX: usize = 3_000;

/// How a real run differs from the simulated one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Events in the same order in both; `None` where there are too many to tell.
    pub(crate) same: Option<usize>,
    /// Events in both, the same order or not.
    pub(crate) both: usize,
    /// Events of the real run that the simulator has no match for, by what they are.
    pub(crate) only_real: BTreeMap<String, usize>,
    /// Events of the simulator that the real run has no match for, by what they are.
    pub(crate) only_simulated: BTreeMap<String, usize>,
    /// Places in the real run that are not in the simulator's order.
    pub(crate) moved: Vec<usize>,
}

impl Comparison {
    /// Compares a real run with a simulated one. Signs of life and renewals are left out.
    pub(crate) fn new(real: &Replay, simulated: &Replay) -> Self {
        let (real, simulated) = (labels(real), labels(simulated));
        let mut balance: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (_, label) in &real {
            balance.entry(label).or_default().0 += 1;
        }
        for (_, label) in &simulated {
            balance.entry(label).or_default().1 += 1;
        }
        let more = |one: usize, other: usize| one.saturating_sub(other);
        let side = |pick: fn(usize, usize) -> (usize, usize)| {
            balance
                .iter()
                .map(|(label, counts)| (pick(counts.0, counts.1), *label))
                .map(|((one, other), label)| (label.to_owned(), more(one, other)))
                .filter(|(_, count)| *count > 0)
                .collect::<BTreeMap<_, _>>()
        };
        let both = balance.values().map(|(one, other)| one.min(other)).sum();
        let small = real.len().max(simulated.len()) <= ORDER_COMPARED_MAX;
        let kept = small.then(|| in_order(&real, &simulated));
        let moved = kept.as_ref().map_or_else(Vec::new, |kept| {
            real.iter().zip(kept).filter(|(_, kept)| !**kept).map(|((index, _), _)| *index).collect()
        });
        Self {
            same: kept.map(|kept| kept.iter().filter(|kept| **kept).count()),
            both,
            only_real: side(|real, simulated| (real, simulated)),
            only_simulated: side(|real, simulated| (simulated, real)),
            moved,
        }
    }
}

fn labels(replay: &Replay) -> Vec<(usize, String)> {
    let events = replay.trace.events.iter().enumerate();
    events
        .filter(|(_, event)| !is_background_event(event))
        .map(|(index, event)| (index, label(event)))
        .collect()
}

/// What an event is, without its instant and its numbers.
fn label(event: &Event) -> String {
    let word = match &event.kind {
        Kind::Phase { name } => name.clone(),
        Kind::Called { to, verb } => format!("{} to {to}", verb.as_str()),
        Kind::Served { verb, .. } => format!("{} served", verb.as_str()),
        Kind::Returned { verb, .. } => format!("{} returned", verb.as_str()),
        Kind::Replayed { verb, .. } => format!("{} replayed", verb.as_str()),
        other => crate::text::event_word(other).to_owned(),
    };
    format!("{}: {word}", event.actor)
}

/// For each real event, whether it is part of the longest common subsequence.
fn in_order(real: &[(usize, String)], simulated: &[(usize, String)]) -> Vec<bool> {
    let (rows, columns) = (real.len(), simulated.len());
    let mut best = vec![0_u16; (rows + 1) * (columns + 1)];
    let at = |row: usize, column: usize| row * (columns + 1) + column;
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            best[at(row, column)] = if real[row].1 == simulated[column].1 {
                best[at(row + 1, column + 1)] + 1
            } else {
                best[at(row + 1, column)].max(best[at(row, column + 1)])
            };
        }
    }
    let mut kept = vec![false; rows];
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        if real[row].1 == simulated[column].1 {
            kept[row] = true;
            row += 1;
            column += 1;
        } else if best[at(row + 1, column)] >= best[at(row, column + 1)] {
            row += 1;
        } else {
            column += 1;
        }
    }
    kept
}
