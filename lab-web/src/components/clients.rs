//! The clients: a block of dots over each server. Shape and colour say what each got.
//!
//! All dots of one state are one path, so a thousand clients are a handful of nodes.

use std::fmt::Write as _;
use std::rc::Rc;

use yew::prelude::*;

use crate::replay::Shown;
use crate::stage::{Geometry, Rect};
use crate::stage_state::ClientState;
use crate::text::{Lang, ui};

/// Up to this many clients each one is always the same dot; more are sorted, so that the block reads as a bar.
const STABLE_MAX: usize = 240;

/// Up to this many clients of a server each one has its name beside it.
const NAMED_MAX: usize = 3;

/// What the clients show.
#[derive(Properties, PartialEq)]
pub(crate) struct ClientsProps {
    /// The run.
    pub(crate) replay: Shown,
    /// The state of each client.
    pub(crate) states: Vec<ClientState>,
    /// Where the blocks stand.
    pub(crate) geometry: Rc<Geometry>,
    /// The language.
    pub(crate) lang: Lang,
}

/// Columns, rows and distances of a block.
struct Grid {
    columns: usize,
    dx: f64,
    dy: f64,
    small: bool,
}

impl Grid {
    fn new(block: &Rect, all: usize, own: usize) -> Self {
        let small = all > STABLE_MAX;
        let rows = if small { 6 } else { 3 };
        if own <= NAMED_MAX {
            return Self { columns: 1, dx: 0.0, dy: (block.h / 3.0).max(10.5), small: false };
        }
        let columns = if small { 42 } else { 20 }.max(own.div_ceil(rows));
        let dx = (block.w / columns as f64).min(if small { 4.05 } else { 8.4 });
        let dy = block.h / rows as f64;
        Self { columns, dx, dy: if small { dy.min(4.6) } else { dy.min(8.4) }, small }
    }

    fn place(&self, block: &Rect, place: usize) -> (f64, f64) {
        let (column, row) =
            if self.small { (place / 6, place % 6) } else { (place % self.columns, place / self.columns) };
        let start = if self.small { 2.0 } else { 4.0 };
        (block.x + start + column as f64 * self.dx, block.y + start + row as f64 * self.dy)
    }
}

/// Dots by state, as paths.
#[derive(Default)]
struct Dots {
    idle: String,
    fresh: String,
    stale: String,
    waiting: String,
    failed: String,
}

impl Dots {
    fn add(&mut self, state: ClientState, (x, y): (f64, f64), small: bool) {
        let size = if small { 0.55 } else { 1.0 };
        let _ = match state {
            ClientState::Idle => write!(self.idle, "M{x:.1},{y:.1}h0"),
            ClientState::Fresh => write!(self.fresh, "M{x:.1},{y:.1}h0"),
            ClientState::Stale => {
                let (up, half) = (3.4 * size, 3.3 * size);
                write!(
                    self.stale,
                    "M{x:.1},{:.1}l{half:.1},{:.1}h{:.1}z",
                    y - up,
                    up + 2.4 * size,
                    -2.0 * half
                )
            }
            ClientState::Waiting => {
                let r = 2.4 * size;
                write!(
                    self.waiting,
                    "M{:.1},{y:.1}a{r:.2},{r:.2} 0 1 0 {:.2},0a{r:.2},{r:.2} 0 1 0 {:.2},0",
                    x - r,
                    2.0 * r,
                    -2.0 * r
                )
            }
            ClientState::Failed => {
                let r = 2.3 * size;
                write!(
                    self.failed,
                    "M{:.1},{:.1}l{:.1},{:.1}m0,{:.1}l{:.1},{:.1}",
                    x - r,
                    y - r,
                    2.0 * r,
                    2.0 * r,
                    -2.0 * r,
                    -2.0 * r,
                    2.0 * r
                )
            }
        };
    }
}

/// The client blocks.
#[component]
pub(crate) fn Clients(props: &ClientsProps) -> Html {
    let homes = &props.replay.0.homes;
    html! {
        { for props.geometry.clients.iter().enumerate().map(|(server, block)| {
            let here = |(_, home): &(usize, &u8)| usize::from(**home) == server;
            let names: Vec<usize> = homes.iter().enumerate().filter(here).map(|(place, _)| place + 1).collect();
            let mut own: Vec<ClientState> =
                names.iter().filter_map(|number| props.states.get(number - 1)).copied().collect();
            if homes.len() > STABLE_MAX {
                own.sort();
            }
            block_of(props.lang, server, block, homes.len(), &own, &names)
        }) }
    }
}

fn block_of(
    lang: Lang,
    server: usize,
    block: &Rect,
    all: usize,
    own: &[ClientState],
    names: &[usize],
) -> Html {
    let grid = Grid::new(block, all, own.len());
    let mut dots = Dots::default();
    for (place, state) in own.iter().enumerate() {
        dots.add(*state, grid.place(block, place), grid.small);
    }
    let count = |wanted: ClientState| own.iter().filter(|state| **state == wanted).count().to_string();
    let label = ui::CLIENT_BLOCK.with(
        lang,
        &[
            &own.len().to_string(),
            &format!("srv-{}", server + 1),
            &count(ClientState::Fresh),
            &count(ClientState::Stale),
            &count(ClientState::Failed),
            &count(ClientState::Waiting),
        ],
    );
    html! {
        <g class={classes!("dots", grid.small.then_some("small"))} role="img" aria-label={label.clone()}>
            <title>{ label }</title>
            <rect x={block.x.to_string()} y={block.y.to_string()} width={block.w.to_string()}
                height={block.h.to_string()} class="hit" />
            if own.len() <= NAMED_MAX {
                { for (0..own.len()).map(|place| {
                    let (x, y) = grid.place(block, place);
                    let name = names.get(place).map_or_else(String::new, |number| format!("client-{number}"));
                    html! { <text x={(x + 7.0).to_string()} y={(y + 3.5).to_string()} class="t11 t3">{ name }</text> }
                }) }
            }
            <path d={dots.idle} class="d-i" />
            <path d={dots.fresh} class="d-f" />
            <path d={dots.stale} class="d-s" />
            <path d={dots.waiting} class="d-w" />
            <path d={dots.failed} class="d-x" />
        </g>
    }
}
