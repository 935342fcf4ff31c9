//! The density strip: how much happened when. Bars where a run is sparse, one outline where it is dense; a thin line
//! for the simulator's run beside a recorded one.

use std::fmt::Write as _;

use lab_core::value::Instant;

use super::scale::{STRIP, Scale};
use crate::replay::Replay;
use crate::stage_state::is_background_event;

/// A density bar about so many units.
const BAR: f64 = 8.0;
/// With more than this share of bars in use the strip is one shape: bars at even distances would beat against
/// whatever repeats in the run.
const DENSE_SHARE: f64 = 0.7;
/// How many bars on each side are averaged into a place of the one shape.
const SMOOTHED_OVER: usize = 2;

/// The strip of a run, as a filled path.
pub(super) fn density(replay: &Replay, scale: Scale) -> String {
    let counts = counts(replay, replay, scale);
    let used = counts.iter().filter(|count| **count > 0.0).count();
    if used as f64 > DENSE_SHARE * counts.len() as f64 {
        return format!("{} V{STRIP} Z", steps(&smoothed(&counts, SMOOTHED_OVER), scale));
    }
    let (most, pitch) = (most(&counts), scale.width / counts.len() as f64);
    let mut path = String::new();
    for (bar, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
        let (x, w, h) = (scale.left + 1.0 + pitch * bar as f64, pitch - 2.0, height(*count, most));
        let _ = write!(path, "M{x:.1},{:.1}h{w:.1}v{h:.1}h-{w:.1}z", STRIP - h);
    }
    path
}

/// The simulator's run along the ruler of a recorded one, as a line.
pub(super) fn outline(simulated: &Replay, along: &Replay, scale: Scale) -> String {
    steps(&counts(simulated, along, scale), scale)
}

fn steps(counts: &[f64], scale: Scale) -> String {
    let (most, pitch) = (most(counts), scale.width / counts.len() as f64);
    let mut path = format!("M{},{STRIP}", scale.left);
    for (bar, count) in counts.iter().enumerate() {
        let right = scale.left + pitch * (bar + 1) as f64;
        let _ = write!(path, " V{:.1} H{right:.1}", STRIP - height(*count, most));
    }
    path
}

/// How many events fall under each bar.
fn counts(replay: &Replay, along: &Replay, scale: Scale) -> Vec<f64> {
    let bars = (scale.width / BAR) as usize;
    let act = |replay: &Replay| replay.event(replay.act()).map_or(0, |event| event.at.0);
    let (own, other) = (act(replay), act(along));
    let mut counts = vec![0.0; bars];
    for event in replay.trace.events.iter().filter(|event| !is_background_event(event)) {
        // Two runs stand side by side from the phase `act` on: before it, real servers take their time to start.
        let at = Instant((event.at.0 + other).saturating_sub(own));
        let bar = (scale.ruler(along).x(at) * bars as f64) as usize;
        counts[bar.min(bars - 1)] += 1.0;
    }
    counts
}

fn most(counts: &[f64]) -> f64 {
    counts.iter().copied().fold(1.0, f64::max)
}

fn height(count: f64, most: f64) -> f64 {
    if count <= 0.0 { 0.0 } else { 3.0 + 18.0 * (count / most).sqrt() }
}

/// Each count averaged with its neighbours, the nearer ones weighing more.
pub(super) fn smoothed(counts: &[f64], over: usize) -> Vec<f64> {
    let weight = |from: usize, to: usize| (over + 1 - from.abs_diff(to)) as f64;
    (0..counts.len())
        .map(|place| {
            let near = place.saturating_sub(over)..(place + over + 1).min(counts.len());
            let total: f64 = near.clone().map(|other| weight(place, other)).sum();
            near.map(|other| counts[other] * weight(place, other)).sum::<f64>() / total
        })
        .collect()
}
