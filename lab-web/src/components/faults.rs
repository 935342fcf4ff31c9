//! The line over the stage: faults in force, what kind of run it is, and the legend.

use std::collections::BTreeMap;

use lab_core::report::WorldKind;
use lab_core::world::{Fault, Link};
use yew::prelude::*;

use super::marks::cut_sign;
use crate::replay::Shown;
use crate::text::{Lang, lesson, ui};

/// What the line shows.
#[derive(Properties, PartialEq)]
pub(crate) struct FaultsProps {
    /// The run.
    pub(crate) replay: Shown,
    /// The event.
    pub(crate) index: usize,
    /// The language.
    pub(crate) lang: Lang,
}

/// The line.
#[component]
pub(crate) fn Faults(props: &FaultsProps) -> Html {
    let lang = props.lang;
    let state = props.replay.0.stage(props.index);
    let faults = &state.faults;
    let mut delays: BTreeMap<u64, Vec<&Link>> = BTreeMap::new();
    let mut others: Vec<&Fault> = Vec::new();
    for fault in faults {
        match fault {
            Fault::Delay { link, by_ms } => delays.entry(*by_ms).or_default().push(link),
            other => others.push(other),
        }
    }
    html! {
        <div class="shead">
            <span class="lbl">{ ui::FAULTS.get(lang) }</span>
            if faults.is_empty() { <span class="chip quiet">{ ui::NO_FAULT.get(lang) }</span> }
            { for delays.iter().map(|(by_ms, links)| {
                let name = match links.as_slice() {
                    [one] => lesson::link_name(**one, lang),
                    many => ui::FAULT_DELAY_BUS_ALL.with(lang, &[&many.len().to_string()]),
                };
                html! { <span class="chip" data-testid="fault">{ name.trim_end().to_owned() }<b>{ format!("{by_ms} ms") }</b></span> }
            }) }
            { for others.iter().map(|fault| html! {
                <span class="chip" data-testid="fault">{ cut_sign() }{ lesson::fault(fault, lang) }</span>
            }) }
            if props.replay.0.world == WorldKind::Real {
                <span class="rp">
                    <svg class="mk16" viewBox="0 0 16 16" aria-hidden="true">
                        <circle cx="8" cy="8" r="6" class="rp-ring" /><circle cx="8" cy="8" r="3" class="rp-dot" />
                    </svg>
                    { ui::RECORDED_RUN.get(lang) }
                </span>
            }
            { legend(lang) }
        </div>
    }
}

/// What the shapes of the stage mean.
pub(crate) fn legend(lang: Lang) -> Html {
    let swatch = |class: &'static str, radius: &'static str| {
        html! { <rect x=".75" y=".75" width="20.5" height="10.5" rx={radius} class={class} /> }
    };
    html! {
        <div class="legend" aria-label={ui::LEGEND.get(lang)}>
            <span><svg viewBox="0 0 22 12">{ swatch("ent fresh", "3") }</svg>{ ui::LEGEND_FRESH.get(lang) }</span>
            <span>
                <svg viewBox="0 0 22 12">{ swatch("ent stale", "3") }{ swatch("hatchfill", "3") }</svg>
                { ui::LEGEND_STALE.get(lang) }
            </span>
            <span><svg viewBox="0 0 22 12">{ swatch("ent gone", "3") }</svg>{ ui::LEGEND_GONE.get(lang) }</span>
            <span><svg viewBox="0 0 22 12">{ swatch("cap req", "5.2") }</svg>{ ui::LEGEND_MESSAGE.get(lang) }</span>
            <span class="leg-cut">
                <svg viewBox="0 0 22 12">
                    <path d="M0 6h7M15 6h7" class="ln" />
                    <path d="M7.5 10.5 10.5 1.5M12.5 10.5 15.5 1.5" class="cut" />
                </svg>
                { ui::LEGEND_CUT.get(lang) }
            </span>
        </div>
    }
}
