//! Messages under way, and links that are cut or slow.

use lab_core::trace::Actor;
use lab_core::world::{Fault, Link};
use yew::prelude::*;

use super::scene::{Scene, label_width};
use super::stores::slot_label;
use crate::stage::{Capsule, Look, Pending, Place, Rect, place};
use crate::text::{span, ui};

/// The width of a letter on a capsule, and of its ends.
const LETTER: f64 = 6.7;
const ENDS: f64 = 30.0;
const HEIGHT: f64 = 18.0;
/// The room that the sign of a cut takes on both sides of its middle, its word among them.
const CUT_SIZE: (f64, f64) = (72.0, 16.0);

fn class(look: Look) -> &'static str {
    match look {
        Look::Bad => "bad",
        Look::Write => "write",
        Look::Read => "req",
        Look::Stale => "stale",
        Look::Fresh => "resp",
        Look::Redirect => "redir",
    }
}

fn width(capsule: &Capsule) -> f64 {
    let letters: f64 = capsule.label.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.6 }).sum();
    letters * LETTER + ENDS
}

/// The capsules with their ways.
pub(crate) fn messages(scene: &Scene<'_>) -> Html {
    let geometry = scene.geometry;
    let mut taken = geometry.occupied();
    taken.extend(slot_label(scene).map(|(_, rect)| rect));
    for capsule in scene.capsules.iter().filter(|_| !geometry.compact) {
        taken.extend(capsule.pending.iter().map(|pending| lands_in(scene, pending).1));
    }
    taken.extend(cuts(scene).into_iter().map(|(x, y)| Rect { x: x - 8.0, y: y - 8.0, w: 44.0, h: 16.0 }));
    let placed: Vec<(&Capsule, Place)> = scene
        .capsules
        .iter()
        .map(|capsule| {
            let size = (width(capsule), HEIGHT);
            // Where its way is full it steps aside.
            let found = place(&capsule.route, capsule.share, size, &geometry.field(), &taken, true);
            let (x, y) = found.at;
            taken.push(Rect { x: x - size.0 / 2.0, y: y - size.1 / 2.0, w: size.0, h: size.1 });
            (capsule, found)
        })
        .collect();
    html! { <>
        { for placed.iter().map(|(capsule, found)| trail(scene, capsule, found.share)) }
        { for placed.iter().map(|(capsule, found)| body(capsule, *found)) }
    </> }
}

/// When a notice lands, in words, and where they stand: beside the port.
fn lands_in(scene: &Scene<'_>, pending: &Pending) -> (String, Rect) {
    let text = ui::LANDS_IN.with(scene.lang, &[&span(pending.lands_in)]);
    let (x, y) = pending.route.0.last().copied().unwrap_or_default();
    let rect = Rect { x: x + 10.0, y: y + 4.0, w: label_width(&text), h: 12.0 };
    (text, rect)
}

fn trail(scene: &Scene<'_>, capsule: &Capsule, share: f64) -> Html {
    if !capsule.trail {
        return Html::default();
    }
    let behind = capsule.route.part(0.0, share);
    let key = format!("trail-{}", capsule.id);
    if capsule.pending.is_empty() {
        let ahead = capsule.route.part(share, 1.0);
        return html! {
            <g {key}>
                <path d={behind.path()} class="ln go" />
                <path d={ahead.path()} class="ln ahead" />
            </g>
        };
    }
    html! {
        <g {key}>
            { for capsule.pending.iter().map(|pending| {
                let end = pending.route.0.last().copied().unwrap_or_default();
                let (text, label) = lands_in(scene, pending);
                let up = if scene.geometry.compact { (end.0, end.1) } else { (end.0, end.1 + 3.0) };
                html! { <>
                    <path d={pending.route.path()} class="ln ahead" />
                    if !scene.geometry.compact {
                        <path d={format!("M{},{} l4,-5 l4,5", up.0 - 4.0, up.1 + 4.0)} class="ln aheadar" />
                        <text x={label.x.to_string()} y={(label.bottom() - 2.0).to_string()} class="t11 t2 knock">{ text }</text>
                    }
                </> }
            }) }
            <path d={behind.path()} class="ln go" />
        </g>
    }
}

fn body(capsule: &Capsule, Place { share, at: (x, y) }: Place) -> Html {
    let class = class(capsule.look);
    let width = width(capsule);
    let (_, towards) = capsule.route.at(share);
    let bad = capsule.look == Look::Bad;
    let (chevron, leads, at) = if bad {
        ("M-3,-3 L3,3 M3,-3 L-3,3", false, -width / 2.0 + 11.0)
    } else if towards.0 > 0.5 {
        ("M-3,-3.5 L2,0 L-3,3.5", true, width / 2.0 - 11.0)
    } else if towards.0 < -0.5 {
        ("M3,-3.5 L-2,0 L3,3.5", false, -width / 2.0 + 11.0)
    } else if towards.1 > 0.0 {
        ("M-3.5,-2.5 L0,2.5 L3.5,-2.5", false, -width / 2.0 + 11.0)
    } else {
        ("M-3.5,2.5 L0,-2.5 L3.5,2.5", false, -width / 2.0 + 11.0)
    };
    let text_at = if leads { -5.0 } else { 5.0 };
    html! {
        <g key={capsule.id.clone()} class="capsule" style={format!("transform: translate({x:.1}px, {y:.1}px)")}
            data-testid="capsule">
            <rect x={(-width / 2.0).to_string()} y="-9" width={width.to_string()} height="18" rx="9"
                class={classes!("cap", class)} />
            if class == "stale" {
                <rect x={(-width / 2.0).to_string()} y="-9" width={width.to_string()} height="18" rx="9" class="hatchfill" />
            }
            <path d={chevron} transform={format!("translate({at:.1},0)")} class={classes!("cap-ar", class)} />
            <text x={text_at.to_string()} y="4" class={classes!("cap-t", class)} text-anchor="middle">{ &capsule.label }</text>
        </g>
    }
}

/// Where links are cut or silent.
fn cuts(scene: &Scene<'_>) -> Vec<(f64, f64)> {
    let cut = |fault: &Fault| match fault {
        Fault::Cut(link) | Fault::BlackHole(link) => Some(*link),
        _ => None,
    };
    let geometry = scene.geometry;
    let way = |link: Link| match link {
        Link::BusTo(server) => Some(geometry.to_bus(server.index())),
        Link::From(from @ Actor::Server(_), to) => geometry.to_store(from, to),
        Link::From(from, to @ Actor::Server(_)) => geometry.to_store(to, from),
        Link::From(from, to) => geometry.replication(from, to),
    };
    let mut taken = geometry.occupied();
    taken.extend(slot_label(scene).map(|(_, rect)| rect));
    let mut signs = Vec::new();
    for way in scene.state.faults.iter().filter_map(cut).filter_map(way) {
        let Place { at: (x, y), .. } = place(&way, 0.5, CUT_SIZE, &geometry.field(), &taken, false);
        taken.push(Rect { x: x - CUT_SIZE.0 / 2.0, y: y - CUT_SIZE.1 / 2.0, w: CUT_SIZE.0, h: CUT_SIZE.1 });
        signs.push((x, y));
    }
    signs
}

/// The links that are cut or silent, with two blades.
pub(crate) fn cut_links(scene: &Scene<'_>) -> Html {
    html! { { for cuts(scene).into_iter().map(|(x, y)| html! { <>
        <g transform={format!("translate({x:.1},{y:.1})")}>
            <rect x="-5" y="-6" width="10" height="12" class="gap" />
            <path d="M-7,-1.5 L7,-7.5 M-7,7.5 L7,1.5" class="cut" />
        </g>
        <text x={(x + 14.0).to_string()} y={(y + 6.0).to_string()} class="t11 err knock">{ ui::CUT.get(scene.lang) }</text>
    </> }) } }
}
