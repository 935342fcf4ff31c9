//! The verdict over many seeds: a grid that fills; a red cell opens that very run.

use std::fmt::Write as _;

use web_sys::Element;
use yew::prelude::*;

use crate::hooks::Verdicts;
use crate::state::{Action, Lab};
use crate::text::{Lang, grouped, ui};
use crate::verdict::{Cell, Failure, Outcome, Tally, seeds_of};

const COLUMNS: usize = 40;
const PITCH: f64 = 8.6;

/// What the grid shows.
#[derive(Properties, PartialEq)]
pub(crate) struct GridProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
    /// The verdict.
    pub(crate) verdicts: Verdicts,
}

/// The grid. It asks for a verdict whenever the policy or a setting changes.
#[component]
pub(crate) fn SeedGrid(props: &GridProps) -> Html {
    let lab = &props.lab;
    let lang = lab.lang;
    let tally = &props.verdicts.tally;
    {
        let (start, spec, known) =
            (props.verdicts.start.clone(), lab.spec.clone(), tally.is_about(&lab.spec));
        let wanted = (spec.scenario, spec.policy.clone(), spec.settings.clone());
        use_effect_with(wanted, move |_| {
            if !known {
                start.emit(spec);
            }
        });
    }
    let wanted = seeds_of(lab.scenario()) as usize;
    let cells: &[Cell] = if tally.is_about(&lab.spec) { &tally.cells } else { &[] };
    let count = |outcome| cells.iter().filter(|cell| cell.outcome() == outcome).count();
    let (green, unshown, tried) = (count(Outcome::Green), count(Outcome::Unshown), cells.len());
    let class = if count(Outcome::Red) > 0 { Some("bad") } else { (unshown > 0).then_some("wait") };
    let stop = {
        let stop = props.verdicts.stop.clone();
        move |_| stop.emit(())
    };
    let again = {
        let (start, spec) = (props.verdicts.start.clone(), lab.spec.clone());
        move |_| start.emit(spec.clone())
    };
    let total = if tally.running { tried } else { wanted.max(tried) };
    html! {
        <div class="hold" data-testid="verdict">
            <div class={classes!("hh", class)}>
                <b data-testid="verdict-count">{ format!("{green} / {}", if tally.running { wanted } else { total }) }</b>
                <span>{ ui::SEEDS_GREEN.get(lang) }</span>
                if tally.running {
                    <button class="btn" onclick={stop} data-testid="stop">{ ui::STOP.get(lang) }</button>
                } else {
                    <button class="btn" onclick={again} data-testid="try-seeds">
                        { if tally.failure.is_some() { ui::RETRY.get(lang).to_owned() } else { ui::HOLD_AGAIN.with(lang, &[&wanted.to_string()]) } }
                    </button>
                }
            </div>
            { grid(lab, cells, wanted) }
            <p class="said">
                if tally.running { { ui::SEEDS_TRIED.with(lang, &[&tried.to_string(), &wanted.to_string()]) }{ " · " } }
                { ui::SCHEDULES.with(lang, &[&grouped(tally.schedules() as u64)]) }
                if let Some(seed) = tally.first_red() {
                    { " · " }
                    <button class="linkish" data-testid="open-red" onclick={open(lab, seed)}>
                        { ui::OPEN_RED.with(lang, &[&seed.to_string()]) }
                    </button>
                }
            </p>
            if unshown > 0 {
                <p class="said" data-testid="unshown">{ ui::SEEDS_UNSHOWN.with(lang, &[&unshown.to_string()]) }</p>
            }
            if tally.on_page { <p class="said" data-testid="on-page">{ ui::WORKER_NONE.get(lang) }</p> }
            { told(tally.failure.as_ref(), lang) }
        </div>
    }
}

/// The verdict in one line, once every seed was tried.
pub(super) fn seeds_words(tally: &Tally, lang: Lang) -> Option<String> {
    let green = tally.count(Outcome::Green);
    let tried = tally.cells.len();
    let count = |count: usize| grouped(count as u64);
    (tried > 0).then(|| ui::SEEDS_SPOKEN.with(lang, &[&count(green), &count(tried)]))
}

/// Why the verdict ended early.
fn told(failure: Option<&Failure>, lang: Lang) -> Html {
    let (what, why) = match failure {
        None => return Html::default(),
        Some(Failure::Simulator(why)) => (ui::SIM_STOPPED, why),
        Some(Failure::Worker(why)) => (ui::WORKER_BROKE, why),
    };
    html! { <p class="said err" role="alert" data-testid="verdict-failure">{ what.get(lang) }{ " " }<code>{ why }</code></p> }
}

fn open(lab: &UseReducerHandle<Lab>, seed: u64) -> Callback<MouseEvent> {
    let dispatcher = lab.dispatcher();
    Callback::from(move |_| dispatcher.dispatch(Action::Seed(seed)))
}

fn grid(lab: &UseReducerHandle<Lab>, cells: &[Cell], wanted: usize) -> Html {
    let rows = wanted.div_ceil(COLUMNS);
    let place = |at: usize| ((at % COLUMNS) as f64 * PITCH, (at / COLUMNS) as f64 * PITCH);
    let (mut green, mut untried, mut unshown, mut red, mut crosses) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    for at in 0..wanted {
        let (x, y) = place(at);
        let cell = format!("M{:.1},{:.1}h7v7h-7z", x + 0.5, y + 0.5);
        match cells.get(at).map(Cell::outcome) {
            None => untried.push_str(&cell),
            Some(Outcome::Green) => green.push_str(&cell),
            Some(Outcome::Unshown) => {
                let _ = write!(
                    unshown,
                    "M{:.1},{:.1}a2.6,2.6 0 1 0 5.2,0a2.6,2.6 0 1 0 -5.2,0z",
                    x + 1.4,
                    y + 4.0
                );
            }
            Some(Outcome::Red) => {
                red.push_str(&cell);
                let _ = write!(crosses, "M{:.1},{:.1}l3.4,3.4m0,-3.4l-3.4,3.4", x + 2.3, y + 2.3);
            }
        }
    }
    let own = lab.spec.seed.checked_sub(1).map(|seed| seed as usize).filter(|seed| *seed < wanted);
    let seeds: Vec<u64> = cells.iter().map(|cell| cell.seed).collect();
    let dispatcher = lab.dispatcher();
    let onclick = Callback::from(move |event: MouseEvent| {
        let Some(bounds) =
            event.target_dyn_into::<Element>().and_then(|target| target.closest("svg").ok().flatten())
        else {
            return;
        };
        let bounds = bounds.get_bounding_client_rect();
        let unit = COLUMNS as f64 * PITCH / bounds.width().max(1.0);
        let column = ((f64::from(event.client_x()) - bounds.left()) * unit / PITCH) as usize;
        let row = ((f64::from(event.client_y()) - bounds.top()) * unit / PITCH) as usize;
        if let Some(seed) = seeds.get(row * COLUMNS + column.min(COLUMNS - 1)) {
            dispatcher.dispatch(Action::Seed(*seed));
        }
    });
    html! {
        <svg class="seeds" viewBox={format!("0 0 {} {}", COLUMNS as f64 * PITCH, rows as f64 * PITCH)} {onclick}
            aria-hidden="true">
            <path d={untried} class="so" />
            <path d={unshown} class="su" />
            <path d={green} class="sg" />
            <path d={red} class="sb" />
            <path d={crosses} class="sbx" />
            if let Some(own) = own {
                <path d={format!("M{:.1},{:.1}h7.6v7.6h-7.6z", place(own).0 + 0.2, place(own).1 + 0.2)} class="sown" />
            }
        </svg>
    }
}
