//! The panel on the right: five tabs over one pane.

use yew::prelude::*;

use super::panel_code::PanelCode;
use super::panel_events::PanelEvents;
use super::panel_policy::PanelPolicy;
use super::panel_story::PanelStory;
use super::panel_test::PanelTest;
use super::real_cluster::RealCluster;
use crate::hooks::{Real, Verdicts, focus};
use crate::state::{Action, Lab, Step, Tab};
use crate::text::{Text, ui};

/// What the panel shows.
#[derive(Properties, PartialEq)]
pub(crate) struct PanelProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
    /// The verdict over many seeds.
    pub(crate) verdicts: Verdicts,
    /// The real cluster.
    pub(crate) real: Real,
}

fn tab_name(tab: Tab) -> Text {
    match tab {
        Tab::Story => ui::TAB_STORY,
        Tab::Test => ui::TAB_TEST,
        Tab::Code => ui::TAB_CODE,
        Tab::Policy => ui::TAB_POLICY,
        Tab::Events => ui::TAB_EVENTS,
    }
}

/// The panel.
#[component]
pub(crate) fn Panel(props: &PanelProps) -> Html {
    let lab = &props.lab;
    let lang = lab.lang;
    let pane = match lab.tab {
        Tab::Story => html! { <PanelStory lab={lab.clone()} /> },
        Tab::Test => html! { <PanelTest lab={lab.clone()} /> },
        Tab::Code => html! { <PanelCode lab={lab.clone()} /> },
        Tab::Policy => html! { <PanelPolicy lab={lab.clone()} verdicts={props.verdicts.clone()} /> },
        Tab::Events => html! { <>
            if lab.step == Step::Real { <RealCluster lab={lab.clone()} real={props.real.clone()} /> }
            <PanelEvents lab={lab.clone()} />
        </> },
    };
    html! {
        <aside class="panel" id="panel" aria-label={ui::TABS_LABEL.get(lang)}>
            <div class="ptabs" role="tablist" onkeydown={turn(lab)}>
                { for Tab::ALL.into_iter().map(|tab| {
                    let on = tab == lab.tab;
                    let dispatcher = lab.dispatcher();
                    html! {
                        <button role="tab" class={classes!(on.then_some("on"))} aria-selected={on.to_string()}
                            id={format!("tab-{}", tab.slug())} aria-controls="pane" tabindex={if on { "0" } else { "-1" }}
                            data-testid={format!("tab-{}", tab.slug())}
                            onclick={move |_| dispatcher.dispatch(Action::Tab(tab))}>
                            { tab_name(tab).get(lang) }
                        </button>
                    }
                }) }
            </div>
            <div class="panes" role="tabpanel" id="pane" tabindex="0" aria-labelledby={format!("tab-{}", lab.tab.slug())}>{ pane }</div>
        </aside>
    }
}

/// Left and right turn to the next tab, and the focus with them: the tabs are one stop on the way through the page.
fn turn(lab: &UseReducerHandle<Lab>) -> Callback<KeyboardEvent> {
    let (dispatcher, place) =
        (lab.dispatcher(), Tab::ALL.iter().position(|tab| *tab == lab.tab).unwrap_or(0));
    Callback::from(move |event: KeyboardEvent| {
        let all = Tab::ALL.len();
        let to = match event.key().as_str() {
            "ArrowRight" => (place + 1) % all,
            "ArrowLeft" => (place + all - 1) % all,
            "Home" => 0,
            "End" => all - 1,
            _ => return,
        };
        event.prevent_default();
        dispatcher.dispatch(Action::Tab(Tab::ALL[to]));
        focus(&format!("#tab-{}", Tab::ALL[to].slug()), true);
    })
}
