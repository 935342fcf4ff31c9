//! The course: fifteen lessons by chapter, with the learner's progress.

use lab_core::scenario::{COURSE, Chapter, Lesson, ScenarioId};
use web_sys::Element;
use yew::prelude::*;

use super::marks::{Icon, icon, progress_mark};
use super::progress_menu::ProgressMenu;
use super::top_bar::Preferences;
use crate::hooks::focus;
use crate::progress::{Mark, Progress};
use crate::state::{Action, Lab};
use crate::text::{Lang, lesson, ui};

const CHAPTERS: [Chapter; 5] =
    [Chapter::Freshness, Chapter::HerdsAndLocks, Chapter::Consistency, Chapter::Failure, Chapter::Growth];

/// What the rail shows: nothing of it changes while a run is stepped through.
#[derive(Properties, PartialEq)]
pub(crate) struct RailProps {
    /// The lesson that is open.
    pub(crate) scenario: ScenarioId,
    /// What the learner has done.
    pub(crate) progress: Progress,
    /// Whether the course is open on a narrow screen.
    pub(crate) open: bool,
    /// The language.
    pub(crate) lang: Lang,
    /// The theme that was chosen, if any.
    pub(crate) dark: Option<bool>,
    /// Where actions go.
    pub(crate) dispatcher: UseReducerDispatcher<Lab>,
}

/// The rail.
#[component]
pub(crate) fn Rail(props: &RailProps) -> Html {
    let lang = props.lang;
    let help = ui::KEYS_TITLE.get(lang);
    let keys = {
        let dispatcher = props.dispatcher.clone();
        move |_: MouseEvent| {
            dispatcher.dispatch(Action::Rail(false));
            dispatcher.dispatch(Action::Keys(true));
        }
    };
    // The lessons to come are one stop on the way through the page; up and down go from lesson to lesson.
    let stop = use_state(|| COURSE.iter().find(|lesson| lesson.scenario.is_none()).map(|lesson| lesson.slug));
    let onfocusin = {
        let stop = stop.setter();
        Callback::from(move |event: FocusEvent| {
            let slug = event.target_dyn_into::<Element>().and_then(|line| line.get_attribute("data-slug"));
            let lesson = COURSE.iter().find(|lesson| slug.as_deref() == Some(lesson.slug));
            if let Some(lesson) = lesson.filter(|lesson| lesson.scenario.is_none()) {
                stop.set(Some(lesson.slug));
            }
        })
    };
    html! {
        <nav class={classes!("rail", props.open.then_some("open"))} aria-label={ui::COURSE.get(lang)}>
            { summary(props) }
            <div class="chs" {onfocusin} onkeydown={|event: KeyboardEvent| to_next_lesson(&event)}>
                { for CHAPTERS.iter().map(|chapter| html! { <>
                    <h2>{ lesson::chapter(*chapter).get(lang) }</h2>
                    { for COURSE.iter().filter(|lesson| lesson.chapter == *chapter).map(|lesson| line(props, lesson, *stop)) }
                </> }) }
                <div class="ch sandbox soon">
                    <span class="n">{ icon(Icon::Plus) }</span>
                    <span class="tt">{ ui::SANDBOX.get(lang) }</span>
                    <small class="coming">{ ui::COMING.get(lang) }</small>
                </div>
            </div>
            <div class="prefs">
                <Preferences {lang} dark={props.dark} in_bar=false dispatcher={props.dispatcher.clone()} />
                <button class="btn sq" aria-label={help} title={help} onclick={keys}>{ "?" }</button>
            </div>
            <div class="rleg">
                <span>{ progress_mark(Mark::Todo) }{ ui::MARK_TODO.get(lang) }</span>
                <span>{ progress_mark(Mark::Red) }{ ui::MARK_RED.get(lang) }</span>
                <span>{ progress_mark(Mark::Green) }{ ui::MARK_GREEN.get(lang) }</span>
                <span>{ progress_mark(Mark::Real) }{ ui::MARK_REAL.get(lang) }</span>
            </div>
            <ProgressMenu progress={props.progress.clone()} {lang} dispatcher={props.dispatcher.clone()} />
        </nav>
    }
}

/// How far a lesson of the course is; one that is still coming cannot have begun.
fn mark(progress: &Progress, lesson: &Lesson) -> Mark {
    lesson.scenario.map_or(Mark::Todo, |id| progress.of(id))
}

/// How much of the course is green.
fn summary(props: &RailProps) -> Html {
    let (lang, progress) = (props.lang, &props.progress);
    let green = COURSE.iter().filter(|lesson| mark(progress, lesson) >= Mark::Green).count();
    html! {
        <div class="prog">
            <div>
                <b>{ ui::COURSE.get(lang) }</b>
                <span>{ ui::GREEN_OF.with(lang, &[&green.to_string(), &COURSE.len().to_string()]) }</span>
            </div>
            <div class="pbar">
                { for COURSE.iter().map(|lesson| html! { <i class={bar_class(mark(progress, lesson))}></i> }) }
            </div>
        </div>
    }
}

/// A lesson, to be opened.
fn line(props: &RailProps, own: &'static Lesson, stop: Option<&'static str>) -> Html {
    let lang = props.lang;
    let current = own.scenario == Some(props.scenario);
    let title = own.title(lang);
    let dispatcher = props.dispatcher.clone();
    let onclick = move |_| match own.scenario {
        Some(scenario) => dispatcher.dispatch(Action::Lesson(scenario)),
        None => dispatcher.dispatch(Action::Notice(lesson::coming(lang))),
    };
    html! {
        <button class={classes!("ch", current.then_some("cur"), own.scenario.is_none().then_some("soon"))}
            onclick={onclick} aria-current={current.then_some("page")} data-testid={format!("lesson-{}", own.slug)}
            data-slug={own.slug} tabindex={(own.scenario.is_none() && stop != Some(own.slug)).then_some("-1")} title={title}>
            <span class="n">{ own.number }</span>
            <span class="tt">{ title }</span>
            if own.scenario.is_some() {
                { progress_mark(mark(&props.progress, own)) }
            } else {
                <small class="coming">{ ui::COMING.get(lang) }</small>
            }
        </button>
    }
}

/// Up and down go to the lesson before and after.
fn to_next_lesson(event: &KeyboardEvent) {
    let by: isize = match event.key().as_str() {
        "ArrowDown" => 1,
        "ArrowUp" => -1,
        _ => return,
    };
    let own = event.target_dyn_into::<Element>().and_then(|line| line.get_attribute("data-slug"));
    let place = COURSE.iter().position(|lesson| own.as_deref() == Some(lesson.slug));
    let next = place.and_then(|place| COURSE.get(place.checked_add_signed(by)?));
    if let Some(next) = next {
        event.prevent_default();
        focus(&format!("[data-slug={}]", next.slug), true);
    }
}

fn bar_class(mark: Mark) -> &'static str {
    match mark {
        Mark::Todo => "p-todo",
        Mark::Red => "p-red",
        Mark::Green => "p-green",
        Mark::Real => "p-real",
    }
}
