//! The Test: the real source of the scenario, with a mark on each line that ran and the line that failed.

use std::collections::{BTreeMap, BTreeSet};

use lab_core::report::{Bound, Check};
use lab_core::scenario::ScenarioId;
use lab_core::source;
use yew::prelude::*;

use super::code_lines::{line, scroll_to};
use super::marks::gutter;
use super::results::counted;
use super::top_bar::LabProps;
use crate::replay::Replay;
use crate::state::{Action, Lab, Step, Tab};
use crate::text::{Lang, grouped, lesson, moment, names, sentence, ui};

/// The pane.
#[component]
pub(crate) fn PanelTest(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let file = lab.scenario().file();
    let container = use_node_ref();
    let failing = lab.shown().and_then(|replay| failing(replay, lab.index).cloned());
    let failing_line = failing.as_ref().and_then(|check| check.source.as_ref()).map(|source| source.line);
    {
        let container = container.clone();
        let at =
            lab.shown().and_then(|replay| replay.event(lab.index)).and_then(|event| event.source.clone());
        let at = at.filter(|source| source.file == file).map(|source| source.line);
        use_effect_with((failing_line, at, file), move |(failing, _, _)| {
            scroll_to(&container, if failing.is_some() { ".l.bad" } else { ".l.exec" });
        });
    }
    let Some(text) = source::text(file) else {
        return html! { <div class="pane"><p class="note">{ ui::NO_SOURCE.with(lang, &[file]) }</p></div> };
    };
    let title = if failing.is_some() { ui::THE_TEST } else { ui::THE_TEST_HOLDS };
    html! {
        <div class="pane p-code-pane" data-testid="test">
            <div class="phd">
                <h2>{ title.get(lang) }</h2>
                { pill(lab, failing.is_some()) }
            </div>
            <p class="path">{ file }</p>
            { banner(lab) }
            <div class="code" ref={container} tabindex="0" role="region" aria-label={title.get(lang)}>
                { lines(lab, text, file, failing.as_ref()) }
            </div>
            if !lab.veiled() { { foot(lab) } }
        </div>
    }
}

/// That this failure is the lesson; or, under a policy that holds, the way back to the failure.
fn banner(lab: &UseReducerHandle<Lab>) -> Html {
    let lang = lab.lang;
    let red = lab.shown().and_then(|replay| replay.first_violation());
    if lab.step != Step::Fail || lab.playing {
        return Html::default();
    }
    let dispatcher = lab.dispatcher();
    match red {
        Some(violation) if lab.index >= violation => {
            html! { <p class="banner bad" data-testid="banner">{ ui::BANNER.get(lang) }</p> }
        }
        Some(_) => Html::default(),
        None => html! {
            <div class="banner ok" data-testid="banner">
                <p>{ ui::BANNER_GREEN.get(lang) }</p>
                <button class="btn" onclick={move |_| dispatcher.dispatch(Action::Reset)}>
                    { ui::BANNER_BACK.get(lang) }
                </button>
            </div>
        },
    }
}

/// The first check of the goal that is broken at this event.
fn failing(replay: &Replay, index: usize) -> Option<&Check> {
    let broken = |check: &&Check| check.goal && !check.holds;
    replay.report.checks.iter().filter(broken).find(|check| replay.broken_at(check) <= index)
}

fn pill(lab: &Lab, failing: bool) -> Html {
    let lang = lab.lang;
    let ended = lab.shown().is_some_and(|replay| lab.index == replay.last());
    let held = lab.shown().is_some_and(|replay| replay.report.goal_held());
    if failing {
        html! { <span class="pill bad">{ gutter("nop", "M3 3l6 6M9 3l-6 6") }{ ui::FAILS.get(lang) }</span> }
    } else if ended && held {
        html! { <span class="pill ok">{ gutter("okp", "M2.5 6.3l2.3 2.3 4.7-5") }{ ui::HOLDS.get(lang) }</span> }
    } else {
        html! { <span class="pill">{ ui::OPEN.get(lang) }</span> }
    }
}

fn lines(lab: &Lab, text: &'static str, file: &str, failing: Option<&Check>) -> Html {
    let replay = lab.shown();
    let ran = replay.map_or_else(BTreeSet::new, |replay| replay.ran(lab.index));
    let here = replay.and_then(|replay| replay.event(lab.index)).and_then(|event| event.source.as_ref());
    let here = here.filter(|source| source.file == file).map(|source| source.line);
    let bad = failing.and_then(|check| check.source.as_ref()).filter(|source| source.file == file);
    // Two checks may be asked for by one line; one of the goal says more.
    let mut asked: BTreeMap<u32, &Check> = BTreeMap::new();
    for check in replay.iter().flat_map(|replay| &replay.report.checks) {
        if let Some(source) = check.source.as_ref().filter(|source| source.file == file) {
            asked
                .entry(source.line)
                .and_modify(|own| *own = if own.goal { *own } else { check })
                .or_insert(check);
        }
    }
    let ended = replay.is_some_and(|replay| lab.index >= replay.last()) && !lab.veiled();
    let shown = text.split("#[cfg(test)]").next().unwrap_or(text);
    html! { { for (1_u32..).zip(shown.lines()).map(|(number, content)| {
        let is_bad = bad.is_some_and(|source| source.line == number);
        let is_here = here == Some(number);
        let (class, sign) = if is_bad {
            ("bad", gutter("nop", "M3 3l6 6M9 3l-6 6"))
        } else if is_here {
            ("exec", gutter("exg", "M3 2l6 4-6 4z"))
        } else if ran.contains(&number) {
            ("ok", gutter("okp", "M2.5 6.3l2.3 2.3 4.7-5"))
        } else if let Some(check) = asked.get(&number) {
            if check.goal { ("asked", gutter("skp", "M3.5 6h5")) } else { ("asked", gutter("inf", "M6 5.6v3.2M6 3.2v.1")) }
        } else {
            ("", Html::default())
        };
        html! { <>
            { line(number as usize, content, classes!(class), sign, is_bad.then_some("failing-line")) }
            if let (true, Some(check), Some(replay)) = (is_bad, failing, replay) { { told(replay, check, lab.lang) } }
            if let Some(check) = asked.get(&number).filter(|check| !check.goal) { { informs(lab.scenario(), check, ended, lab.lang) } }
        </> }
    }) } }
}

/// What a check says that the goal does not need: never as failed or held.
fn informs(scenario: ScenarioId, check: &Check, ended: bool, lang: Lang) -> Html {
    html! {
        <div class="who inform" key={format!("informs-{}", check.id)} title={ui::INFORMS_HOW.get(lang)} data-testid="informs">
            <em>{ ui::INFORMS.get(lang) }</em>{ names::check(scenario, &check.id, lang) }
            if ended { { ": " }{ counted(check, lang) } }
        </div>
    }
}

/// What was seen, what was wanted, and when.
fn told(replay: &Replay, check: &Check, lang: Lang) -> Html {
    let index = replay.broken_at(check);
    let wanted = match check.wanted {
        Bound::AtMost(most) => ui::AT_MOST.with(lang, &[&grouped(most)]),
        Bound::AtLeast(least) => ui::AT_LEAST.with(lang, &[&grouped(least)]),
        Bound::Exactly(wanted) => ui::EXACTLY.with(lang, &[&grouped(wanted)]),
    };
    let seen = counted(check, lang);
    let first = sentence::sentence(replay, index, lang).replace("**", "");
    html! {
        <div class="fail" data-testid="failure">
            <b>{ names::check(replay.spec.scenario, &check.id, lang) }</b>
            <dl>
                <dt>{ ui::SEEN.get(lang) }</dt><dd>{ seen }</dd>
                <dt>{ ui::WANTED.get(lang) }</dt><dd>{ wanted }</dd>
                <dt>{ ui::WHEN.get(lang) }</dt>
                <dd>{ replay.event(index).map_or_else(String::new, |event| moment(event.at)) }</dd>
            </dl>
            <p>{ first }</p>
        </div>
    }
}

fn foot(lab: &UseReducerHandle<Lab>) -> Html {
    let lang = lab.lang;
    let Some(violation) = lab.shown().and_then(|replay| replay.first_violation()) else {
        return Html::default();
    };
    let (go, causes) = (lab.dispatcher(), lab.dispatcher());
    html! {
        <div class="foot">
            <div class="acts">
                <button class="btn pri" data-testid="go-to-violation"
                    onclick={move |_| go.dispatch(Action::Seek(violation))}>{ ui::GO_TO_VIOLATION.get(lang) }</button>
                <button class="btn" data-testid="only-causes" onclick={move |_| {
                    causes.dispatch(Action::Seek(violation));
                    causes.dispatch(Action::CausesOnly(true));
                    causes.dispatch(Action::Tab(Tab::Events));
                }}>{ ui::ONLY_CAUSES.get(lang) }</button>
            </div>
            <p class="note"><b>{ ui::WHY_IT_FAILS.get(lang) }</b>{ " " }{ lesson::told(&lab.spec, |words| words.why, lang) }</p>
        </div>
    }
}
