//! The timeline: density, one lane an actor, what was stale and what failed, and the playhead.
//!
//! The lanes are drawn once for a run; only the playhead, the wash over the future and the marks move.

use std::fmt::Write as _;

use lab_core::trace::RequestKind;
use lab_core::value::Instant;
use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

use super::stage::Shown;
use crate::replay::{Freshness, Lane, Replay, lanes_of};
use crate::stage::{CROPPED, PHONE, WHOLE};
use crate::stage_state::is_background_event;
use crate::state::Action;
use crate::text::{Lang, clock, grouped, span, ui};

/// The ruler: where it begins and how wide it is, and the view box around it, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    left: f64,
    width: f64,
    view: (f64, f64),
}

impl Scale {
    /// The same ruler as the stage has at this width of the window.
    fn of(width: f64) -> Self {
        let view = match width {
            width if width <= 720.0 => PHONE,
            width if width < 1240.0 => CROPPED,
            _ => WHOLE,
        };
        if view == PHONE {
            Self { left: 16.0, width: 358.0, view }
        } else {
            Self { left: 92.0, width: 728.0, view }
        }
    }

    fn right(self) -> f64 {
        self.left + self.width
    }

    fn x(self, replay: &Replay, at: Instant) -> f64 {
        self.left + self.width * replay.ruler.x(at)
    }
}

/// The first lane, and the distance of lanes.
const TOP: f64 = 49.0;
const PITCH: f64 = 15.0;
/// A density bar a so many units.
const BAR: f64 = 8.0;

/// What the timeline shows.
#[derive(Properties, PartialEq)]
pub(crate) struct TimelineProps {
    /// The run.
    pub(crate) replay: Shown,
    /// The simulator's run of the same policy, beside a recorded one.
    pub(crate) simulated: Option<Shown>,
    /// The event.
    pub(crate) index: usize,
    /// The instant.
    pub(crate) now: Instant,
    /// Whether the future is hidden.
    pub(crate) veiled: bool,
    /// Whether lanes are folded to the density strip.
    pub(crate) folded: bool,
    /// The width of the window.
    pub(crate) width: f64,
    /// The language.
    pub(crate) lang: Lang,
    /// What to do.
    pub(crate) act: Callback<Action>,
}

/// The timeline.
#[component]
pub(crate) fn Timeline(props: &TimelineProps) -> Html {
    let (lang, replay) = (props.lang, &props.replay.0);
    let lanes = lanes_of(replay.servers());
    let bottom = if props.folded { 34.0 } else { TOP + PITCH * (lanes.len() as f64 - 1.0) + 5.0 };
    let scale = Scale::of(props.width);
    let x = scale.x(replay, props.now);
    let svg = use_node_ref();
    let dragging = use_mut_ref(|| false);
    let scrub = {
        let (svg, replay, act) = (svg.clone(), props.replay.clone(), props.act.clone());
        move |event: &PointerEvent| {
            let Some(element) = svg.cast::<Element>() else { return };
            let bounds = element.get_bounding_client_rect();
            let units =
                (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0) * scale.view.1;
            let share = ((units + scale.view.0 - scale.left) / scale.width).clamp(0.0, 1.0);
            act.emit(Action::Scrub(replay.0.ruler.at(share)));
        }
    };
    let onpointerdown = {
        let (scrub, dragging) = (scrub.clone(), dragging.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some(target) = event.current_target().and_then(|target| target.dyn_into::<Element>().ok())
            {
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            *dragging.borrow_mut() = true;
            scrub(&event);
        })
    };
    let onpointermove = {
        let (scrub, dragging) = (scrub.clone(), dragging.clone());
        Callback::from(move |event: PointerEvent| {
            if *dragging.borrow() {
                scrub(&event);
            }
        })
    };
    let release = {
        let dragging = dragging.clone();
        Callback::from(move |_: PointerEvent| *dragging.borrow_mut() = false)
    };
    let actor = replay.event(props.index).and_then(|event| Lane::of(event.actor));
    let (index, last) = (grouped(props.index as u64 + 1), grouped(replay.last() as u64 + 1));
    html! {
        <svg ref={svg} class="tl" viewBox={format!("{} 0 {} {}", scale.view.0, scale.view.1, bottom + 19.0)} role="slider" tabindex="0"
            aria-label={ui::TIMELINE.get(lang)} aria-valuemin="1" aria-valuemax={(replay.last() + 1).to_string()}
            aria-valuenow={(props.index + 1).to_string()} data-testid="timeline"
            aria-valuetext={ui::TIMELINE_AT.with(lang, &[&clock(props.now), &index, &last])}
            {onpointerdown} {onpointermove} onpointerup={release.clone()} onpointercancel={release}>
            <rect x={scale.left.to_string()} y="0" width={scale.width.to_string()} height={bottom.to_string()} class="hit" />
            <Lanes replay={props.replay.clone()} simulated={props.simulated.clone()} folded={props.folded} {scale} {lang} />
            if !props.folded {
                { for lanes.iter().enumerate().map(|(row, lane)| {
                    let on = Some(*lane) == actor;
                    html! {
                        <text x="16" y={(TOP + PITCH * row as f64 - 4.0).to_string()}
                            class={if on { "m11 acc b" } else { "m11 t2" }}>{ lane.name() }</text>
                    }
                }) }
            }
            <rect x={x.to_string()} y="8" width={(scale.right() - x).max(0.0).to_string()}
                height={(bottom - 7.0).to_string()} class="wash" />
            if !props.folded { { marks(replay, scale, props.index) } }
            if props.veiled {
                <rect x={x.to_string()} y="4" width={(scale.right() - x).max(0.0).to_string()}
                    height={(bottom - 4.0).to_string()} class="veil" />
                <text x={f64::midpoint(x, scale.right()).to_string()} y={(bottom / 2.0 + 6.0).to_string()} class="t12 t2"
                    text-anchor="middle" data-testid="veil">{ ui::VEIL.get(lang) }</text>
            }
            <path d={format!("M{x:.1},6 V{:.1}", bottom + 4.0)} class="ph" />
            <path d={format!("M{:.1},0 h12 v7 l-6,6 l-6,-6 Z", x - 6.0)} class="ph-h" />
        </svg>
    }
}

#[derive(Properties, PartialEq)]
struct LanesProps {
    replay: Shown,
    simulated: Option<Shown>,
    folded: bool,
    scale: Scale,
    lang: Lang,
}

/// What does not move: density, lanes, ticks, folds, the ruler.
#[component]
fn Lanes(props: &LanesProps) -> Html {
    let (lang, replay, scale) = (props.lang, &props.replay.0, props.scale);
    let lanes = lanes_of(replay.servers());
    let bottom = if props.folded { 34.0 } else { TOP + PITCH * (lanes.len() as f64 - 1.0) + 5.0 };
    html! { <>
        <path d={density(replay, scale)} class="den" />
        if let Some(simulated) = &props.simulated {
            <path d={outline(&simulated.0, replay, scale)} class="simo" />
            <text x={scale.right().to_string()} y="9" class="t11 t2 knock" text-anchor="end">{ ui::SIM_OUTLINE.get(lang) }</text>
        }
        if !props.folded {
            { for (0..lanes.len()).map(|row| html! {
                <path d={format!("M{},{} H{}", scale.left, TOP + PITCH * row as f64 - 0.5, scale.right())} class="hair" />
            }) }
            { bands(replay, scale) }
            <path d={ticks(replay, scale, &lanes)} class="tick" />
            { publications(replay, scale, &lanes) }
        }
        { for replay.ruler.folds().map(|fold| {
            let (from, to) = (scale.left + scale.width * fold.x, scale.left + scale.width * (fold.x + fold.width));
            html! { <>
                <rect x={from.to_string()} y="30" width={(to - from).to_string()} height={(bottom - 30.0).to_string()} class="fold" />
                <path d={format!("{} {}", zigzag(from, bottom), zigzag(to, bottom))} class="foldl" />
                <text x={f64::midpoint(from, to).to_string()} y={(bottom + 16.0).to_string()} class="t11 t3" text-anchor="middle">
                    { ui::FOLDED.with(lang, &[&span((fold.millis * 1e6) as u64)]) }
                </text>
            </> }
        }) }
        if !props.folded { { acknowledged(replay, scale, lang, bottom) } }
        { ruler(replay, scale, bottom) }
    </> }
}

fn zigzag(x: f64, bottom: f64) -> String {
    let mut path = format!("M{x:.1},30");
    let mut y = 30.0;
    let mut side = 1.5;
    while y < bottom {
        y = (y + 5.0).min(bottom);
        let _ = write!(path, " L{:.1},{y:.1}", x + side);
        side = -side;
    }
    path
}

/// How many events fall under each bar.
fn counts(replay: &Replay, along: &Replay, scale: Scale) -> Vec<usize> {
    let bars = (scale.width / BAR) as usize;
    let act = |replay: &Replay| replay.event(replay.act()).map_or(0, |event| event.at.0);
    let (own, other) = (act(replay), act(along));
    let mut counts = vec![0; bars];
    for event in replay.trace.events.iter().filter(|event| !is_background_event(event)) {
        // Two runs stand side by side from the phase `act` on: before it, real servers take their time to start.
        let at = Instant((event.at.0 + other).saturating_sub(own));
        let bar = (along.ruler.x(at) * bars as f64) as usize;
        counts[bar.min(bars - 1)] += 1;
    }
    counts
}

fn height(count: usize, most: usize) -> f64 {
    if count == 0 { 0.0 } else { 3.0 + 18.0 * (count as f64 / most.max(1) as f64).sqrt() }
}

fn density(replay: &Replay, scale: Scale) -> String {
    let counts = counts(replay, replay, scale);
    let most = counts.iter().copied().max().unwrap_or(1);
    let mut path = String::new();
    for (bar, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (x, h) = (scale.left + 1.0 + BAR * bar as f64, height(*count, most));
        let _ = write!(path, "M{x:.1},{:.1}h6v{h:.1}h-6z", 28.0 - h);
    }
    path
}

fn outline(simulated: &Replay, along: &Replay, scale: Scale) -> String {
    let counts = counts(simulated, along, scale);
    let most = counts.iter().copied().max().unwrap_or(1);
    let mut path = format!("M{},28", scale.left);
    for (bar, count) in counts.iter().enumerate() {
        let _ =
            write!(path, " V{:.1} H{:.1}", 28.0 - height(*count, most), scale.left + BAR * (bar + 1) as f64);
    }
    path
}

fn row_y(row: usize) -> f64 {
    TOP + PITCH * row as f64 - 13.0
}

fn bands(replay: &Replay, scale: Scale) -> Html {
    html! { { for replay.bands.iter().map(|band| {
        let (from, to) = (scale.x(replay, band.from), scale.x(replay, band.to));
        let class = match band.freshness {
            Freshness::Fresh => "fresh",
            Freshness::Stale => "stale",
            Freshness::Gone => "gone",
        };
        let (x, y) = (from.to_string(), row_y(band.server + 1).to_string());
        let width = (to - from).max(0.5).to_string();
        html! { <>
            <rect x={x.clone()} y={y.clone()} width={width.clone()} height="10" rx="2" class={classes!("band", class)} />
            if class == "stale" { <rect x={x} y={y} width={width} height="10" rx="2" class="hatchfill sm" /> }
        </> }
    }) } }
}

/// One tick an event; where there are more than one in two pixels they would only blur, so each place gets one.
fn ticks(replay: &Replay, scale: Scale, lanes: &[Lane]) -> String {
    let mut path = String::new();
    let mut last = vec![-10.0_f64; lanes.len()];
    for event in replay.trace.events.iter().filter(|event| !is_background_event(event)) {
        let Some(row) = Lane::of(event.actor).and_then(|lane| lanes.iter().position(|own| *own == lane))
        else {
            continue;
        };
        let x = scale.x(replay, event.at);
        if x - last[row] >= 2.0 {
            last[row] = x;
            let _ = write!(path, "M{x:.1},{:.1}v8", row_y(row) + 1.0);
        }
    }
    path
}

fn publications(replay: &Replay, scale: Scale, lanes: &[Lane]) -> Html {
    let row = lanes.iter().position(|lane| *lane == Lane::Bus).unwrap_or(0);
    let y = row_y(row) + 5.0;
    html! { { for replay.publications.iter().filter_map(|notice| {
        let (from, to) = (scale.x(replay, notice.from), scale.x(replay, notice.to));
        (to - from > 3.0).then(|| html! { <>
            <path d={format!("M{from:.1},{y} H{to:.1} M{:.1},{} l4,3.5 l-4,3.5", to - 4.0, y - 3.5)} class="buslag" />
            <circle cx={from.to_string()} cy={y.to_string()} r="2.5" class="busdot" />
        </> })
    }) } }
}

/// From when on the goal forbids the old version: the acknowledgement of a write.
fn acknowledged(replay: &Replay, scale: Scale, lang: Lang, bottom: f64) -> Html {
    let write = replay.trace.events.iter().enumerate().skip(replay.act()).find_map(|(index, event)| {
        let operation = replay.operation(event.operation?)?;
        let own =
            operation.request == RequestKind::Write && operation.completed.is_some_and(|(at, _)| at == index);
        own.then_some(event.at)
    });
    let Some(at) = write else { return Html::default() };
    let x = scale.x(replay, at);
    let (label_x, anchor) =
        if x > scale.left + scale.width * 0.62 { (x - 4.0, "end") } else { (x + 4.0, "start") };
    html! { <>
        <path d={format!("M{x:.1},30 V{bottom}")} class="limit" />
        <text x={label_x.to_string()} y={(bottom - 3.0).to_string()} class="t11 t3 knock" text-anchor={anchor}>
            { ui::ACKNOWLEDGED.get(lang) }
        </text>
    </> }
}

fn ruler(replay: &Replay, scale: Scale, bottom: f64) -> Html {
    let folds: Vec<(f64, f64)> =
        replay.ruler.folds().map(|fold| (fold.x - 0.05, fold.x + fold.width + 0.05)).collect();
    html! { { for replay.ruler.ticks(if scale.view == PHONE { 0.3 } else { 0.16 }).into_iter().map(|(share, at)| {
        let x = scale.left + scale.width * share;
        let hidden = folds.iter().any(|(from, to)| (*from..=*to).contains(&share));
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

/// Stale answers as triangles, failed ones as crosses; those of the future in outline. Marks nearer than 10 units
/// merge, with a count.
fn marks(replay: &Replay, scale: Scale, index: usize) -> Html {
    let mut shown: Vec<(f64, usize, bool, bool, usize)> = Vec::new();
    for mark in &replay.marks {
        let (x, future) = (scale.x(replay, mark.at), mark.index > index);
        let near = shown
            .iter_mut()
            .rev()
            .find(|(other, server, bad, ..)| *server == mark.server && *bad == mark.bad && x - other < 10.0);
        match near {
            Some(group) => {
                group.4 += 1;
                group.3 &= future;
            }
            None => shown.push((x, mark.server, mark.bad, future, 1)),
        }
    }
    html! { { for shown.into_iter().map(|(x, server, bad, future, count)| {
        let y = row_y(server + 1) + 5.0;
        let future = future.then_some("fut");
        html! { <>
            if bad {
                <g class={classes!("xm", future)} data-testid="mark-bad">
                    <rect x={(x - 5.8).to_string()} y={(y - 5.8).to_string()} width="11.6" height="11.6" rx="2.5" />
                    <path d={format!("M{},{} l5.2,5.2 m0,-5.2 l-5.2,5.2", x - 2.6, y - 2.6)} />
                </g>
            } else {
                <path d={format!("M{x:.1},{:.1} l4.8,8.4 h-9.6 Z", y - 4.5)} class={classes!("mk", "st", future)} />
            }
            if count > 1 {
                <text x={(x + 8.0).to_string()} y={(y + 4.0).to_string()} class="t11 b knock">{ format!("×{count}") }</text>
            }
        </> }
    }) } }
}
