//! The timeline: density, one lane an actor, what was stale and what failed, and the playhead; in the lanes either
//! what happened when, or the messages between them.
//!
//! The history (in `lanes` and `strip`) is drawn once for a run; only the playhead, the wash over the future and
//! the marks move. Where it is folded, the marks stand in one row under the density strip.

mod lanes;
mod marks;
mod scale;
mod space_time;
mod strip;

use lab_core::value::Instant;
use web_sys::Element;
use yew::prelude::*;

use self::lanes::History;
use self::marks::marks;
use self::scale::{Rows, Scale};
use crate::replay::{Lane, Replay, Shown};
use crate::ruler::View;
use crate::state::Action;
use crate::text::{Lang, clock, grouped, ui};

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
    /// Lanes, or the space-time diagram.
    pub(crate) view: View,
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
    // Folded there is no room for messages, and before a prediction they would give the answer away.
    let view = if props.folded || props.veiled { View::Lanes } else { props.view };
    let scale = Scale::new(props.width, view);
    let rows = Rows::new(replay.servers(), props.folded);
    let x = scale.x(replay, props.now);
    let svg = use_node_ref();
    let (onpointerdown, onpointermove, release) = use_scrub(&svg, props, scale);
    let ((left, width), height) = (scale.view, rows.bottom + scale.below_lanes());
    let (index, events) = (props.index + 1, replay.last() + 1);
    let spoken = if props.veiled {
        ui::TIMELINE_VEILED.with(lang, &[&clock(props.now), &grouped(index as u64)])
    } else {
        ui::TIMELINE_AT.with(lang, &[&clock(props.now), &grouped(index as u64), &grouped(events as u64)])
    };
    html! {
        <svg ref={svg} class={classes!("tl", props.folded.then_some("strip"))} viewBox={format!("{left} 0 {width} {height}")}
            role="slider" tabindex="0" aria-label={ui::TIMELINE.get(lang)} aria-valuemin="1"
            aria-valuemax={if props.veiled { index } else { events }.to_string()} aria-valuenow={index.to_string()}
            aria-valuetext={spoken} data-testid="timeline"
            {onpointerdown} {onpointermove} onpointerup={release.clone()} onpointercancel={release}>
            <rect x={scale.left.to_string()} y="0" width={scale.width.to_string()} height={height.to_string()} class="hit" />
            <History replay={props.replay.clone()} simulated={props.simulated.clone()} {rows} {scale}
                known={if props.veiled { scale.ruler(replay).x(props.now) } else { 1.0 }} {lang} />
            { names(replay, rows, props.index) }
            <rect x={x.to_string()} y="5" width={(scale.right() - x).max(0.0).to_string()}
                height={(rows.bottom - 5.0).to_string()} class="wash" />
            if !props.veiled { { lanes::acknowledged(replay, scale, rows, lang) } }
            if view == View::SpaceTime { { space_time::past(replay, scale, rows, props.index, lang) } }
            if props.veiled { { veil(scale, rows, x, lang) } }
            <path d={format!("M{x:.1},6 V{:.1}", rows.bottom + 4.0)} class="ph" />
            if !props.veiled { { marks(replay, scale, rows, props.index) } }
            <path d={format!("M{:.1},0 h12 v7 l-6,6 l-6,-6 Z", x - 6.0)} class="ph-h" />
        </svg>
    }
}

type OnPointer = Callback<PointerEvent>;

/// Dragging the playhead: what to do on press, on move, and on release.
#[hook]
fn use_scrub(svg: &NodeRef, props: &TimelineProps, scale: Scale) -> (OnPointer, OnPointer, OnPointer) {
    let dragging = use_mut_ref(|| false);
    let scrub = {
        let (svg, replay, act) = (svg.clone(), props.replay.clone(), props.act.clone());
        move |event: &PointerEvent| {
            let Some(element) = svg.cast::<Element>() else { return };
            let bounds = element.get_bounding_client_rect();
            let across = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
            act.emit(Action::Scrub(scale.ruler(&replay.0).at(scale.share(across))));
        }
    };
    let press = {
        let (svg, scrub, dragging) = (svg.clone(), scrub.clone(), dragging.clone());
        Callback::from(move |event: PointerEvent| {
            // Captured on the drawing itself: the event's current target is where the framework listens, the body.
            if let Some(svg) = svg.cast::<Element>() {
                let _ = svg.set_pointer_capture(event.pointer_id());
            }
            *dragging.borrow_mut() = true;
            scrub(&event);
        })
    };
    let drag = {
        let dragging = dragging.clone();
        Callback::from(move |event: PointerEvent| {
            if *dragging.borrow() {
                scrub(&event);
            }
        })
    };
    (press, drag, Callback::from(move |_: PointerEvent| *dragging.borrow_mut() = false))
}

/// The names of the lanes; that of the current actor is marked.
fn names(replay: &Replay, rows: Rows, index: usize) -> Html {
    let actor = replay.event(index).and_then(|event| Lane::of(event.actor));
    let name = |(row, lane): (usize, Lane)| {
        let class = if Some(lane) == actor { "m11 acc b" } else { "m11 t2" };
        html! { <text x="16" y={(Rows::middle(row) + 4.0).to_string()} {class}>{ lane.name() }</text> }
    };
    html! { { for rows.lanes().into_iter().enumerate().map(name) } }
}

/// What hides the rest of the run until a prediction is given.
fn veil(scale: Scale, rows: Rows, x: f64, lang: Lang) -> Html {
    html! { <>
        <rect x={x.to_string()} y="4" width={(scale.right() - x).max(0.0).to_string()}
            height={(rows.bottom - 4.0).to_string()} class="veil" />
        <text x={f64::midpoint(x, scale.right()).to_string()} y={(rows.bottom / 2.0 + 6.0).to_string()} class="t12 t2"
            text-anchor="middle" data-testid="veil">{ ui::VEIL.get(lang) }</text>
    </> }
}
