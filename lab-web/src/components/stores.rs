//! Redis shards with their replicas, PostgreSQL with its replicas: what each holds of the focus key.

use lab_core::cluster::slot;
use lab_core::trace::Actor;
use yew::prelude::*;

use super::scene::{Scene, shortened_key};
use crate::stage::Rect;
use crate::stage_state::{Held, StoreState};
use crate::text::{Lang, grouped, ui};

/// Letters of a value that are shown where there is room.
const VALUE_LETTERS: usize = 9;
/// The width of a letter.
const LETTER: f64 = 6.7;
/// A master at least this wide shows its slots.
const SLOTS_WIDTH_MIN: f64 = 140.0;
/// A master at least this wide has room for a word beside its name.
const WORD_WIDTH_MIN: f64 = 116.0;
/// A PostgreSQL node at least this wide has its whole name.
const NAME_WIDTH_MIN: f64 = 190.0;

fn box_class(scene: &Scene<'_>, actor: Actor) -> Classes {
    let busy = scene.capsules.iter().any(|capsule| capsule.trail && capsule.store == Some(actor));
    classes!("box", (scene.actor == Some(actor) || busy).then_some("on"), scene.trouble(actor))
}

fn node(rect: &Rect, class: Classes) -> Html {
    html! {
        <rect x={rect.x.to_string()} y={rect.y.to_string()} width={rect.w.to_string()} height={rect.h.to_string()}
            rx="6" class={class} />
    }
}

/// Fresh, stale or gone: a copy of the focus key in a store.
fn freshness(scene: &Scene<'_>, held: &Held) -> &'static str {
    match scene.replay.superseded(&scene.replay.focus, held.version, scene.index) {
        Some(_) => "stale",
        None => "fresh",
    }
}

/// A copy of the focus key.
fn copy(scene: &Scene<'_>, rect: &Rect, held: Option<&Held>, with_key: bool, with_value: bool) -> Html {
    let class = held.map_or("gone", |held| freshness(scene, held));
    let (x, y) = (rect.x, rect.y);
    let baseline = (y + rect.h / 2.0 + 4.0).to_string();
    let middle = !with_key && !with_value;
    let text = held.map(|held| {
        let value = held.value.as_ref().map_or("–", |value| value.as_str());
        let version = held.version.to_string();
        let room = ((rect.w - 12.0) / LETTER) as usize;
        let letters = VALUE_LETTERS.min(room.saturating_sub(version.len() + 1)).max(1);
        (with_value.then(|| shortened_key(value, letters)), version)
    });
    let taken = text.as_ref().map_or(0, |(value, version)| {
        value.as_ref().map_or(0, |value| value.chars().count()) + version.len() + 2
    });
    let key_letters = if with_key { (((rect.w - 16.0) / LETTER) as usize).saturating_sub(taken) } else { 0 };
    html! { <>
        <rect x={x.to_string()} y={y.to_string()} width={rect.w.to_string()} height={rect.h.to_string()} rx="4"
            class={classes!("ent", class)} />
        if class == "stale" {
            <rect x={x.to_string()} y={y.to_string()} width={rect.w.to_string()} height={rect.h.to_string()} rx="4"
                class="hatchfill" />
        }
        if key_letters > 2 {
            <text x={(x + 8.0).to_string()} y={baseline.clone()} class={classes!("m11", "t2", "halo", class)}>
                { shortened_key(scene.replay.focus.as_str(), key_letters) }
            </text>
        }
        if text.is_none() && !with_key {
            <text x={rect.cx().to_string()} y={baseline.clone()} text-anchor="middle" class="m11 t3">{ "–" }</text>
        }
        if let Some((value, version)) = text {
            <text x={if middle { rect.cx() } else { rect.right() - 8.0 }.to_string()} y={baseline}
                text-anchor={if middle { "middle" } else { "end" }} class={classes!("m11", "halo", class)}>
                if let Some(value) = value { <tspan class="b">{ value }</tspan>{ " " } }{ version }
            </text>
        }
    </> }
}

/// The Redis masters and replicas.
pub(crate) fn redis(scene: &Scene<'_>) -> Html {
    let lang = scene.lang;
    let home = home_shard(scene);
    html! { { for scene.geometry.masters.iter().enumerate().map(|(place, rect)| {
        let Some(master) = scene.state.masters.get(place) else { return Html::default() };
        let shard = u8::try_from(place).unwrap_or(0);
        let actor = Actor::RedisMaster(shard);
        let inset = if scene.geometry.compact { 6.0 } else { 8.0 };
        let entry = Rect { x: rect.x + inset, y: rect.bottom() - 32.0, w: rect.w - 2.0 * inset, h: 22.0 };
        let is_home = home == shard;
        html! {
            <g role="img" aria-label={spoken(scene, actor, master)} tabindex="0" data-testid={actor.to_string()}>
                { node(rect, box_class(scene, actor)) }
                <path d={format!("M{},{} H{}", rect.x + 6.0, rect.y + 0.5, rect.right() - 6.0)} class="slot" />
                <text x={(rect.x + 10.0).to_string()} y={(rect.y + 18.0).to_string()} class="name">
                    { master_name(scene, rect, actor) }
                </text>
                { corner(scene, rect, actor) }
                if is_home {
                    { copy(scene, &entry, master.rows.get(&scene.replay.focus), !scene.geometry.compact, true) }
                    if !master.locks.is_empty() {
                        <text x={(entry.x + 8.0).to_string()} y={(entry.y - 3.0).to_string()} class="t11 acc">
                            { ui::LEASE_TAKEN.get(lang) }
                        </text>
                    }
                } else {
                    <text x={(rect.x + 10.0).to_string()} y={(rect.bottom() - 16.0).to_string()} class="m11 t3">
                        { keys(master, lang) }
                    </text>
                }
                if is_home && !scene.geometry.compact { { slot_mark(scene, rect) } }
                { redis_replica(scene, place, is_home) }
            </g>
        }
    }) } }
}

/// A master's name; where a word stands beside it and there is no room for both, its letter.
fn master_name(scene: &Scene<'_>, rect: &Rect, master: Actor) -> String {
    let name = master.to_string();
    let has_word = scene.trouble(master).is_some() || scene.new_role(master).is_some();
    match name.rsplit_once('-') {
        Some((_, letter)) if has_word && rect.w < WORD_WIDTH_MIN => letter.to_owned(),
        _ => name,
    }
}

/// In the corner of a master: that it is dead or stands still, that it leads no more, or else its slots, where there is room
/// for them.
fn corner(scene: &Scene<'_>, rect: &Rect, master: Actor) -> Html {
    let (class, text) = if let Some((class, word)) = scene.trouble_word(master) {
        (class, word.to_owned())
    } else if let Some(role) = scene.new_role(master) {
        ("t11 acc", role.to_owned())
    } else {
        let slots = scene.replay.topology.slots_of(master);
        let (Some((first, last)), true) = (slots.first(), rect.w >= SLOTS_WIDTH_MIN) else {
            return Html::default();
        };
        let more = if slots.len() > 1 { " …" } else { "" };
        ("m11 t3", format!("{first}–{last}{more}"))
    };
    html! {
        <text x={(rect.right() - 10.0).to_string()} y={(rect.y + 18.0).to_string()} class={class} text-anchor="end">
            { text }
        </text>
    }
}

fn redis_replica(scene: &Scene<'_>, place: usize, is_home: bool) -> Html {
    let (Some(Some(rect)), Some(replica)) =
        (scene.geometry.redis_replicas.get(place), scene.state.redis_replicas.get(place))
    else {
        return Html::default();
    };
    let actor = Actor::RedisReplica(u8::try_from(place).unwrap_or(0));
    let is_narrow = rect.w < 60.0;
    let inset = if is_narrow { 3.0 } else { 6.0 };
    let small = Rect { x: rect.x + inset, y: rect.bottom() - 32.0, w: rect.w - 2.0 * inset, h: 22.0 };
    let (class, word, in_sync) = if let Some((class, word)) = scene.trouble_word(actor) {
        (class, word, "")
    } else if let Some(role) = scene.new_role(actor) {
        ("t11 acc", if is_narrow { "M" } else { role }, "")
    } else if is_narrow {
        ("t11 t3", "R", "=")
    } else {
        ("t11 t3", ui::REPLICA.get(scene.lang), ui::IN_SYNC.get(scene.lang))
    };
    let replays = scene.actor == Some(actor);
    let y = rect.y + 42.0;
    html! { <>
        if replays {
            <path d={format!("M{},{y} H{}", rect.x - 16.0, rect.x)} class="ln go" />
        }
        { node(rect, box_class(scene, actor)) }
        <text x={rect.cx().to_string()} y={(rect.y + 18.0).to_string()} class={class} text-anchor="middle">
            { word }
        </text>
        if is_home {
            { copy(scene, &small, replica.rows.get(&scene.replay.focus), false, false) }
        } else {
            <text x={rect.cx().to_string()} y={(rect.bottom() - 16.0).to_string()} class="t11 t3" text-anchor="middle">
                { in_sync }
            </text>
        }
    </> }
}

/// The shard that the focus key lives on.
fn home_shard(scene: &Scene<'_>) -> u8 {
    scene.replay.topology.shard_of(slot(scene.replay.focus.as_str()))
}

fn keys(store: &StoreState, lang: Lang) -> String {
    let count = store.rows.len() as u64;
    ui::KEYS.with(lang, &[&grouped(count)])
}

fn slot_mark(scene: &Scene<'_>, rect: &Rect) -> Html {
    let slot = slot(scene.replay.focus.as_str());
    let slots = scene.replay.topology.slots_of(Actor::RedisMaster(home_shard(scene)));
    let Some((from, to)) = slots.iter().find(|(from, to)| (from..=to).contains(&&slot)).copied() else {
        return Html::default();
    };
    let share = f64::from(slot.saturating_sub(from)) / f64::from((to - from).max(1));
    let x = rect.x + 6.0 + share * (rect.w - 12.0);
    let Some((text, label)) = slot_label(scene) else { return Html::default() };
    html! { <>
        <path d={format!("M{x:.1},{} l4,5 l-4,5 l-4,-5 z", rect.y - 5.0)} class="slotmk" />
        <text x={label.x.to_string()} y={(label.bottom() - 2.0).to_string()} class="m11 t2 knock">{ text }</text>
    </> }
}

/// The slot of the focus key, in words, and where they stand: over the shard that has it. A phone has no room.
pub(super) fn slot_label(scene: &Scene<'_>) -> Option<(String, Rect)> {
    let rect = scene.geometry.masters.get(usize::from(home_shard(scene)))?;
    let text = ui::SLOT.with(scene.lang, &[&slot(scene.replay.focus.as_str()).to_string()]);
    let width = text.chars().map(|c| if c.is_ascii() { 6.7 } else { 11.0 }).sum();
    let label = Rect { x: rect.cx() + 12.0, y: rect.y - 16.0, w: width, h: 11.0 };
    (!scene.geometry.compact).then_some((text, label))
}

fn lsn(position: u64) -> String {
    format!("LSN {:X}/{:07X}", position >> 32, position & 0xffff_ffff)
}

/// PostgreSQL: the primary and its replicas.
pub(crate) fn postgres(scene: &Scene<'_>) -> Html {
    html! { { for scene.geometry.postgres.iter().enumerate().map(|(place, rect)| {
        let (actor, store) = match place.checked_sub(1) {
            None => (Actor::Primary, Some(&scene.state.primary)),
            Some(replica) => (Actor::Replica(u8::try_from(place).unwrap_or(1)), scene.state.replicas.get(replica)),
        };
        let Some(store) = store else { return Html::default() };
        let compact = scene.geometry.compact;
        let is_narrow = compact || rect.w < NAME_WIDTH_MIN;
        let name = if is_narrow { actor.to_string().replace("pg-", "") } else { actor.to_string() };
        let held = store.rows.get(&scene.replay.focus);
        let letters = held.and_then(|held| held.value.as_ref()).map_or(0, |value| value.as_str().chars().count());
        let width = (40.0 + 6.7 * letters.min(VALUE_LETTERS) as f64).max(66.0);
        let entry = Rect { x: rect.right() - 8.0 - width, y: rect.y + 6.0, w: width, h: 22.0 };
        html! {
            <g role="img" aria-label={spoken(scene, actor, store)} tabindex="0" data-testid={actor.to_string()}>
                { node(rect, box_class(scene, actor)) }
                <text x={(rect.x + 12.0).to_string()} y={(rect.y + 19.0).to_string()} class="name">{ name }</text>
                if compact {
                    <text x={(rect.x + 12.0).to_string()} y={(rect.y + 37.0).to_string()}
                        class={classes!("m11", held.map_or("t3", |held| if freshness(scene, held) == "stale" { "stalec" } else { "t2" }))}>
                        { held.map_or_else(|| ui::NO_VALUE.get(scene.lang).to_owned(), |held| {
                            let value = held.value.as_ref().map_or("–", |value| value.as_str());
                            format!("{} {}", shortened_key(value, 8), held.version)
                        }) }
                    </text>
                } else {
                    { position(scene, rect, actor, store) }
                    { copy(scene, &entry, held, false, true) }
                    if place > 0 && !is_narrow { { lag(scene, rect, store) } }
                }
            </g>
        }
    }) } }
}

/// How far a PostgreSQL node is in the write-ahead log, or that it is dead or stands still.
fn position(scene: &Scene<'_>, rect: &Rect, node: Actor, store: &StoreState) -> Html {
    let (class, text) = match scene.trouble_word(node) {
        Some((class, word)) => (class, word.to_owned()),
        None => ("m11 t3", lsn(store.lsn)),
    };
    html! {
        <text x={(rect.x + 12.0).to_string()} y={(rect.y + 37.0).to_string()} class={class}>{ text }</text>
    }
}

fn lag(scene: &Scene<'_>, rect: &Rect, store: &StoreState) -> Html {
    let behind = scene.state.primary.lsn.saturating_sub(store.lsn);
    let (class, text) = if behind == 0 {
        ("t11 t3", ui::IN_SYNC.get(scene.lang).to_owned())
    } else {
        ("t11 stalec", ui::BEHIND.with(scene.lang, &[&grouped(behind)]))
    };
    html! {
        <text x={(rect.right() - 8.0).to_string()} y={(rect.y + 41.0).to_string()} class={class} text-anchor="end">
            { text }
        </text>
    }
}

fn spoken(scene: &Scene<'_>, actor: Actor, store: &StoreState) -> String {
    let trouble = scene.trouble_word(actor).map(|(_, word)| word);
    let words = [
        Some(held(scene, actor, store)),
        trouble.map(str::to_owned),
        scene.new_role(actor).map(str::to_owned),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn held(scene: &Scene<'_>, actor: Actor, store: &StoreState) -> String {
    let key = scene.replay.focus.as_str();
    match store.rows.get(&scene.replay.focus) {
        None => ui::SERVER_NODE_NONE.with(scene.lang, &[&actor.to_string(), key]),
        Some(held) => {
            let value = held.value.as_ref().map_or("–", |value| value.as_str());
            let version = held.version.to_string();
            if freshness(scene, held) == "stale" {
                ui::STORE_NODE_BEHIND.with(scene.lang, &[&actor.to_string(), key, value, &version])
            } else {
                ui::SERVER_NODE_FRESH.with(scene.lang, &[&actor.to_string(), key, value, &version])
            }
        }
    }
}
