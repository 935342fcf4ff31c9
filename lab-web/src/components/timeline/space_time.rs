//! The space-time diagram: lanes of actors, an arrow for each message, and, over the wash, the past of the current
//! event: what can have led to it.

use std::fmt::Write as _;

use lab_core::trace::{Actor, Event, Kind, RequestKind};
use yew::prelude::*;

use super::scale::{Rows, Scale};
use crate::replay::{Arrow, Carries, Commit, Freshness, Past, Replay, drawn_at};
use crate::text::{Lang, span, ui};

/// With more messages than this, arrows have no heads and no words: they would be one blot.
const CROWDED: usize = 300;
/// So many messages of the past are drawn at most, the last ones.
const PAST_MAX: usize = 240;
/// A notice that takes more than this, in units, has its words.
const SLOW: f64 = 60.0;
/// About the width of a letter of a label, in units.
const LETTER: f64 = 6.1;

/// Every message of the run, in thin lines, and the stretches in which a copy was stale.
pub(super) fn messages(replay: &Replay, scale: Scale, rows: Rows) -> Html {
    let crowded = replay.space_time.arrows.len() > CROWDED;
    let (mut calls, mut notices) = (String::new(), String::new());
    for arrow in &replay.space_time.arrows {
        let path = if arrow.carries == Carries::Notice { &mut notices } else { &mut calls };
        draw(path, replay, scale, rows, *arrow, !crowded);
    }
    let crowd = crowded.then_some("crowd");
    html! { <>
        { for replay.bands.iter().filter(|band| band.freshness == Freshness::Stale).map(|band| {
            let (from, to) = (scale.x(replay, band.from), scale.x(replay, band.to));
            let (x, y) = (from.to_string(), (Rows::middle(band.server + 1) - 3.0).to_string());
            let width = (to - from).max(0.5).to_string();
            html! { <>
                <rect x={x.clone()} y={y.clone()} width={width.clone()} height="6" class="band stale" />
                <rect {x} {y} {width} height="6" class="hatchfill sm" />
            </> }
        }) }
        <path d={calls} class={classes!("arw", crowd)} data-testid="arrows" />
        <path d={notices} class={classes!("arw", "notice", crowd)} />
    </> }
}

/// The past of the event `index`: thick lines as far as it reaches, the messages in it, and whether the last commit
/// is in it.
pub(super) fn past(replay: &Replay, scale: Scale, rows: Rows, index: usize, lang: Lang) -> Html {
    let events = &replay.trace.events;
    let past = replay.space_time.past(events, index);
    let mut lines = String::new();
    for (actor, last) in past.ends() {
        // Several actors share the lane of clients or of a store: a thick line there would say too much of them.
        let alone = matches!(actor, Actor::Server(_) | Actor::Bus);
        if let Some(row) = rows.row_of(actor).filter(|_| alone) {
            let x = scale.x(replay, drawn_at(replay, last));
            let _ = write!(lines, "M{:.1},{:.1}H{x:.1}", scale.left, Rows::middle(row));
        }
    }
    let crowded = replay.space_time.arrows.len() > CROWDED;
    let arrived = replay.space_time.arrows.partition_point(|arrow| arrow.to <= index);
    let in_past = |arrow: &&Arrow| past.has(events[arrow.to].actor, arrow.to);
    let mut arrows = String::new();
    for arrow in replay.space_time.arrows[..arrived].iter().rev().filter(in_past).take(PAST_MAX) {
        draw(&mut arrows, replay, scale, rows, *arrow, !crowded);
    }
    html! { <>
        <path d={lines} class="line" />
        <path d={arrows} class="arw past" data-testid="past" />
        // Words stand over the wash: those of the future are to be read as well.
        if !crowded { { for labels(replay, scale, rows, lang).iter().map(Label::draw) } }
        { caption(replay, scale, rows, &past, index, lang) }
    </> }
}

/// Adds an arrow to a path. A message within a lane, as from a master to its replica, has none.
fn draw(path: &mut String, replay: &Replay, scale: Scale, rows: Rows, arrow: Arrow, head: bool) {
    let end = |index: usize| {
        let row = rows.row_of(replay.event(index)?.actor)?;
        Some((row, scale.x(replay, drawn_at(replay, index)), Rows::middle(row)))
    };
    let (Some((from_row, x1, y1)), Some((to_row, x2, y2))) = (end(arrow.from), end(arrow.to)) else { return };
    if from_row == to_row {
        return;
    }
    let _ = write!(path, "M{x1:.1},{y1:.1}L{x2:.1},{y2:.1}");
    if head {
        let (dx, dy) = (x2 - x1, y2 - y1);
        let far = dx.hypot(dy).max(1e-6);
        let (ux, uy) = (dx / far, dy / far);
        let barb = |side: f64| (x2 - 4.5 * ux + side * 2.6 * uy, y2 - 4.5 * uy - side * 2.6 * ux);
        let ((ax, ay), (bx, by)) = (barb(1.0), barb(-1.0));
        let _ = write!(path, "M{ax:.1},{ay:.1}L{x2:.1},{y2:.1}L{bx:.1},{by:.1}");
    }
}

/// A word at an event.
struct Label {
    x: f64,
    y: f64,
    text: String,
    class: &'static str,
}

impl Label {
    fn width(&self) -> f64 {
        self.text.chars().map(|letter| if letter.is_ascii() { LETTER } else { 2.0 * LETTER }).sum()
    }

    fn covers(&self, other: &Self) -> bool {
        (self.y - other.y).abs() < 11.0 && self.x < other.x + other.width() && other.x < self.x + self.width()
    }

    fn draw(&self) -> Html {
        html! {
            <text x={self.x.to_string()} y={self.y.to_string()} class={classes!("t11", "knock", self.class)}>
                { self.text.clone() }
            </text>
        }
    }
}

/// The words of commits, writes and slow notices, where there is room for them.
fn labels(replay: &Replay, scale: Scale, rows: Rows, lang: Lang) -> Vec<Label> {
    let mut wanted = commits(replay, scale, rows, lang);
    wanted.extend(writes(replay, scale, lang));
    wanted.extend(slow_notices(replay, scale, rows));
    let mut placed: Vec<Label> = Vec::new();
    for label in wanted {
        let inside = label.x >= scale.left && label.x + label.width() <= scale.right();
        if inside && !placed.iter().any(|other| other.covers(&label)) {
            placed.push(label);
        }
    }
    placed
}

/// Beside each commit but the first, which only sets the scene.
fn commits(replay: &Replay, scale: Scale, rows: Rows, lang: Lang) -> Vec<Label> {
    let Some(row) = rows.row_of(Actor::Primary) else { return Vec::new() };
    let label = |commit: &Commit| Label {
        x: scale.x(replay, drawn_at(replay, commit.index)) + 6.0,
        y: Rows::middle(row) + 4.0,
        text: ui::COMMIT.with(lang, &[&commit.version.to_string()]),
        class: "acc b",
    };
    replay.commits.iter().skip(1).map(label).collect()
}

/// Above the client's line, where a write leaves.
fn writes(replay: &Replay, scale: Scale, lang: Lang) -> Vec<Label> {
    let is_write = |event: &&Event| matches!(event.kind, Kind::Requested { request: RequestKind::Write, .. });
    let label = |event: &Event| Label {
        x: scale.x(replay, event.at) + 3.0,
        y: Rows::middle(0) - 4.0,
        text: ui::WRITE_SENT.get(lang).to_owned(),
        class: "t2",
    };
    replay.trace.events.iter().filter(is_write).map(label).collect()
}

/// Under the bus, what a notice is and how long its last delivery took.
fn slow_notices(replay: &Replay, scale: Scale, rows: Rows) -> Vec<Label> {
    let Some(row) = rows.row_of(Actor::Bus) else { return Vec::new() };
    let label = |arrow: &Arrow| {
        let (sent, landed) = (drawn_at(replay, arrow.from), drawn_at(replay, arrow.to));
        let (from, to) = (scale.x(replay, sent), scale.x(replay, landed));
        let call = replay.call(replay.event(arrow.from)?.message?)?;
        let is_last = call.deliveries.last().is_some_and(|(last, ..)| *last == arrow.to);
        let took = span(u64::try_from(landed.since(sent).as_nanos()).unwrap_or(u64::MAX));
        (is_last && to - from > SLOW).then(|| Label {
            x: from + 8.0,
            y: Rows::middle(row) + 11.5,
            text: format!("{} · {took}", call.verb.as_str()),
            class: "acc",
        })
    };
    let notices = replay.space_time.arrows.iter().filter(|arrow| arrow.carries == Carries::Notice);
    notices.filter_map(label).collect()
}

/// Whether the last commit before the event is in its past.
fn caption(replay: &Replay, scale: Scale, rows: Rows, past: &Past, index: usize, lang: Lang) -> Html {
    let of_scenario = replay.event(index).is_none_or(|event| event.actor == Actor::Lab);
    let commit = replay.commits.iter().skip(1).rev().find(|commit| commit.index <= index);
    let Some(commit) = commit.filter(|_| !of_scenario) else { return Html::default() };
    let version = commit.version.to_string();
    let broken = replay.event(index).and_then(|event| event.operation).is_some_and(|id| replay.violates(id));
    let told = past.has(Actor::Primary, commit.index);
    let text = if told { ui::COMMIT_IN_PAST } else { ui::COMMIT_NOT_IN_PAST }.with(lang, &[&version]);
    let class = match (told, broken) {
        (_, true) => "err",
        (true, false) => "ok",
        (false, false) => "t2",
    };
    // On the side of the last lane where the commit's own words are not.
    let late = scale.x(replay, drawn_at(replay, commit.index)) > f64::midpoint(scale.left, scale.right());
    let (x, anchor) = if late { (scale.left, "start") } else { (scale.right(), "end") };
    html! {
        <text x={x.to_string()} y={(rows.bottom - 1.0).to_string()} text-anchor={anchor}
            class={classes!("t11", "b", "knock", class)} data-testid="past-caption">{ text }</text>
    }
}
