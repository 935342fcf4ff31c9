//! The real cluster: run there, or how to start one, or open a recording.

use std::fmt::Write as _;

use lab_core::scenario::RunSpec;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::hooks::{Real, RealState, Trouble};
use crate::state::Lab;
use crate::text::{Lang, grouped, ui};

/// What it shows.
#[derive(Properties, PartialEq)]
pub(crate) struct RealProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
    /// The real cluster.
    pub(crate) real: Real,
}

/// The box over the events of a real run.
#[component]
pub(crate) fn RealCluster(props: &RealProps) -> Html {
    let (lab, real) = (&props.lab, &props.real);
    let lang = lab.lang;
    {
        let (look, unknown) = (real.look.clone(), real.state == RealState::Unknown);
        use_effect_with((), move |()| {
            if unknown {
                look.emit(());
            }
        });
    }
    html! {
        <div class="realbox" data-testid="real" aria-live="polite">
            <h2>{ ui::REAL_TITLE.get(lang) }</h2>
            <p class="lead">{ ui::REAL_LEAD.get(lang) }</p>
            { body(lab, real) }
            if lab.shown().is_some_and(|replay| replay.from_file) {
                <p class="said" data-testid="from-file"><b>{ ui::EVENTS_FILE.get(lang) }</b>{ ": " }{ ui::FROM_FILE.get(lang) }</p>
            }
        </div>
    }
}

/// How it stands with the cluster, and what can be done now.
fn body(lab: &Lab, real: &Real) -> Html {
    let lang = lab.lang;
    match &real.state {
        RealState::Unknown | RealState::Looking => {
            html! { <p>{ ui::REAL_LOOKING.with(lang, &[&origin()]) }</p> }
        }
        RealState::Absent => html! { <>
            <p>{ with_code(ui::REAL_ABSENT.get(lang), &["cargo xtask serve", "lab serve"]) }</p>
            { look_or_open(real, lang) }
            { how_to_record(lab) }
        </> },
        RealState::Found | RealState::Stopped => html! { <>
            <p>{ ui::REAL_FOUND.with(lang, &[&origin()]) }</p>
            if real.state == RealState::Stopped { <p data-testid="stopped">{ ui::REAL_STOPPED.get(lang) }</p> }
            { run_or_open(lab, real) }
        </> },
        RealState::Recording { events, interrupted } => html! { <>
            <p class="recording" aria-live="off"><i></i>{ ui::REAL_RECORDING.with(lang, &[&grouped(*events as u64)]) }</p>
            if *interrupted { <p class="err">{ ui::REAL_INTERRUPTED.get(lang) }</p> }
            <div class="acts">
                <button class="btn" onclick={real.stop.reform(|_| ())} data-testid="stop-real">{ ui::STOP.get(lang) }</button>
            </div>
        </> },
        RealState::Failed(trouble) => html! { <>
            <p class="err">{ ui::REAL_FAILED.get(lang) }</p>
            { told(trouble, lang) }
            { look_or_open(real, lang) }
        </> },
        RealState::Refused(why) => html! { <>
            <p class="err" role="alert" data-testid="refused">{ why }</p>
            { look_or_open(real, lang) }
            { how_to_record(lab) }
        </> },
    }
}

/// A text whose `{}` are commands.
fn with_code(text: &'static str, commands: &[&'static str]) -> Html {
    let pieces = text.split("{}").enumerate();
    pieces
        .map(|(place, piece)| {
            let command = place.checked_sub(1).and_then(|place| commands.get(place));
            html! { <>if let Some(command) = command { <code>{ *command }</code> }{ piece }</> }
        })
        .collect()
}

/// Where the page came from, without its link: a lab server would answer there.
fn origin() -> String {
    let here = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    here.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn look_or_open(real: &Real, lang: Lang) -> Html {
    html! {
        <div class="acts">
            <button class="btn" onclick={real.look.reform(|_| ())}>{ ui::REAL_RETRY.get(lang) }</button>
            { file_button(real, lang) }
        </div>
    }
}

fn run_or_open(lab: &Lab, real: &Real) -> Html {
    let spec = lab.spec.clone();
    html! {
        <div class="acts">
            <button class="btn pri" onclick={real.run.reform(move |_| spec.clone())} data-testid="run-real">
                { ui::REAL_RUN.get(lab.lang) }
            </button>
            { file_button(real, lab.lang) }
        </div>
    }
}

fn told(trouble: &Trouble, lang: Lang) -> Html {
    match trouble {
        Trouble::Told(why) => html! { <p class="path">{ why }</p> },
        Trouble::Lost(events) => html! { <p>{ ui::REAL_LOST.with(lang, &[&grouped(*events as u64)]) }</p> },
        Trouble::Garbled => html! { <p>{ ui::REAL_GARBLED.get(lang) }</p> },
    }
}

fn file_button(real: &Real, lang: Lang) -> Html {
    let open = real.open.clone();
    let onchange = Callback::from(move |event: Event| {
        let input = event.target_unchecked_into::<HtmlInputElement>();
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            open.emit(file);
        }
        input.set_value("");
    });
    html! {
        <label class="btn file">
            { ui::REAL_OPEN.get(lang) }
            <input type="file" accept=".jsonl,.json,.ndjson,.txt" {onchange} data-testid="open-recording" />
        </label>
    }
}

/// How to record what is shown elsewhere, and open it here.
fn how_to_record(lab: &Lab) -> Html {
    match command(&lab.spec) {
        Some(command) => html! {
            <p class="said" data-testid="how-to-record">{ ui::REAL_FILE_HOW.get(lab.lang) }{ " " }<code>{ command }</code></p>
        },
        None => {
            html! { <p class="said" data-testid="how-to-record">{ ui::REAL_FILE_UNNAMED.get(lab.lang) }</p> }
        }
    }
}

/// The command that records this very run on real servers; `None` for a policy that is no preset, which no command
/// can name.
fn command(spec: &RunSpec) -> Option<String> {
    let scenario = spec.scenario.scenario();
    let preset = scenario.presets.iter().find(|preset| (preset.policy)() == spec.policy)?;
    let mut command =
        format!("lab run {} --world real --policy {} --seed {}", scenario.slug, preset.name, spec.seed);
    for knob in scenario.knobs {
        let value = spec.settings.get(knob);
        if value != knob.default {
            let _ = write!(command, " --set {}={value}", knob.name);
        }
    }
    command.push_str(" --trace run.jsonl");
    Some(command)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use lab_core::policy::Switch;
    use lab_core::scenario::ScenarioId;

    use super::*;

    #[test]
    fn the_command_names_all_that_decides_the_run() {
        let id = ScenarioId::ThunderingHerd;
        let mut spec = RunSpec::preset(id, "lease", 7).expect("the preset exists");
        let wanted = "lab run thundering-herd --world real --policy lease --seed 7 --trace run.jsonl";
        assert_eq!(command(&spec).as_deref(), Some(wanted));
        spec.settings.set(id, "clients", 300).expect("300 clients are allowed");
        let wanted = "lab run thundering-herd --world real --policy lease --seed 7 --set clients=300 --trace run.jsonl";
        assert_eq!(command(&spec).as_deref(), Some(wanted));
    }

    #[test]
    fn there_is_no_command_for_a_policy_without_a_name() {
        let mut spec = Lab::lesson_spec(ScenarioId::InvalidationDelay);
        Switch::AcknowledgedInvalidation.set(&mut spec.policy, true);
        Switch::StrongReads.set(&mut spec.policy, true);
        assert_eq!(command(&spec), None);
    }
}
