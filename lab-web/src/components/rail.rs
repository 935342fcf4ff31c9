//! The course: fifteen lessons by chapter, with the learner's progress.

use lab_core::scenario::{COURSE, Chapter, Lesson, ScenarioId};
use yew::prelude::*;

use super::marks::{Icon, icon, progress_mark};
use super::progress_menu::ProgressMenu;
use super::top_bar::Preferences;
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
    html! {
        <nav class={classes!("rail", props.open.then_some("open"))} aria-label={ui::COURSE.get(lang)}>
            { summary(props) }
            <div class="chs">
                { for CHAPTERS.iter().map(|chapter| html! { <>
                    <h4>{ lesson::chapter(*chapter).get(lang) }</h4>
                    { for COURSE.iter().filter(|lesson| lesson.chapter == *chapter).map(|lesson| line(props, lesson)) }
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
fn line(props: &RailProps, own: &'static Lesson) -> Html {
    let lang = props.lang;
    let current = own.scenario == Some(props.scenario);
    let title = lesson::title(own.slug, own.title, lang);
    let dispatcher = props.dispatcher.clone();
    let onclick = move |_| match own.scenario {
        Some(scenario) => dispatcher.dispatch(Action::Lesson(scenario)),
        None => dispatcher.dispatch(Action::Notice(ui::COMING_LESSON.get(lang).to_owned())),
    };
    html! {
        <button class={classes!("ch", current.then_some("cur"), own.scenario.is_none().then_some("soon"))}
            onclick={onclick} aria-current={current.then_some("page")} data-testid={format!("lesson-{}", own.slug)}
            title={title}>
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

fn bar_class(mark: Mark) -> &'static str {
    match mark {
        Mark::Todo => "p-todo",
        Mark::Red => "p-red",
        Mark::Green => "p-green",
        Mark::Real => "p-real",
    }
}
