//! Messages under way, and links that are cut or slow.

use lab_core::trace::Actor;
use lab_core::world::{Fault, Link};
use yew::prelude::*;

use super::stage::Scene;
use crate::stage::{Capsule, Look};
use crate::text::{span, ui};

/// The width of a letter on a capsule, and of its ends.
const LETTER: f64 = 6.7;
const ENDS: f64 = 30.0;
const HEIGHT: f64 = 18.0;

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

/// Where the capsule stands: on its way, on a piece where it has room, within the stage, and not on another one.
fn position(scene: &Scene<'_>, capsule: &Capsule, taken: &[(f64, f64, f64)]) -> (f64, f64) {
    let width = width(capsule);
    let (from, to) = capsule.route.longest_piece();
    let mut shares = vec![capsule.share];
    shares.extend(
        [0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4].map(|by| (capsule.share + by).clamp(0.05, 0.95)),
    );
    shares.push(f64::midpoint(from, to));
    let fits = |x: f64, y: f64| {
        taken
            .iter()
            .all(|(tx, ty, tw)| (x - tx).abs() > (width + tw) / 2.0 + 3.0 || (y - ty).abs() > HEIGHT + 2.0)
    };
    let (left, wide) = scene.geometry.span;
    let (least, most) = (left.max(84.0_f64.min(wide / 90.0)) + 2.0, left + wide - 4.0);
    let mut best = None;
    for share in shares {
        let ((x, y), _) = capsule.route.at(share);
        let place = (x.clamp(least + width / 2.0, most - width / 2.0), y);
        best.get_or_insert(place);
        if fits(place.0, place.1) {
            return place;
        }
    }
    let (x, y) = best.unwrap_or((0.0, 0.0));
    let widest = taken.iter().map(|(_, _, wide)| *wide).fold(width, f64::max);
    let apart = f64::midpoint(width, widest) + 6.0;
    let beside = [1.0, -1.0].map(|side| (x + side * apart).clamp(least + width / 2.0, most - width / 2.0));
    if let Some(x) = beside.into_iter().find(|x| !capsule.trail && fits(*x, y)) {
        return (x, y);
    }
    let free = (1..4).map(|row| y + f64::from(row) * (HEIGHT + 3.0)).find(|y| fits(x, *y));
    (x, free.unwrap_or(y))
}

fn width(capsule: &Capsule) -> f64 {
    let letters: f64 = capsule.label.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.6 }).sum();
    letters * LETTER + ENDS
}

/// The capsules with their ways.
pub(crate) fn messages(scene: &Scene<'_>) -> Html {
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    let placed: Vec<(&Capsule, (f64, f64))> = scene
        .capsules
        .iter()
        .map(|capsule| {
            let place = position(scene, capsule, &taken);
            taken.push((place.0, place.1, width(capsule)));
            (capsule, place)
        })
        .collect();
    html! { <>
        { for placed.iter().map(|(capsule, _)| trail(scene, capsule)) }
        { for placed.iter().map(|(capsule, place)| body(capsule, *place)) }
    </> }
}

fn trail(scene: &Scene<'_>, capsule: &Capsule) -> Html {
    if !capsule.trail {
        return Html::default();
    }
    let behind = capsule.route.part(0.0, capsule.share);
    let key = format!("trail-{}", capsule.id);
    if capsule.pending.is_empty() {
        let ahead = capsule.route.part(capsule.share, 1.0);
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
                let up = if scene.geometry.compact { (end.0, end.1) } else { (end.0, end.1 + 3.0) };
                html! { <>
                    <path d={pending.route.path()} class="ln ahead" />
                    if !scene.geometry.compact {
                        <path d={format!("M{},{} l4,-5 l4,5", up.0 - 4.0, up.1 + 4.0)} class="ln aheadar" />
                        <text x={(end.0 + 10.0).to_string()} y={(end.1 + 19.0).to_string()} class="t11 t2 knock">
                            { ui::LANDS_IN.with(scene.lang, &[&span(pending.lands_in)]) }
                        </text>
                    }
                </> }
            }) }
            <path d={behind.path()} class="ln go" />
        </g>
    }
}

fn body(capsule: &Capsule, (x, y): (f64, f64)) -> Html {
    let class = class(capsule.look);
    let width = width(capsule);
    let (_, towards) = capsule.route.at(capsule.share);
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

/// The links that are cut or silent, with two blades.
pub(crate) fn cut_links(scene: &Scene<'_>) -> Html {
    let cut = |fault: &Fault| match fault {
        Fault::Cut(link) | Fault::BlackHole(link) => Some(*link),
        _ => None,
    };
    html! { { for scene.state.faults.iter().filter_map(cut).map(|link| {
        let route = match link {
            Link::BusTo(server) => Some(scene.geometry.to_bus(server.index())),
            Link::From(from @ Actor::Server(_), to) => scene.geometry.to_store(from, to),
            Link::From(from, to @ Actor::Server(_)) => scene.geometry.to_store(to, from),
            Link::From(..) => None,
        };
        let Some(route) = route else { return Html::default() };
        let ((x, y), _) = route.at(0.5);
        html! { <>
            <g transform={format!("translate({x:.1},{y:.1})")}>
                <rect x="-5" y="-6" width="10" height="12" class="gap" />
                <path d="M-7,-1.5 L7,-7.5 M-7,7.5 L7,1.5" class="cut" />
            </g>
            <text x={(x + 14.0).to_string()} y={(y + 6.0).to_string()} class="t11 err knock">{ ui::CUT.get(scene.lang) }</text>
        </> }
    }) } }
}
