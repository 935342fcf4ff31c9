//! The narration line and the transport: to start, back, play, step, to end, clock, speed.

use lab_core::report::WorldKind;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::marks::{Icon, icon};
use super::rich;
use super::top_bar::LabProps;
use crate::ruler::View;
use crate::state::{Action, Lab, SPEEDS};
use crate::text::{Text, clock, grouped, sentence, ui};

/// The sentence of the current event; the only text that changes on every step. It is spoken by `Spoken`.
#[component]
pub(crate) fn Narration(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let Some(replay) = lab.shown() else { return html! { <div class="now"><p></p></div> } };
    let text = sentence::sentence(replay, lab.index, lang);
    html! {
        <div class="now">
            <p data-testid="narration">{ rich(&text) }</p>
        </div>
    }
}

/// The transport.
#[component]
pub(crate) fn Transport(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let button = |name: Text, sign: Icon, action: Action, class: &'static str, testid: &'static str| {
        let dispatcher = lab.dispatcher();
        html! {
            <button class={class} aria-label={name.get(lang)} title={name.get(lang)} data-testid={testid}
                onclick={move |_| dispatcher.dispatch(action.clone())}>
                { icon(sign) }
            </button>
        }
    };
    let help = {
        let dispatcher = lab.dispatcher();
        move |_| dispatcher.dispatch(Action::Keys(true))
    };
    let (play, sign) = if lab.playing { (ui::PAUSE, Icon::Pause) } else { (ui::PLAY, Icon::Play) };
    let last = lab.shown().map_or(0, |replay| replay.last());
    let counted = |index: usize| grouped(index as u64 + 1);
    // How long the run is would be a part of the answer.
    let event = if lab.veiled() {
        ui::EVENT_VEILED.with(lang, &[&counted(lab.index)])
    } else {
        ui::EVENT_OF.with(lang, &[&counted(lab.index), &counted(last)])
    };
    let beside = lab.world == WorldKind::Real
        && lab.recorded.is_some()
        && lab.simulated.is_some()
        && lab.view == View::Lanes;
    let onchange = {
        let dispatcher = lab.dispatcher();
        Callback::from(move |event: Event| {
            let chosen = event.target_unchecked_into::<HtmlSelectElement>().value();
            if let Ok(place) = chosen.parse() {
                dispatcher.dispatch(Action::Speed(place));
            }
        })
    };
    html! {
        <div class="trans" role="group" aria-label={ui::TIMELINE.get(lang)}>
            <div class="tb">
                { button(ui::TO_START, Icon::ToStart, Action::Seek(0), "far", "to-start") }
                { button(ui::STEP_BACK, Icon::Back, Action::Move(-1), "", "back") }
                { button(play, sign, Action::Play(!lab.playing), "pl", "play") }
                { button(ui::STEP_ON, Icon::Step, Action::Move(1), "", "step") }
                { button(ui::TO_END, Icon::ToEnd, Action::Seek(usize::MAX), "far", "to-end") }
            </div>
            <span class="clock" data-testid="clock">{ clock(lab.now) }<small>{ "ms" }</small></span>
            <span class="evn" data-testid="event-count">{ rich(&event) }</span>
            <label class="spd">{ ui::SPEED.get(lang) }
                <select onchange={onchange} aria-label={ui::SPEED.get(lang)}>
                    { for SPEEDS.iter().enumerate().map(|(place, speed)| html! {
                        <option value={place.to_string()} selected={place == lab.speed}>
                            { format!("{}×", f64::from(*speed) / 1_000.0) }
                        </option>
                    }) }
                </select>
            </label>
            <button class="btn sq help" aria-label={ui::KEYS_TITLE.get(lang)} title={ui::KEYS_TITLE.get(lang)}
                onclick={help} data-testid="help">{ "?" }</button>
            if beside {
                <span class="simkey" data-testid="simulator-key">
                    <svg viewBox="0 0 22 12" aria-hidden="true"><path d="M1,11V5H8V2H14V8H21" class="simo" /></svg>
                    { ui::SIM_OUTLINE.get(lang) }
                </span>
            }
            { views(lab) }
            <span class="seed">{ rich(&ui::SEED.with(lang, &[&lab.spec.seed.to_string()])) }</span>
        </div>
    }
}

/// What the timeline below shows.
fn views(lab: &UseReducerHandle<Lab>) -> Html {
    let lang = lab.lang;
    let view = |name: Text, view: View, testid: &'static str| {
        let (on, dispatcher) = (lab.view == view, lab.dispatcher());
        html! {
            <button class={on.then_some("on")} aria-pressed={on.to_string()} data-testid={testid}
                disabled={lab.veiled()} onclick={move |_| dispatcher.dispatch(Action::View(view))}>{ name.get(lang) }</button>
        }
    };
    html! {
        <div class="seg views" role="group" aria-label={ui::VIEW_LABEL.get(lang)}>
            { view(ui::VIEW_LANES, View::Lanes, "view-lanes") }
            { view(ui::VIEW_SPACE_TIME, View::SpaceTime, "view-space-time") }
        </div>
    }
}
