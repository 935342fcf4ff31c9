//! The Policy: presets and switches, knobs, the verdict over many seeds, what the choice costs, and what it does not survive.

use lab_core::fault::Peril;
use lab_core::report::{Figure, Unit};
use lab_core::scenario::{Knob, Preset, Role};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::seed_grid::SeedGrid;
use crate::hooks::Verdicts;
use crate::replay::Replay;
use crate::state::{Action, Lab};
use crate::text::{Lang, grouped, lesson, names, ui};

/// What the pane shows.
#[derive(Properties, PartialEq)]
pub(crate) struct PolicyProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
    /// The verdict over many seeds.
    pub(crate) verdicts: Verdicts,
}

/// The pane.
#[component]
pub(crate) fn PanelPolicy(props: &PolicyProps) -> Html {
    let lab = &props.lab;
    let lang = lab.lang;
    let scenario = lab.scenario().scenario();
    let (undo, reset) = (lab.dispatcher(), lab.dispatcher());
    html! {
        <div class="pane p-policy" data-testid="policy">
            <div class="phd">
                <h2>{ ui::POLICY.get(lang) }</h2>
                <div class="acts">
                    <button class="btn" disabled={lab.undo.is_empty()} onclick={move |_| undo.dispatch(Action::Undo)}>
                        { ui::UNDO.get(lang) }
                    </button>
                    <button class="btn" data-testid="reset" onclick={move |_| reset.dispatch(Action::Reset)}>
                        { ui::RESET.get(lang) }
                    </button>
                </div>
            </div>
            <p class="lead">{ ui::POLICY_LEAD.get(lang) }</p>
            <div class="presets" role="group" aria-label={ui::PRESETS.get(lang)}>
                { for scenario.presets.iter().map(|preset| preset_chip(lab, preset)) }
            </div>
            { preset_sentence(lab) }
            { for scenario.switches.iter().map(|switch| {
                let on = switch.is_on(&lab.spec.policy);
                let (name, sentence) = lesson::switch(*switch, lang);
                let (dispatcher, switch) = (lab.dispatcher(), *switch);
                html! {
                    <button class={classes!("tog", on.then_some("on"))} role="switch" aria-checked={on.to_string()}
                        data-testid={format!("switch-{}", crate::link::slug(switch))}
                        onclick={move |_| dispatcher.dispatch(Action::Switch(switch, !on))}>
                        <span><b>{ name }</b><small>{ sentence }</small></span><i aria-hidden="true"></i>
                    </button>
                }
            }) }
            if !lab.veiled() { <SeedGrid lab={lab.clone()} verdicts={props.verdicts.clone()} /> }
            <h3>{ ui::KNOBS.get(lang) }</h3>
            { for scenario.knobs.iter().map(|knob| slider(lab, knob)) }
            if !lab.veiled() {
                { costs(lab) }
                { limits(lab) }
            }
        </div>
    }
}

/// A slider for a knob of the scenario.
fn slider(lab: &UseReducerHandle<Lab>, knob: &'static Knob) -> Html {
    let (name, unit) = names::knob(lab.scenario(), knob.name, lab.lang);
    let value = lab.spec.settings.get(knob);
    let said = format!("{} {unit}", grouped(value));
    let dispatcher = lab.dispatcher();
    let onchange = Callback::from(move |event: Event| {
        if let Ok(value) = event.target_unchecked_into::<HtmlInputElement>().value().parse() {
            dispatcher.dispatch(Action::Knob(knob.name, value));
        }
    });
    html! {
        <label class="sl">
            <span><span>{ name.clone() }</span><output>{ said.clone() }</output></span>
            <input type="range" min={knob.min.to_string()} max={knob.max.to_string()} value={value.to_string()}
                aria-label={name} aria-valuetext={said} {onchange} data-testid={format!("knob-{}", knob.name)} />
        </label>
    }
}

fn is_chosen(lab: &Lab, preset: &Preset) -> bool {
    (preset.policy)() == lab.spec.policy
}

fn preset_chip(lab: &UseReducerHandle<Lab>, preset: &'static Preset) -> Html {
    let on = is_chosen(lab, preset);
    let (name, sentence) = names::preset(lab.scenario(), preset.name, lab.lang);
    let dispatcher = lab.dispatcher();
    html! {
        <button class={classes!("chip", on.then_some("on"))} aria-pressed={on.to_string()} title={sentence}
            data-testid={format!("preset-{}", preset.name)}
            onclick={move |_| dispatcher.dispatch(Action::Preset((preset.policy)()))}>{ name }</button>
    }
}

fn chosen(lab: &Lab) -> Option<&'static Preset> {
    lab.scenario().scenario().presets.iter().find(|preset| is_chosen(lab, preset))
}

fn preset_sentence(lab: &Lab) -> Html {
    let Some(chosen) = chosen(lab) else { return Html::default() };
    html! { <p class="note said">{ names::preset(lab.scenario(), chosen.name, lab.lang).1 }</p> }
}

/// A figure with its unit.
pub(crate) fn figure_text(figure: &Figure) -> (String, &'static str) {
    match figure.unit {
        Unit::Count => (grouped(figure.value.round() as u64), ""),
        Unit::Share => (format!("{:.1}", figure.value * 100.0), "%"),
        Unit::Millis if figure.value >= 1_000.0 => (grouped(figure.value.round() as u64), "ms"),
        Unit::Millis if figure.value >= 100.0 => (format!("{:.0}", figure.value), "ms"),
        Unit::Millis => (format!("{:.1}", figure.value), "ms"),
    }
}

/// The figures of this policy beside those of the lesson's code, with the same seed.
fn costs(lab: &Lab) -> Html {
    let lang = lab.lang;
    let (Some(before), Some(now)) = (&lab.baseline, &lab.simulated) else { return Html::default() };
    html! {
        <div class="cost" data-testid="cost">
            <table>
                <thead>
                    <tr><th>{ ui::WHAT_IT_COSTS.get(lang) }</th><th>{ ui::BEFORE.get(lang) }</th><th>{ ui::NOW.get(lang) }</th></tr>
                </thead>
                <tbody>{ for rows(before, now, lang) }</tbody>
            </table>
        </div>
    }
}

/// Under which faults the chosen green does not keep its goal, and what of it breaks.
fn limits(lab: &Lab) -> Html {
    let (scenario, lang) = (lab.scenario(), lab.lang);
    let Some(Role::Green(limits)) = chosen(lab).map(|preset| preset.role) else { return Html::default() };
    let lead = if limits.is_empty() { ui::NO_LIMITS } else { ui::LIMITS_LEAD };
    let line = |peril: Peril| {
        let broken = limits.iter().filter(|limit| limit.peril == peril);
        let broken: Vec<_> = broken.map(|limit| names::check(scenario, limit.check, lang)).collect();
        let broken = broken.join(ui::LIST_COMMA.get(lang));
        (!broken.is_empty())
            .then(|| html! { <li>{ lesson::peril(peril, lang) }<small>{ broken }</small></li> })
    };
    html! {
        <div class="limits" data-testid="limits">
            <h3>{ ui::LIMITS.get(lang) }</h3>
            <p class="note">{ lead.get(lang) }</p>
            <ul>{ for Peril::ALL.into_iter().filter_map(line) }</ul>
        </div>
    }
}

fn rows(before: &Replay, now: &Replay, lang: Lang) -> Vec<Html> {
    let cell = |figure: Option<&Figure>| {
        figure.map(figure_text).map_or_else(|| "–".to_owned(), |(value, unit)| format!("{value} {unit}"))
    };
    let ids = before.report.figures.keys().chain(now.report.figures.keys());
    let mut ids: Vec<&String> = ids.collect();
    ids.sort();
    ids.dedup();
    ids.into_iter()
        .map(|id| (id, before.report.figures.get(id), now.report.figures.get(id)))
        .filter(|(_, before, now)| [before, now].iter().any(|figure| figure.is_some_and(|figure| figure.value > 0.0)))
        .map(|(id, before, now)| {
            let (before, now) = (cell(before), cell(now));
            let changed = (before != now).then_some("ch");
            html! { <tr><td>{ lesson::figure_name(id, lang) }</td><td>{ before }</td><td class={classes!(changed)}>{ now }</td></tr> }
        })
        .collect()
}
