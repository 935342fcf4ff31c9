//! A server's card: its name, what it is at, the focus entry of its L1 with version, age and time to live.

use lab_core::trace::{Actor, Why};
use lab_core::value::{Instant, ServerId};
use yew::prelude::*;

use super::scene::{Scene, label_width, letters, shortened_key};
use crate::stage::Rect;
use crate::stage_state::{Held, ServerState};
use crate::text::sentence::shortened;
use crate::text::{span, ui};

/// A value of more letters is set smaller, and so is one of wide letters.
const VALUE_LARGE_MAX: f64 = 5.0;

/// The circumference of the ring that shows the time to live.
const RING: f64 = 50.27;

/// What is known of the focus entry.
enum Entry<'a> {
    Fresh(&'a Held),
    Stale(&'a Held, u64),
    Expired(u64),
    Dropped(u64),
    Never,
    /// The server is dead, and its memory with it.
    Lost,
}

impl<'a> Entry<'a> {
    fn of(scene: &'a Scene<'_>, id: ServerId, server: &'a ServerState) -> Self {
        let focus = &scene.replay.focus;
        if scene.is_down(Actor::Server(id)) {
            return Self::Lost;
        }
        let Some(held) = server.entries.get(focus) else {
            return match server.gone.get(focus) {
                Some((at, Why::Expired)) => Self::Expired(scene.now.0.saturating_sub(at.0)),
                Some((at, _)) => Self::Dropped(scene.now.0.saturating_sub(at.0)),
                None => Self::Never,
            };
        };
        let ends = held.since.0.saturating_add(held.ttl_ms.saturating_mul(1_000_000));
        if ends <= scene.now.0 {
            return Self::Expired(scene.now.0 - ends);
        }
        match scene.replay.superseded(focus, held.version, scene.index) {
            Some(since) => Self::Stale(held, scene.now.0.saturating_sub(since.0)),
            None => Self::Fresh(held),
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Self::Fresh(_) => "fresh",
            Self::Stale(..) => "stale",
            Self::Expired(_) | Self::Dropped(_) | Self::Never | Self::Lost => "gone",
        }
    }

    fn held(&self) -> Option<&Held> {
        match self {
            Self::Fresh(held) | Self::Stale(held, _) => Some(held),
            _ => None,
        }
    }
}

/// The card of a server, counted from 0.
pub(crate) fn server_card(scene: &Scene<'_>, place: usize) -> Html {
    let (Some(card), Some(server)) = (scene.geometry.servers.get(place), scene.state.servers.get(place))
    else {
        return Html::default();
    };
    let id = ServerId(u8::try_from(place + 1).unwrap_or(u8::MAX));
    let current = scene.actor == Some(Actor::Server(id));
    let entry = Entry::of(scene, id, server);
    let failed = scene.replay.marks.iter().any(|mark| {
        mark.bad && mark.server == place && mark.index <= scene.index && mark.index + 400 > scene.index
    }) && current;
    let label = spoken(scene, id, &entry);
    // On the corner; a phone's cards stand too close for that.
    let badge = if scene.geometry.small {
        (card.right() - 5.0, card.y + 3.0, 8.0)
    } else {
        (card.right(), card.y + 2.0, 10.0)
    };
    let class = classes!("box", current.then_some("on"), scene.trouble(Actor::Server(id)));
    html! {
        <g class="server" tabindex="0" role="img" aria-label={label} data-testid={format!("server-{}", place + 1)}
            data-fresh={entry.class()}>
            <rect x={card.x.to_string()} y={card.y.to_string()} width={card.w.to_string()} height={card.h.to_string()}
                rx="8" class={class} />
            <text x={(card.x + 12.0).to_string()} y={(card.y + 19.0).to_string()} class="name">{ id.to_string() }</text>
            { role(scene, card, id, server) }
            if scene.geometry.small { { small_entry(scene, card, &entry) } } else { { full_entry(scene, card, &entry) } }
            { tag(scene, card, &entry) }
            if scene.geometry.secondary { { secondary(scene, card, server) } }
            if failed {
                <circle cx={badge.0.to_string()} cy={badge.1.to_string()} r={badge.2.to_string()} class="badge" />
                <path d={cross(badge.0, badge.1, badge.2 * 0.36)} class="badge-x" />
            }
        </g>
    }
}

fn cross(x: f64, y: f64, r: f64) -> String {
    format!("M{},{} l{},{} m0,{} l{},{}", x - r, y - r, 2.0 * r, 2.0 * r, -2.0 * r, -2.0 * r, 2.0 * r)
}

fn role(scene: &Scene<'_>, card: &Rect, id: ServerId, server: &ServerState) -> Html {
    let lang = scene.lang;
    let keys = server.entries.len();
    let (class, text) = if let Some((class, word)) = scene.trouble_word(Actor::Server(id)) {
        (class, word.to_owned())
    } else if scene.actor == Some(Actor::Server(id)) {
        ("t11 acc", ui::RUNNING_WORD.get(lang).to_owned())
    } else if scene.geometry.small {
        ("t11 t3", "L1".to_owned())
    } else {
        ("t11 t3", ui::L1_KEYS.with(lang, &[&keys.to_string()]))
    };
    html! {
        <text x={(card.right() - 12.0).to_string()} y={(card.y + 19.0).to_string()} class={class} text-anchor="end">
            { text }
        </text>
    }
}

fn entry_box(rect: &Rect, class: &'static str) -> Html {
    let (x, y, w, h) = (rect.x.to_string(), rect.y.to_string(), rect.w.to_string(), rect.h.to_string());
    html! { <>
        <rect x={x.clone()} y={y.clone()} width={w.clone()} height={h.clone()} rx="5" class={classes!("ent", class)} />
        if class == "stale" {
            <rect x={x} y={y} width={w} height={h} rx="5" class="hatchfill" />
        }
    </> }
}

fn full_entry(scene: &Scene<'_>, card: &Rect, entry: &Entry<'_>) -> Html {
    let class = entry.class();
    let rect = Rect { x: card.x + 8.0, y: card.y + 27.0, w: card.w - 16.0, h: 50.0 };
    html! { <>
        { entry_box(&rect, class) }
        <text x={(card.x + 17.0).to_string()} y={(card.y + 44.0).to_string()} class={classes!("m11", "t2", "halo", class)}>
            { shortened_key(scene.replay.focus.as_str(), 16) }
        </text>
        { value_and_version(scene, entry, card.x + 17.0, card.y + 67.0) }
        { ring(scene.now, entry, card.right() - 28.0, card.y + 45.0) }
        if let Some(held) = entry.held() {
            <text x={(card.right() - 17.0).to_string()} y={(card.y + 70.0).to_string()} text-anchor="end"
                class={classes!("m11", "t2", "halo", class)}>{ countdown(left(scene.now, held)) }</text>
        }
    </> }
}

fn small_entry(scene: &Scene<'_>, card: &Rect, entry: &Entry<'_>) -> Html {
    let rect = Rect { x: card.x + 8.0, y: card.y + 26.0, w: card.w - 16.0, h: 28.0 };
    html! { <>
        { entry_box(&rect, entry.class()) }
        { value_and_version(scene, entry, card.x + 17.0, card.y + 45.0) }
        { ring(scene.now, entry, card.right() - 24.0, card.y + 40.0) }
    </> }
}

fn value_and_version(scene: &Scene<'_>, entry: &Entry<'_>, x: f64, y: f64) -> Html {
    let class = entry.class();
    let Some(held) = entry.held() else {
        return html! {
            <text x={x.to_string()} y={y.to_string()} class="val gone t3">{ ui::NO_VALUE.get(scene.lang) }</text>
        };
    };
    let absent = ui::ABSENT.get(scene.lang);
    let value = held.value.as_ref().map_or_else(|| absent.to_owned(), |value| short_value(value.as_str()));
    let (letters, is_wide) = (letters(&value), !value.is_ascii());
    let (size, letter) = if letters > VALUE_LARGE_MAX || is_wide { ("mid", 7.9) } else { ("", 10.9) };
    let at = x + letters * letter + if size.is_empty() { 8.0 } else { 5.0 };
    let version = held.version.to_string();
    let width = 10.0 + version.len() as f64 * 7.0;
    html! { <>
        <text x={x.to_string()} y={y.to_string()} class={classes!("val", size, "halo", class)}>{ value }</text>
        <rect x={at.to_string()} y={(y - 13.0).to_string()} width={width.to_string()} height="16" rx="4"
            class={classes!("ver", class)} />
        <text x={(at + width / 2.0).to_string()} y={(y - 1.0).to_string()} class={classes!("ver-t", class)}
            text-anchor="middle">{ version }</text>
    </> }
}

fn ring(now: Instant, entry: &Entry<'_>, x: f64, y: f64) -> Html {
    let class = entry.class();
    let (cx, cy) = (x.to_string(), y.to_string());
    let share = entry.held().map_or(0.0, |held| left(now, held) as f64 / (held.ttl_ms.max(1) as f64 * 1e6));
    html! { <>
        <circle cx={cx.clone()} cy={cy.clone()} r="12" class={classes!("plate", class)} />
        <circle cx={cx.clone()} cy={cy.clone()} r="8" class="ring-bg" />
        if share > 0.0 {
            <circle cx={cx} cy={cy} r="8" class={classes!("ring", class)}
                stroke-dasharray={format!("{:.1} {RING}", RING * share.min(1.0))}
                transform={format!("rotate(-90 {x} {y})")} />
        }
    </> }
}

/// Nanoseconds that an entry may still be served.
fn left(now: Instant, held: &Held) -> u64 {
    (held.since.0.saturating_add(held.ttl_ms.saturating_mul(1_000_000))).saturating_sub(now.0)
}

/// The time to live in figures, short enough to stand beside a long value.
fn countdown(ns: u64) -> String {
    if ns >= 10_000_000_000 { format!("{:.0} s", ns as f64 / 1e9) } else { span(ns) }
}

fn tag(scene: &Scene<'_>, card: &Rect, entry: &Entry<'_>) -> Html {
    let lang = scene.lang;
    let (x, y) = (card.x + 13.0, card.y + if scene.geometry.small { 66.0 } else { 91.5 });
    let text = match entry {
        Entry::Fresh(held) => ui::FRESH_TAG.with(lang, &[&held.version.to_string()]),
        Entry::Stale(held, ns) => ui::STALE_TAG.with(lang, &[&held.version.to_string(), &span(*ns)]),
        Entry::Expired(ns) => ui::EXPIRED_TAG.with(lang, &[&span(*ns)]),
        Entry::Dropped(ns) => ui::DROPPED_TAG.with(lang, &[&span(*ns)]),
        Entry::Never => ui::EMPTY_TAG.get(lang).to_owned(),
        Entry::Lost => ui::LOST_TAG.get(lang).to_owned(),
    };
    let class = entry.class();
    // Bold letters are a little wider. What is too long for the card is set narrower, never beyond it.
    let room = card.right() - 8.0 - (x + 11.0);
    let squeezed = (label_width(&text) * 1.08 > room).then_some(room);
    html! { <>
        if class == "stale" {
            <path d={format!("M{},{} l5,8.6 h-10 z", x, y - 4.6)} class="g-stale" />
        } else {
            <circle cx={x.to_string()} cy={y.to_string()} r="4" class={format!("g-{class}")} />
        }
        <text x={(x + 11.0).to_string()} y={(y + 4.0).to_string()} class={classes!("tag", class)}
            textLength={squeezed.map(|room| room.to_string())} lengthAdjust="spacingAndGlyphs">{ text }</text>
    </> }
}

/// The line below: what is under way here, or else how often L1 could answer.
fn secondary(scene: &Scene<'_>, card: &Rect, server: &ServerState) -> Html {
    let lang = scene.lang;
    let mut facts: Vec<String> = Vec::new();
    if server.computing > 0 {
        facts.push(ui::COMPUTING.with(lang, &[&server.computing.to_string()]));
    }
    if server.queued > 0 {
        facts.push(ui::QUEUED.with(lang, &[&server.queued.to_string()]));
    }
    if server.waiting > 0 {
        facts.push(ui::WAITING.with(lang, &[&server.waiting.to_string()]));
    }
    if facts.len() < 2 && server.open > 0 {
        facts.insert(0, ui::OPEN_REQUESTS.with(lang, &[&server.open.to_string()]));
    }
    if facts.is_empty() {
        facts.push(ui::HITS.with(lang, &[&server.hits.to_string()]));
        facts.push(ui::MISSES.with(lang, &[&server.misses.to_string()]));
    }
    let y = card.y + 118.0;
    html! { <>
        <path d={format!("M{},{} H{}", card.x + 12.0, card.y + 103.0, card.right() - 12.0)} class="hair" />
        if let Some(first) = facts.first() {
            <text x={(card.x + 12.0).to_string()} y={y.to_string()} class="t11 t3">{ first }</text>
        }
        if let Some(second) = facts.get(1) {
            <text x={(card.right() - 12.0).to_string()} y={y.to_string()} class="t11 t3" text-anchor="end">{ second }</text>
        }
    </> }
}

/// What a screen reader says of the card.
fn spoken(scene: &Scene<'_>, id: ServerId, entry: &Entry<'_>) -> String {
    let (lang, key) = (scene.lang, scene.replay.focus.as_str());
    let parts = |held: &Held| {
        let value =
            held.value.as_ref().map_or(ui::ABSENT.get(lang).to_owned(), |value| value.as_str().to_owned());
        (value, held.version.to_string())
    };
    match entry {
        Entry::Fresh(held) => {
            let (value, version) = parts(held);
            ui::SERVER_NODE_FRESH.with(lang, &[&id.to_string(), key, &value, &version])
        }
        Entry::Stale(held, ns) => {
            let (value, version) = parts(held);
            ui::SERVER_NODE_STALE.with(lang, &[&id.to_string(), key, &value, &version, &span(*ns)])
        }
        _ => ui::SERVER_NODE_NONE.with(lang, &[&id.to_string(), key]),
    }
}

/// A value that fits into the card.
fn short_value(value: &str) -> String {
    if value.chars().count() > 8 {
        value.chars().take(6).chain(std::iter::once('…')).collect()
    } else {
        shortened(value)
    }
}
