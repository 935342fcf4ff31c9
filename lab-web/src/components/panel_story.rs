//! The Story: the situation, the question, the answer that was given, and what happened.

use lab_core::scenario::{Words, truth};
use yew::prelude::*;

use super::rich;
use super::top_bar::LabProps;
use crate::state::{Action, Lab};
use crate::text::{lesson, names, ui};

/// The pane.
#[component]
pub(crate) fn PanelStory(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let scenario = lab.scenario().scenario();
    let told = |pick: fn(&Words) -> &'static str| lesson::told(&lab.spec, pick, lang);
    html! {
        <div class="pane p-story" data-testid="story">
            <h2>{ told(|words| words.title) }</h2>
            <p>{ rich(&told(|words| words.story)) }</p>
            <p>{ rich(&told(|words| words.promise)) }</p>
            <div class="q" role="radiogroup" aria-labelledby="ask">
                <h3>{ ui::PREDICT.get(lang) }</h3>
                <p class="ask" id="ask">{ told(|words| words.question) }</p>
                { for scenario.answers.iter().enumerate().map(|(place, id)| option(lab, place, id)) }
                if lab.closed() {
                    if lab.guess().is_none() { <p class="note" data-testid="skipped">{ ui::QUESTION_CLOSED.get(lang) }</p> }
                    <div class="rev" data-testid="reveal"><b>{ ui::WHY.get(lang) }</b>{ " " }{ told(|words| words.why) }</div>
                } else {
                    { ask(lab) }
                }
            </div>
        </div>
    }
}

fn option(lab: &UseReducerHandle<Lab>, place: usize, id: &str) -> Html {
    let lang = lab.lang;
    let (answer, thought) = names::answer(&lab.spec, id, lang);
    let (guess, closed) = (lab.guess(), lab.closed());
    let happened = lab.baseline.as_ref().map(|replay| truth(lab.scenario(), &replay.report));
    let selected = guess.or(lab.picked) == Some(place);
    let right = closed && happened == Some(place);
    let remark = match (guess == Some(place), right) {
        (true, true) => Some(ui::GUESS_AND_TRUTH),
        (true, false) => Some(ui::YOUR_GUESS),
        (false, true) => Some(ui::WHAT_HAPPENED),
        (false, false) => None,
    };
    let dispatcher = lab.dispatcher();
    html! {
        <label class={classes!("opt", selected.then_some("sel"), right.then_some("right"), closed.then_some("given"))}>
            <input type="radio" name="prediction" value={id.to_owned()} checked={selected} disabled={closed}
                data-testid={format!("answer-{id}")} onchange={move |_| dispatcher.dispatch(Action::Pick(place))} />
            <i aria-hidden="true"></i>
            <span>
                <b>{ answer }</b>{ " " }{ thought }
                if let Some(remark) = remark { <em>{ remark.get(lang) }</em> }
            </span>
        </label>
    }
}

fn ask(lab: &UseReducerHandle<Lab>) -> Html {
    let lang = lab.lang;
    let (reveal, hint) = (lab.dispatcher(), lab.dispatcher());
    html! { <>
        <div class="qa">
            <button class="btn pri" disabled={lab.picked.is_none()} data-testid="reveal-button"
                onclick={move |_| reveal.dispatch(Action::Reveal)}>{ ui::RUN_AND_REVEAL.get(lang) }</button>
            <button class="btn" aria-expanded={lab.hint.to_string()} onclick={move |_| hint.dispatch(Action::Hint)}>
                { ui::HINT.get(lang) }
            </button>
            <span><kbd>{ "Enter" }</kbd>{ " " }{ ui::ENTER_RUNS.get(lang) }</span>
        </div>
        if lab.hint { <p class="hinted">{ lesson::told(&lab.spec, |words| words.hint, lang) }</p> }
    </> }
}
