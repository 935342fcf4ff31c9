//! The panel on the right: five tabs over one pane.

use yew::prelude::*;

use super::panel_code::PanelCode;
use super::panel_events::PanelEvents;
use super::panel_policy::PanelPolicy;
use super::panel_story::PanelStory;
use super::panel_test::PanelTest;
use super::real_cluster::RealCluster;
use crate::hooks::{Real, Verdicts};
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
        <aside class="panel">
            <div class="ptabs" role="tablist" aria-label={ui::TABS_LABEL.get(lang)}>
                { for Tab::ALL.into_iter().map(|tab| {
                    let on = tab == lab.tab;
                    let dispatcher = lab.dispatcher();
                    html! {
                        <button role="tab" class={classes!(on.then_some("on"))} aria-selected={on.to_string()}
                            id={format!("tab-{}", tab.slug())} aria-controls="pane"
                            data-testid={format!("tab-{}", tab.slug())}
                            onclick={move |_| dispatcher.dispatch(Action::Tab(tab))}>
                            { tab_name(tab).get(lang) }
                        </button>
                    }
                }) }
            </div>
            <div class="panes" role="tabpanel" id="pane" aria-labelledby={format!("tab-{}", lab.tab.slug())}>{ pane }</div>
        </aside>
    }
}
