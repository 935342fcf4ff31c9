//! The bar at the top: brand, where we are, the five steps, the world, language, theme, Share.

use lab_core::report::WorldKind;
use lab_core::scenario::ScenarioId;
use yew::prelude::*;

use super::marks::{Icon, icon};
use super::share::Share;
use crate::hooks::focus;
use crate::state::{Action, Lab, Step};
use crate::text::{Lang, Text, lesson, ui};

/// The lab, handed down to what is drawn.
#[derive(Properties, PartialEq)]
pub(crate) struct LabProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
}

/// The bar.
#[component]
pub(crate) fn TopBar(LabProps { lab }: &LabProps) -> Html {
    let lang = lab.lang;
    let scenario = lab.scenario().scenario();
    let chapter = scenario.chapter as u8 + 1;
    let title = lab.scenario().words(lang).title;
    let act = |action: Action| {
        let dispatcher = lab.dispatcher();
        Callback::from(move |_: MouseEvent| dispatcher.dispatch(action.clone()))
    };
    html! {
        <header class="top">
            <button class="skip" onclick={|_| focus("#lesson", true)} data-testid="skip">{ ui::SKIP.get(lang) }</button>
            <button class="btn sq menu" aria-label={ui::MENU.get(lang)} title={ui::MENU.get(lang)}
                aria-expanded={lab.rail_open.to_string()} onclick={act(Action::Rail(!lab.rail_open))} data-testid="menu">
                { icon(Icon::Menu) }
            </button>
            <a class="brand" href={format!("#{}/predict", ScenarioId::FIRST)} aria-label={ui::BRAND.get(lang)}>
                <svg viewBox="0 0 20 20" aria-hidden="true">
                    <rect x="2.5" y="3" width="15" height="4" rx="1.5" />
                    <rect x="2.5" y="9" width="10" height="4" rx="1.5" />
                    <rect x="2.5" y="15" width="5" height="2.5" rx="1.2" />
                </svg>
                <span>{ ui::BRAND.get(lang) }</span>
            </a>
            <div class="crumb">
                <span>{ ui::CHAPTER_SHORT.with(lang, &[&chapter.to_string()]) }</span><em>{ "·" }</em><h1>{ title }</h1>
            </div>
            <nav class="steps" aria-label={ui::STEPS_LABEL.get(lang)}>
                { for Step::ALL.into_iter().enumerate().map(|(place, step)| {
                    let current = step == lab.step;
                    html! {
                        <button class={classes!("st", current.then_some("on"))} onclick={act(Action::Step(step))}
                            aria-current={current.then_some("step")} data-testid={format!("step-{}", step.slug())}
                            title={lesson::step(step).get(lang)}>
                            <i>{ place + 1 }</i>{ " " }<span>{ lesson::step(step).get(lang) }</span>
                        </button>
                    }
                }) }
            </nav>
            <div class="tools">
                <div class="seg world" role="group" aria-label={ui::WORLD_LABEL.get(lang)}>
                    { world_button(lab, WorldKind::Sim, ui::SIMULATOR, ui::SIM_SHORT) }
                    { world_button(lab, WorldKind::Real, ui::REAL_CLUSTER, ui::REAL_SHORT) }
                </div>
                <Preferences {lang} dark={lab.dark} in_bar=true dispatcher={lab.dispatcher()} />
                <Share lab={lab.clone()} />
            </div>
        </header>
    }
}

fn world_button(lab: &UseReducerHandle<Lab>, world: WorldKind, long: Text, short: Text) -> Html {
    let on = lab.world == world;
    let dispatcher = lab.dispatcher();
    let testid = match world {
        WorldKind::Sim => "world-sim",
        WorldKind::Real => "world-real",
    };
    html! {
        <button class={classes!(on.then_some("on"))} aria-pressed={on.to_string()} data-testid={testid}
            onclick={move |_| dispatcher.dispatch(Action::World(world))}>
            <span class="long">{ long.get(lab.lang) }</span><span class="short">{ short.get(lab.lang) }</span>
        </button>
    }
}

/// What the choice of language and theme shows.
#[derive(Properties, PartialEq)]
pub(crate) struct PreferencesProps {
    /// The language.
    pub(crate) lang: Lang,
    /// The theme that was chosen; the system's own where none was.
    pub(crate) dark: Option<bool>,
    /// Whether it stands in the bar; or else in the course of a phone, where the bar has no room for it.
    pub(crate) in_bar: bool,
    /// Where actions go.
    pub(crate) dispatcher: UseReducerDispatcher<Lab>,
}

/// Language and theme. They stay as they are while a run is stepped through.
#[component]
pub(crate) fn Preferences(props: &PreferencesProps) -> Html {
    let PreferencesProps { lang, in_bar, .. } = *props;
    let dark = props.dark.unwrap_or_else(prefers_dark);
    let name = ui::THEME.get(lang);
    let act = |action: Action| {
        let dispatcher = props.dispatcher.clone();
        move |_: MouseEvent| dispatcher.dispatch(action.clone())
    };
    let button = |own: Lang, name: &'static str| {
        let on = lang == own;
        html! {
            <button class={classes!(on.then_some("on"))} lang={own.tag()} aria-pressed={on.to_string()}
                data-testid={in_bar.then(|| format!("lang-{}", own.tag()))} onclick={act(Action::Lang(own))}>
                { name }
            </button>
        }
    };
    html! { <>
        <div class="seg lang" role="group" aria-label={ui::LANGUAGE.get(lang)}>
            { button(Lang::En, "EN") }
            { button(Lang::Ja, "日本語") }
        </div>
        <button class="btn sq theme" aria-label={name} title={name} data-testid={in_bar.then_some("theme")}
            onclick={act(Action::Dark(!dark))}>
            { icon(Icon::Theme) }
        </button>
    </> }
}

/// Whether the system asks for dark colours.
pub(crate) fn prefers_dark() -> bool {
    let query = web_sys::window().and_then(|window| window.match_media("(prefers-color-scheme: dark)").ok());
    query.flatten().is_some_and(|query| query.matches())
}
