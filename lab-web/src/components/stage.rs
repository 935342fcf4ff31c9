//! The stage: where everything stands at one event.

use lab_core::trace::{Actor, Kind, Verb};
use lab_core::value::Instant;
use yew::prelude::*;

use super::clients::Clients;
use super::messages::{cut_links, messages};
use super::scene::Scene;
use super::servers::server_card;
use super::stores::{postgres, redis};
use crate::replay::Shown;
use crate::stage::{Fit, Geometry, capsules};
use crate::text::sentence::redis_count;
use crate::text::{Lang, Text, clock, grouped, ui};

/// What the stage shows.
#[derive(Properties, PartialEq)]
pub(crate) struct StageProps {
    /// The run.
    pub(crate) replay: Shown,
    /// The event.
    pub(crate) index: usize,
    /// The instant: at the event, or after it while playing.
    pub(crate) now: Instant,
    /// Whether time runs: then capsules follow it without easing.
    pub(crate) playing: bool,
    /// The language.
    pub(crate) lang: Lang,
    /// What of it fits into the window.
    pub(crate) fit: Fit,
}

/// The stage.
#[component]
pub(crate) fn Stage(props: &StageProps) -> Html {
    let replay = &props.replay.0;
    let Fit { compact, named, secondary, .. } = props.fit;
    let servers = replay.servers();
    let drawn = (replay.topology.clone(), compact, named, secondary);
    let geometry = use_memo(drawn, |(topology, compact, named, secondary)| {
        if *compact { Geometry::phone(topology) } else { Geometry::desktop(topology, *named, *secondary) }
    });
    let state = replay.stage(props.index);
    let capsules = capsules(replay, &state, &geometry, props.index, props.now);
    let scene = Scene {
        replay,
        state: &state,
        geometry: &geometry,
        index: props.index,
        now: props.now,
        lang: props.lang,
        actor: replay.event(props.index).map(|event| event.actor),
        capsules: &capsules,
    };
    let ((left, width), height) = (geometry.span, geometry.height);
    html! {
        <svg class={classes!("stage", props.playing.then_some("playing"))} viewBox={format!("{left} 0 {width} {height}")}
            role="group" aria-label={ui::STAGE.with(props.lang, &[&clock(props.now)])} data-testid="stage">
            if named { { labels(&scene) } }
            <path d={geometry.backbone_path()} class="ln" />
            { bus(&scene) }
            <Clients replay={props.replay.clone()} states={state.clients.clone()} geometry={geometry.clone()}
                lang={props.lang} />
            { balancer(&scene) }
            { for (0..servers).map(|server| server_card(&scene, server)) }
            { redis(&scene) }
            { postgres(&scene) }
            { cut_links(&scene) }
            { messages(&scene) }
        </svg>
    }
}

fn labels(scene: &Scene<'_>) -> Html {
    let lang = scene.lang;
    let geometry = scene.geometry;
    let topology = &scene.replay.topology;
    let clients = grouped(scene.replay.homes.len() as u64);
    let row = |y: f64, name: Text, detail: String| {
        html! { <>
            <text x="16" y={y.to_string()} class="lay">{ name.get(lang) }</text>
            <text x="16" y={(y + 14.0).to_string()} class="lay2">{ detail }</text>
        </> }
    };
    let middle = |rect: Option<&crate::stage::Rect>| rect.map_or(0.0, |rect| rect.y + rect.h / 2.0 - 3.0);
    html! { <>
        { row(15.0, ui::CLIENTS, clients) }
        { row(51.0, ui::BALANCER, ui::BALANCER_HOW.get(lang).to_owned()) }
        { row(133.0, ui::SERVERS, ui::SERVERS_HOW.get(lang).to_owned()) }
        { row(geometry.bus.y + 3.0, ui::BUS, ui::BUS_HOW.get(lang).to_owned()) }
        { row(middle(geometry.masters.first()), ui::REDIS, format!("L2 · {}", redis_count(topology))) }
        { row(middle(geometry.postgres.first()), ui::POSTGRES, format!("1 + {}", topology.postgres_replicas)) }
    </> }
}

fn balancer(scene: &Scene<'_>) -> Html {
    let (geometry, bar) = (scene.geometry, scene.geometry.balancer);
    let total: u32 = scene.state.servers.iter().map(|server| server.requests).sum();
    let share = |requests: u32| {
        if total == 0 {
            "–".to_owned()
        } else {
            format!("{:.1} %", f64::from(requests) * 100.0 / f64::from(total))
        }
    };
    let y = bar.y + bar.h / 2.0 + 4.0;
    let (first, second) = (geometry.clients.first(), geometry.clients.get(1));
    let gap = first.zip(second).map_or(16.0, |(first, second)| second.x - first.right());
    html! { <>
        <rect x={bar.x.to_string()} y={bar.y.to_string()} width={bar.w.to_string()} height={bar.h.to_string()} rx="6"
            class={classes!("box", (scene.actor == Some(Actor::Balancer)).then_some("on"))} />
        if geometry.compact {
            <text x={bar.cx().to_string()} y={y.to_string()} class="t11 t3" text-anchor="middle">
                { format!("{} · {}", ui::BALANCER.get(scene.lang), grouped(u64::from(total))) }
            </text>
        } else {
            { for scene.state.servers.iter().zip(&geometry.clients).enumerate().map(|(place, (server, card))| html! { <>
                <text x={card.cx().to_string()} y={y.to_string()} class="m11 t3" text-anchor="middle">
                    { share(server.requests) }
                </text>
                if place > 0 {
                    <path d={format!("M{},{} v10", card.x - gap / 2.0, bar.y + 6.0)} class="ln" />
                }
            </> }) }
        }
    </> }
}

fn bus(scene: &Scene<'_>) -> Html {
    let tube = scene.geometry.bus;
    let publishes = scene.actor == Some(Actor::Bus)
        && scene.replay.event(scene.index).is_some_and(
            |event| matches!(event.kind, Kind::Served { verb, .. } if verb != Verb::PublishBeat),
        );
    html! { <>
        <rect x={tube.x.to_string()} y={tube.y.to_string()} width={tube.w.to_string()} height={tube.h.to_string()}
            rx="4" class={classes!("tube", publishes.then_some("on"))} />
        { for (0..scene.geometry.servers.len()).map(|server| {
            let (x, y) = scene.geometry.port(server);
            html! { <circle cx={x.to_string()} cy={y.to_string()} r="3" class="port" /> }
        }) }
    </> }
}
