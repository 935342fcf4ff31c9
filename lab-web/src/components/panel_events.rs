//! The Events: every event of the run, as a list that draws only the rows in view, with a filter.

use std::rc::Rc;

use lab_core::report::WorldKind;
use lab_core::trace::{Event, Kind};
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

use super::top_bar::LabProps;
use crate::replay::{Comparison, Replay, Shown};
use crate::stage_state::is_background_event;
use crate::state::{Action, Lab};
use crate::text::{clock, event_word, grouped, sentence, ui};

/// The height of a row, in pixels.
const ROW: f64 = 25.0;
/// Rows drawn beyond the edges.
const SPARE: usize = 6;
/// Rows that Page up and Page down go by.
const PAGE: usize = 12;

/// The pane.
#[component]
pub(crate) fn PanelEvents(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let filter = use_state(String::new);
    let answers = use_state(|| false);
    let focus = use_state(|| false);
    let shown = lab.shown().cloned().map(Shown);
    let comparison = use_comparison(lab);
    let wish = Wish {
        text: (*filter).to_lowercase(),
        answers: *answers,
        focus: *focus,
        causes_of: lab.causes_only.then_some(lab.index),
        horizon: lab.horizon(),
    };
    let rows = use_memo((shown.clone(), wish), |(shown, wish)| {
        shown.as_ref().map_or_else(Vec::new, |shown| wish.pick(&shown.0))
    });
    let Some(replay) = shown else { return Html::default() };
    let oninput = {
        let filter = filter.clone();
        Callback::from(move |event: InputEvent| {
            filter.set(event.target_unchecked_into::<HtmlInputElement>().value());
        })
    };
    let chip = |on: bool, name: String, toggle: Callback<MouseEvent>| {
        html! {
            <button class={classes!("chip", on.then_some("on"))} aria-pressed={on.to_string()} onclick={toggle}>{ name }</button>
        }
    };
    let toggled = |state: &UseStateHandle<bool>| {
        let state = state.clone();
        Callback::from(move |_: MouseEvent| state.set(!*state))
    };
    let only_causes = {
        let (dispatcher, only) = (lab.dispatcher(), lab.causes_only);
        Callback::from(move |_: MouseEvent| dispatcher.dispatch(Action::CausesOnly(!only)))
    };
    let title = match lab.world {
        WorldKind::Real if replay.0.from_file => ui::EVENTS_FILE,
        WorldKind::Real => ui::EVENTS_REAL,
        WorldKind::Sim => ui::EVENTS_TITLE,
    };
    let key = replay.0.focus.to_string();
    let (shown_now, all) = (grouped(rows.len() as u64), grouped(lab.horizon() as u64 + 1));
    let narrowed = lab.causes_only || *answers || *focus || !filter.is_empty();
    let count = if narrowed {
        ui::N_OF_SHOWN.with(lang, &[&shown_now, &all])
    } else {
        ui::N_EVENTS.with(lang, &[&all])
    };
    html! {
        <div class="pane p-events" data-testid="events">
            <h2>{ title.get(lang) }</h2>
            <p class="path" data-testid="events-count">{ format!("{} · {count}", lab.scenario()) }</p>
            <div class="filt">
                <input id="event-filter" class="fi" type="text" placeholder={ui::FILTER.get(lang)} {oninput}
                    aria-label={ui::FILTER.get(lang)} value={(*filter).clone()} />
                { chip(*focus, ui::FOCUS_ONLY.with(lang, &[&key]), toggled(&focus)) }
                { chip(*answers, ui::READS_ONLY.get(lang).to_owned(), toggled(&answers)) }
                { chip(lab.causes_only, ui::ONLY_CAUSES.get(lang).to_owned(), only_causes) }
            </div>
            <div class="ev hd" aria-hidden="true">
                <span>{ ui::TIME.get(lang) }</span><span>{ ui::ACTOR.get(lang) }</span>
                <span>{ ui::EVENT.get(lang) }</span><span>{ ui::DETAIL.get(lang) }</span>
            </div>
            <List lab={lab.clone()} replay={replay} {rows} moved={comparison.as_ref().map(|own| own.moved.clone()).unwrap_or_default()} />
            if let Some(comparison) = comparison { { compared(lab, &comparison) } }
        </div>
    }
}

/// What the list is narrowed to.
#[derive(Clone, Debug, PartialEq)]
struct Wish {
    text: String,
    answers: bool,
    focus: bool,
    causes_of: Option<usize>,
    horizon: usize,
}

impl Wish {
    fn pick(&self, replay: &Replay) -> Vec<usize> {
        let causes = self.causes_of.map(|index| replay.causes(index));
        let events = replay.trace.events.iter().enumerate().take(self.horizon + 1);
        events
            .filter(|(index, event)| {
                causes.as_ref().is_none_or(|causes| causes.contains(index)) && self.wants(replay, event)
            })
            .map(|(index, _)| index)
            .collect()
    }

    fn wants(&self, replay: &Replay, event: &Event) -> bool {
        if self.answers && !matches!(event.kind, Kind::Answered { .. } | Kind::Completed { .. }) {
            return false;
        }
        if self.focus && (event.key.as_ref() != Some(&replay.focus) || is_background_event(event)) {
            return false;
        }
        self.text.is_empty() || {
            let key = event.key.as_ref().map_or("", |key| key.as_str());
            let text = format!("{} {} {key}", event.actor, event_word(&event.kind)).to_lowercase();
            self.text.split_whitespace().all(|word| text.contains(word))
        }
    }
}

#[derive(Properties, PartialEq)]
struct ListProps {
    lab: UseReducerHandle<Lab>,
    replay: Shown,
    rows: Rc<Vec<usize>>,
    moved: Vec<usize>,
}

/// Which row a key goes to in a list of so many rows; `None` for a key that the list does not take.
fn row_after(key: &str, current: usize, rows: usize) -> Option<usize> {
    let to = match key {
        "ArrowDown" => current + 1,
        "ArrowUp" => current.saturating_sub(1),
        "PageDown" => current + PAGE,
        "PageUp" => current.saturating_sub(PAGE),
        "Home" => 0,
        "End" => usize::MAX,
        _ => return None,
    };
    Some(to.min(rows.checked_sub(1)?))
}

/// The rows in view: one stop on the way through the page, in which the arrows go from event to event.
#[component]
fn List(props: &ListProps) -> Html {
    let (lab, rows) = (&props.lab, &props.rows);
    let container = use_node_ref();
    let view = use_state_eq(|| (0.0_f64, 600.0_f64));
    let current = rows.partition_point(|index| *index <= lab.index).saturating_sub(1);
    {
        let (container, view) = (container.clone(), view.clone());
        use_effect_with((current, rows.len()), move |(current, _)| {
            let Some(element) = container.cast::<HtmlElement>() else { return };
            let height = f64::from(element.client_height());
            let (top, at) = (f64::from(element.scroll_top()), *current as f64 * ROW);
            if at < top || at + ROW > top + height {
                element.set_scroll_top((at - height * 0.4).max(0.0) as i32);
            }
            view.set((f64::from(element.scroll_top()), height));
        });
    }
    let onscroll = {
        let view = view.clone();
        Callback::from(move |event: yew::events::Event| {
            let element = event.target_unchecked_into::<HtmlElement>();
            view.set((f64::from(element.scroll_top()), f64::from(element.client_height())));
        })
    };
    let first = ((view.0 / ROW) as usize).saturating_sub(SPARE);
    let last = (((view.0 + view.1) / ROW) as usize + SPARE).min(rows.len());
    let onkeydown = {
        let (dispatcher, rows) = (lab.dispatcher(), rows.clone());
        Callback::from(move |event: KeyboardEvent| {
            let row = row_after(&event.key(), current, rows.len()).filter(|_| !event.shift_key());
            if let Some(index) = row.and_then(|row| rows.get(row)) {
                event.prevent_default();
                dispatcher.dispatch(Action::Seek(*index));
            }
        })
    };
    if rows.is_empty() {
        return html! { <div class="log"><p class="note" role="status">{ ui::NO_EVENTS.get(lab.lang) }</p></div> };
    }
    let active = (first..last).contains(&current).then(|| rows.get(current)).flatten();
    html! {
        <div class="log" ref={container} {onscroll} {onkeydown} tabindex="0" role="listbox"
            aria-label={ui::EVENTS_TITLE.get(lab.lang)} aria-activedescendant={active.map(|index| format!("event-{index}"))}>
            <div style={format!("height:{}px;position:relative", rows.len() as f64 * ROW)} role="none">
                { for (first..last).map(|row| row_of(props, row, current)) }
            </div>
        </div>
    }
}

fn row_of(props: &ListProps, row: usize, current: usize) -> Html {
    let (lab, replay) = (&props.lab, &props.replay.0);
    let Some((index, event)) = props.rows.get(row).and_then(|index| Some((*index, replay.event(*index)?)))
    else {
        return Html::default();
    };
    let stale = replay.marks.binary_search_by_key(&index, |mark| mark.index).is_ok();
    let class = classes!(
        "ev",
        (index == lab.index).then_some("cur"),
        (index > lab.index).then_some("fut"),
        stale.then_some("stl"),
        props.moved.binary_search(&index).is_ok().then_some("dif"),
    );
    let dispatcher = lab.dispatcher();
    html! {
        <div key={index} class={class} style={format!("top:{}px", row as f64 * ROW)} role="option"
            id={format!("event-{index}")} aria-selected={(row == current).to_string()} aria-posinset={(row + 1).to_string()}
            aria-setsize={props.rows.len().to_string()}
            title={sentence::sentence(replay, index, lab.lang).replace("**", "")}
            onclick={move |_| dispatcher.dispatch(Action::Seek(index))}>
            <span>{ clock(event.at) }</span><b>{ event.actor.to_string() }</b>
            <em>{ event_word(&event.kind) }</em><span>{ sentence::detail(event, replay, lab.lang) }</span>
        </div>
    }
}

/// The recorded run beside the simulated one, found once for each pair.
#[hook]
fn use_comparison(lab: &UseReducerHandle<Lab>) -> Option<Comparison> {
    let pair = match (lab.world, &lab.recorded, &lab.simulated) {
        (WorldKind::Real, Some(real), Some(simulated)) => {
            Some((Shown(real.clone()), Shown(simulated.clone())))
        }
        _ => None,
    };
    let found =
        use_memo(pair, |pair| pair.as_ref().map(|(real, simulated)| Comparison::new(&real.0, &simulated.0)));
    (*found).clone()
}

fn compared(lab: &Lab, comparison: &Comparison) -> Html {
    let lang = lab.lang;
    let (Some(real), Some(simulated)) = (&lab.recorded, &lab.simulated) else { return Html::default() };
    let count = |count: usize| ui::N_EVENTS.with(lang, &[&grouped(count as u64)]);
    let differ: Vec<String> = real
        .report
        .checks
        .iter()
        .filter(|check| {
            simulated.report.checks.iter().any(|other| other.id == check.id && other.holds != check.holds)
        })
        .map(|check| crate::text::names::check(real.spec.scenario, &check.id, lang))
        .collect();
    let named = |only: &std::collections::BTreeMap<String, usize>| {
        let mut kinds: Vec<_> = only.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let names: Vec<String> =
            kinds.iter().take(3).map(|(name, count)| format!("{name} ×{count}")).collect();
        let total: usize = only.values().sum();
        if total == 0 {
            count(0)
        } else {
            format!("{}: {}{}", count(total), names.join(", "), if kinds.len() > 3 { ", …" } else { "" })
        }
    };
    html! {
        <div class="match" data-testid="comparison">
            <div>
                <b>{ ui::SAME_STORY.get(lang) }</b>
                if differ.is_empty() {
                    <span>{ ui::CHECKS_AGREE.get(lang) }</span>
                } else {
                    <span class="err">{ ui::CHECKS_DIFFER.with(lang, &[&differ.join(", ")]) }</span>
                }
            </div>
            <dl>
                if let Some(same) = comparison.same {
                    <dt>{ ui::SAME_ORDER.get(lang) }</dt><dd>{ count(same) }</dd>
                    <dt>{ ui::ORDER_DIFFERS.get(lang) }</dt><dd>{ count(comparison.both.saturating_sub(same)) }</dd>
                } else {
                    <dt>{ ui::IN_BOTH.get(lang) }</dt><dd>{ count(comparison.both) }</dd>
                }
                <dt>{ ui::ONLY_REAL.get(lang) }</dt><dd>{ named(&comparison.only_real) }</dd>
                <dt>{ ui::ONLY_SIM.get(lang) }</dt><dd>{ named(&comparison.only_simulated) }</dd>
            </dl>
        </div>
    }
}
