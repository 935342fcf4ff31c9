//! The history of a run: density, lanes with freshness and events, notices on the bus, folds, the scale. Nothing of
//! it moves, so it is drawn once for a run.

use std::fmt::Write as _;

use lab_core::trace::RequestKind;
use lab_core::value::Instant;
use yew::prelude::*;

use super::scale::{Rows, STRIP, Scale};
use super::space_time;
use super::strip::{density, outline, smoothed};
use crate::replay::{Freshness, Lane, Replay, Shown};
use crate::ruler::{Fold, View};
use crate::stage_state::is_background_event;
use crate::text::{Lang, span, ui};

/// A lane is divided into cells of so many units, to find out where it is crowded.
const CELL: f64 = 4.0;
/// More events than this in a cell (one in two units) cannot be told apart as ticks.
const TICKS_A_CELL: f64 = 2.0;
/// A crowded stretch of at least so many cells is drawn as a tint.
const CROWDED_CELLS: usize = 3;
/// How many cells on each side are averaged into a place of the tint.
const SMOOTHED_OVER: usize = 4;
/// The tint has so many steps.
const TINTS: usize = 5;

/// What the history is drawn from.
#[derive(Properties, PartialEq)]
pub(super) struct HistoryProps {
    /// The run.
    pub(super) replay: Shown,
    /// The simulator's run of the same policy, beside a recorded one.
    pub(super) simulated: Option<Shown>,
    /// The rows.
    pub(super) rows: Rows,
    /// The ruler.
    pub(super) scale: Scale,
    /// The share of the ruler that may be known: how the rest is divided would tell what happens there.
    pub(super) known: f64,
    /// The language.
    pub(super) lang: Lang,
}

/// What does not move.
#[component]
pub(super) fn History(props: &HistoryProps) -> Html {
    let (replay, scale, rows) = (&props.replay.0, props.scale, props.rows);
    let lanes = rows.lanes();
    let folds: Vec<Fold> = scale.ruler(replay).folds().filter(|fold| fold.x < props.known).collect();
    html! { <>
        { for folds.iter().map(|fold| fold_of(fold, scale, rows, props.lang)) }
        if !scale.is_phone() { { for fold_names(&folds, scale, rows, props.lang) } }
        <path d={density(replay, scale)} class="den" />
        // Where silence is folded, the two runs do not stand side by side.
        if let Some(simulated) = props.simulated.as_ref().filter(|_| scale.of == View::Lanes && !scale.is_phone()) {
            <path d={outline(&simulated.0, replay, scale)} class="simo" />
            if scale.has_gutter() {
                <g data-testid="simulator-in-gutter">
                    <title>{ ui::SIM_OUTLINE.get(props.lang) }</title>
                    <path d="M16,20V16H20V13H24V20H28" class="simo" />
                    <text x="33" y="20" class="t11 t2">{ ui::SIM_LINE.get(props.lang) }</text>
                </g>
            }
        }
        if rows.folded {
            <path d={format!("M{},{STRIP} H{}", scale.left, scale.right())} class="hair" />
        } else {
            { for (0..lanes.len()).map(|row| html! {
                <path d={format!("M{},{} H{}", scale.left, Rows::top(row) + 12.5, scale.right())} class="hair" />
            }) }
            if scale.of == View::SpaceTime {
                { space_time::messages(replay, scale, rows) }
            } else {
                { bands(replay, scale) }
                { events(replay, scale, &lanes) }
                { publications(replay, scale, &lanes) }
            }
        }
        if !scale.is_phone() { { ruler(replay, scale, rows.bottom, props.known) } }
    </> }
}

/// A stretch of silence that is left out.
fn fold_of(fold: &Fold, scale: Scale, rows: Rows, lang: Lang) -> Html {
    let (from, to) = (scale.at(fold.x), scale.at(fold.x + fold.width));
    let top = 9.0;
    let zigzag = |x: f64| {
        let mut path = format!("M{x:.1},{top}");
        let (mut y, mut side) = (top, 1.5);
        while y < rows.bottom {
            y = (y + 5.0).min(rows.bottom);
            let _ = write!(path, " L{:.1},{y:.1}", x + side);
            side = -side;
        }
        path
    };
    let hidden = ui::FOLDED.with(lang, &[&span((fold.millis * 1e6) as u64)]);
    html! { <>
        <rect x={from.to_string()} y={top.to_string()} width={(to - from).to_string()}
            height={(rows.bottom - top).to_string()} class="fold"><title>{ hidden.clone() }</title></rect>
        <path d={format!("{} {}", zigzag(from), zigzag(to))} class="foldl" />
    </> }
}

/// How long each fold is, below it; where several stand close, the longest ones have their words.
fn fold_names(folds: &[Fold], scale: Scale, rows: Rows, lang: Lang) -> Vec<Html> {
    let mut by_length: Vec<&Fold> = folds.iter().collect();
    by_length.sort_by(|one, other| other.millis.total_cmp(&one.millis));
    let mut taken: Vec<f64> = Vec::new();
    let mut names = Vec::new();
    for fold in by_length {
        let x = scale.at(fold.x + fold.width / 2.0);
        if taken.iter().any(|other| (other - x).abs() < scale.fold_name()) {
            continue;
        }
        taken.push(x);
        let length = span((fold.millis * 1e6) as u64);
        let name = if scale.of == View::Lanes { ui::FOLDED.with(lang, &[&length]) } else { length };
        names.push(html! {
            <text x={x.to_string()} y={(rows.bottom + 16.0).to_string()} class="t11 t3" text-anchor="middle">{ name }</text>
        });
    }
    names
}

fn bands(replay: &Replay, scale: Scale) -> Html {
    html! { { for replay.bands.iter().map(|band| {
        let (from, to) = (scale.x(replay, band.from), scale.x(replay, band.to));
        let class = match band.freshness {
            Freshness::Fresh => "fresh",
            Freshness::Stale => "stale",
            Freshness::Gone => "gone",
        };
        let (x, y) = (from.to_string(), Rows::top(band.server + 1).to_string());
        let width = (to - from).max(0.5).to_string();
        html! { <>
            <rect x={x.clone()} y={y.clone()} width={width.clone()} height="10" rx="2" class={classes!("band", class)} />
            if class == "stale" { <rect x={x} y={y} width={width} height="10" rx="2" class="hatchfill sm" /> }
        </> }
    }) } }
}

/// One tick an event; where a lane is crowded a tint instead, the darker the more events.
fn events(replay: &Replay, scale: Scale, lanes: &[Lane]) -> Html {
    let mut places: Vec<Vec<f64>> = vec![Vec::new(); lanes.len()];
    for event in replay.trace.events.iter().filter(|event| !is_background_event(event)) {
        let lane = Lane::of(event.actor).and_then(|lane| lanes.iter().position(|own| *own == lane));
        if let Some(row) = lane {
            places[row].push(scale.x(replay, event.at));
        }
    }
    let mut ticks = String::new();
    let mut tints = vec![String::new(); TINTS];
    for (row, places) in places.iter().enumerate() {
        let top = Rows::top(row);
        let cells = cells(places, scale);
        let crowded = crowded(&cells);
        tint(&cells, &crowded, scale, top, &mut tints);
        let mut last = f64::NEG_INFINITY;
        for x in places.iter().copied().filter(|x| !crowded[cell(*x, scale, crowded.len())]) {
            // Events that fall on one place are one tick.
            if x - last >= 2.0 {
                last = x;
                let _ = write!(ticks, "M{x:.1},{:.1}v8", top + 1.0);
            }
        }
    }
    html! { <>
        { for tints.into_iter().enumerate().filter(|(_, path)| !path.is_empty()).map(|(level, path)| html! {
            <path d={path} class={format!("tint t{}", level + 1)} data-testid="tint" />
        }) }
        <path d={ticks} class="tick" />
    </> }
}

fn cell(x: f64, scale: Scale, cells: usize) -> usize {
    (((x - scale.left) / CELL) as usize).min(cells - 1)
}

/// How many events fall into each cell of a lane, evened out.
fn cells(places: &[f64], scale: Scale) -> Vec<f64> {
    let mut cells = vec![0.0; (scale.width / CELL) as usize];
    let count = cells.len();
    for x in places {
        cells[cell(*x, scale, count)] += 1.0;
    }
    smoothed(&cells, SMOOTHED_OVER)
}

/// Which cells are crowded, in stretches long enough to be seen as such.
fn crowded(cells: &[f64]) -> Vec<bool> {
    let stretches = cells.chunk_by(|one, other| (*one > TICKS_A_CELL) == (*other > TICKS_A_CELL));
    let is_crowded =
        |stretch: &[f64]| stretch.len() >= CROWDED_CELLS && stretch.iter().all(|count| *count > TICKS_A_CELL);
    stretches.flat_map(|stretch| vec![is_crowded(stretch); stretch.len()]).collect()
}

/// The tint of a lane, added to the paths of its steps; it leaves an edge of the band below it free.
fn tint(cells: &[f64], crowded: &[bool], scale: Scale, top: f64, paths: &mut [String]) {
    let most = cells.iter().copied().fold(1e-9, f64::max);
    let steps = paths.len() as f64;
    let level = |(count, crowded): (&f64, &bool)| {
        if *crowded { ((count / most).sqrt() * steps).ceil() as usize } else { 0 }
    };
    let levels: Vec<usize> = cells.iter().zip(crowded).map(level).collect();
    let mut from = 0;
    for run in levels.chunk_by(|one, other| one == other) {
        if let Some(path) = run[0].checked_sub(1).and_then(|level| paths.get_mut(level)) {
            let (x, width) = (scale.left + CELL * from as f64, CELL * run.len() as f64);
            let _ = write!(path, "M{x:.1},{:.1}h{width:.1}v6h-{width:.1}z", top + 2.0);
        }
        from += run.len();
    }
}

fn publications(replay: &Replay, scale: Scale, lanes: &[Lane]) -> Html {
    let row = lanes.iter().position(|lane| *lane == Lane::Bus).unwrap_or(0);
    let y = Rows::middle(row);
    html! { { for replay.publications.iter().filter_map(|notice| {
        let (from, to) = (scale.x(replay, notice.from), scale.x(replay, notice.to));
        (to - from > 3.0).then(|| html! { <>
            <path d={format!("M{from:.1},{y} H{to:.1} M{:.1},{} l4,3.5 l-4,3.5", to - 4.0, y - 3.5)} class="buslag" />
            <circle cx={from.to_string()} cy={y.to_string()} r="2.5" class="busdot" />
        </> })
    }) } }
}

/// From when on the goal forbids the old version: the acknowledgement of a write. It stands over the wash, with its
/// words between the density strip and the lanes.
pub(super) fn acknowledged(replay: &Replay, scale: Scale, rows: Rows, lang: Lang) -> Html {
    let write = replay.trace.events.iter().enumerate().skip(replay.act()).find_map(|(index, event)| {
        let operation = replay.operation(event.operation?)?;
        let own =
            operation.request == RequestKind::Write && operation.completed.is_some_and(|(at, _)| at == index);
        own.then_some(event.at)
    });
    let Some(x) = write.map(|at: Instant| scale.x(replay, at)).filter(|_| !rows.folded) else {
        return Html::default();
    };
    let (label_x, anchor) =
        if x > scale.left + scale.width * 0.62 { (x - 5.0, "end") } else { (x + 8.0, "start") };
    html! { <>
        <path d={format!("M{x:.1},{} V{}", STRIP + 3.0, rows.bottom)} class="limit" />
        <text x={label_x.to_string()} y={(STRIP + 10.5).to_string()} class="t11 t2 knock" text-anchor={anchor}>
            { ui::ACKNOWLEDGED.get(lang) }
        </text>
    </> }
}

/// The scale below, as far as it may be known; there is no number where a fold has its own.
fn ruler(replay: &Replay, scale: Scale, bottom: f64, known: f64) -> Html {
    let near = scale.fold_name() / 2.0 / scale.width;
    let folds: Vec<f64> = scale.ruler(replay).folds().map(|fold| fold.x + fold.width / 2.0).collect();
    let ticks = scale.ruler(replay).ticks(0.16).into_iter().filter(|(share, _)| *share <= known);
    html! { { for ticks.map(|(share, at)| {
        let x = scale.at(share);
        let hidden = folds.iter().any(|fold| (fold - share).abs() < near + 0.03);
        let anchor = if share < 0.02 { "start" } else if share > 0.96 { "end" } else { "middle" };
        let text = if at.0 == 0 { "0".to_owned() } else { format!("+{} ms", at.as_millis_f64()) };
        html! { <>
            <path d={format!("M{x:.1},{bottom} v4")} class="ln" />
            if !hidden {
                <text x={x.to_string()} y={(bottom + 16.0).to_string()} class="m11 t3" text-anchor={anchor}>{ text }</text>
            }
        </> }
    }) } }
}
