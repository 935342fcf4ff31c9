//! The answers worth a mark: stale ones as triangles, failed ones as crosses; those of the future in outline.

use yew::prelude::*;

use super::scale::{Rows, Scale};
use crate::replay::Replay;

/// Marks nearer than this merge.
const MERGED_UNDER: f64 = 10.0;
/// A count needs this much room beside its mark.
const COUNT_ROOM: f64 = 27.0;

/// One mark, or several that lie too close to be told apart.
struct Group {
    x: f64,
    y: f64,
    bad: bool,
    future: bool,
    count: usize,
}

/// The marks of a run.
pub(super) fn marks(replay: &Replay, scale: Scale, rows: Rows, index: usize) -> Html {
    let groups = grouped(replay, scale, rows, index);
    html! { { for groups.iter().map(|group| {
        let right = group.x + COUNT_ROOM < scale.view.0 + scale.view.1;
        let side = if right { 1.0 } else { -1.0 };
        let is_beside = |other: &Group| (0.1..COUNT_ROOM).contains(&((other.x - group.x) * side));
        let free = !groups.iter().any(|other| same_row(other, group) && is_beside(other));
        draw(group, free.then_some(side))
    }) } }
}

fn same_row(one: &Group, other: &Group) -> bool {
    (one.y - other.y).abs() < 0.5
}

fn grouped(replay: &Replay, scale: Scale, rows: Rows, index: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for mark in &replay.marks {
        let group = Group {
            x: scale.x(replay, mark.at),
            y: rows.of_marks(mark.server),
            bad: mark.bad,
            future: mark.index > index,
            count: 1,
        };
        let near = |other: &&mut Group| {
            same_row(other, &group) && other.bad == group.bad && group.x - other.x < MERGED_UNDER
        };
        match groups.iter_mut().rev().find(near) {
            Some(other) => {
                other.count += 1;
                other.future &= group.future;
            }
            None => groups.push(group),
        }
    }
    // In the one row of the folded timeline a failed answer covers a stale one beside it.
    let bad: Vec<f64> = groups.iter().filter(|group| group.bad).map(|group| group.x).collect();
    groups
        .retain(|group| group.bad || !rows.folded || bad.iter().all(|x| (x - group.x).abs() >= MERGED_UNDER));
    groups
}

/// Draws a group, with its count on that side of it, where there is room for one.
fn draw(group: &Group, side: Option<f64>) -> Html {
    let Group { x, y, bad, future, count } = *group;
    let future = future.then_some("fut");
    html! { <>
        if bad {
            <g class={classes!("xm", future)} data-testid="mark-bad">
                <rect x={(x - 5.8).to_string()} y={(y - 5.8).to_string()} width="11.6" height="11.6" rx="2.5" />
                <path d={format!("M{},{} l5.2,5.2 m0,-5.2 l-5.2,5.2", x - 2.6, y - 2.6)} />
            </g>
        } else {
            <path d={format!("M{x:.1},{:.1} l4.8,8.4 h-9.6 Z", y - 4.5)} class={classes!("mk", "st", future)}
                data-testid="mark-stale" />
        }
        if let Some(side) = side.filter(|_| count > 1) {
            <text x={(x + 8.0 * side).to_string()} y={(y + 4.0).to_string()} class="t11 b knock"
                text-anchor={if side < 0.0 { "end" } else { "start" }}>{ format!("×{count}") }</text>
        }
    </> }
}
