//! The real cluster: run there, or how to start one, or open a recording.

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
    let origin = web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default();
    let run = {
        let (run, spec) = (real.run.clone(), lab.spec.clone());
        move |_| run.emit(spec.clone())
    };
    let look = {
        let look = real.look.clone();
        move |_| look.emit(())
    };
    let stop = {
        let stop = real.stop.clone();
        move |_| stop.emit(())
    };
    let body = match &real.state {
        RealState::Unknown | RealState::Looking => {
            html! { <p>{ ui::REAL_LOOKING.with(lang, &[&origin]) }</p> }
        }
        RealState::Absent => html! { <>
            <p>
                { ui::REAL_ABSENT.get(lang) }{ " " }<code>{ "cargo xtask serve" }</code>{ " (" }<code>{ "lab serve" }</code>{ "), " }
                { ui::REAL_OR.get(lang) }
            </p>
            <div class="acts">
                <button class="btn" onclick={look}>{ ui::REAL_RETRY.get(lang) }</button>
                { file_button(real, lang) }
            </div>
            { how_to_record(lab) }
        </> },
        RealState::Found | RealState::Stopped => html! { <>
            <p>{ ui::REAL_FOUND.with(lang, &[&origin]) }</p>
            if real.state == RealState::Stopped { <p data-testid="stopped">{ ui::REAL_STOPPED.get(lang) }</p> }
            <div class="acts">
                <button class="btn pri" onclick={run} data-testid="run-real">{ ui::REAL_RUN.get(lang) }</button>
                { file_button(real, lang) }
            </div>
        </> },
        RealState::Recording { events, interrupted } => html! { <>
            <p class="recording"><i></i>{ ui::REAL_RECORDING.with(lang, &[&grouped(*events as u64)]) }</p>
            if *interrupted { <p class="err">{ ui::REAL_INTERRUPTED.get(lang) }</p> }
            <div class="acts">
                <button class="btn" onclick={stop} data-testid="stop-real">{ ui::STOP.get(lang) }</button>
            </div>
        </> },
        RealState::Failed(trouble) => html! { <>
            <p class="err">{ ui::REAL_FAILED.get(lang) }</p>
            { told(trouble, lang) }
            <div class="acts">
                <button class="btn" onclick={look}>{ ui::REAL_RETRY.get(lang) }</button>
                { file_button(real, lang) }
            </div>
        </> },
        RealState::Refused(why) => html! { <>
            <p class="err" role="alert" data-testid="refused">{ why }</p>
            <div class="acts">
                <button class="btn" onclick={look}>{ ui::REAL_RETRY.get(lang) }</button>
                { file_button(real, lang) }
            </div>
            { how_to_record(lab) }
        </> },
    };
    html! {
        <div class="realbox" data-testid="real" aria-live="polite">
            <h2>{ ui::REAL_TITLE.get(lang) }</h2>
            <p class="lead">{ ui::REAL_LEAD.get(lang) }</p>
            { body }
            if lab.shown().is_some_and(|replay| replay.from_file) {
                <p class="said" data-testid="from-file"><b>{ ui::EVENTS_FILE.get(lang) }</b>{ ": " }{ ui::FROM_FILE.get(lang) }</p>
            }
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

/// The command that records what is shown; a policy that is no preset cannot be named there.
fn how_to_record(lab: &Lab) -> Html {
    let scenario = lab.scenario().scenario();
    let preset = scenario.presets.iter().find(|preset| (preset.policy)() == lab.spec.policy);
    let policy = preset.map_or_else(String::new, |preset| format!(" --policy {}", preset.name));
    let command = format!("lab run {}{policy} --world real --trace run.jsonl", scenario.slug);
    html! { <p class="said">{ ui::REAL_FILE_HOW.get(lab.lang) }{ " " }<code>{ command }</code></p> }
}
