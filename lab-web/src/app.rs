//! The whole screen: one reducer, the effects, and the frame that the components stand in.

use lab_core::cluster::Topology;
use lab_core::report::WorldKind;
use lab_core::value::Instant;
use yew::prelude::*;

use crate::components::faults::Faults;
use crate::components::panel::Panel;
use crate::components::rail::Rail;
use crate::components::results::Results;
use crate::components::sheet::{KeySheet, Notices};
use crate::components::spoken::Spoken;
use crate::components::stage::Stage;
use crate::components::timeline::Timeline;
use crate::components::top_bar::TopBar;
use crate::components::transport::{Narration, Transport};
use crate::hooks::{
    first, use_kept, use_keys, use_link, use_page, use_playing, use_real, use_run, use_size, use_verdict,
};
use crate::replay::Shown;
use crate::stage::Fit;
use crate::state::{Action, Lab};
use crate::text::ui;

/// The lab.
#[component]
pub(crate) fn App() -> Html {
    let lab = use_reducer(first);
    use_link(&lab);
    use_run(&lab);
    use_playing(&lab);
    use_keys(&lab);
    use_kept(&lab);
    use_page(&lab);
    let verdicts = use_verdict();
    let real = use_real(&lab);
    {
        let (dispatcher, green) =
            (lab.dispatcher(), verdicts.tally.all_green() && verdicts.tally.is_about(&lab.spec));
        use_effect_with(green, move |green| {
            if *green {
                dispatcher.dispatch(Action::AllGreen);
            }
        });
    }
    html! {
        <div class="app" data-step={lab.step.slug()} data-lang={lab.lang.tag()}>
            <TopBar lab={lab.clone()} />
            <Rail scenario={lab.scenario()} progress={lab.progress.clone()} open={lab.rail_open} lang={lab.lang} dark={lab.dark}
                dispatcher={lab.dispatcher()} />
            <Centre lab={lab.clone()} />
            <Panel lab={lab.clone()} verdicts={verdicts.clone()} {real} />
            <Results replay={lab.shown().cloned().map(Shown)} index={lab.index} veiled={lab.veiled()} lang={lab.lang} />
            <Spoken lab={lab.clone()} tally={verdicts.tally.clone()} />
            <Notices lab={lab.clone()} />
            if lab.keys_open { <KeySheet lab={lab.clone()} /> }
            <svg width="0" height="0" class="defs" aria-hidden="true">
                <defs>
                    <pattern id="hx" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                        <rect width="2" height="6" class="hx" />
                    </pattern>
                    <pattern id="hxs" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                        <rect width="1.5" height="4" class="hx" />
                    </pattern>
                </defs>
            </svg>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct CentreProps {
    lab: UseReducerHandle<Lab>,
}

/// The stage over the narration, the transport and the timeline.
#[component]
fn Centre(CentreProps { lab }: &CentreProps) -> Html {
    let (width, height) = use_size();
    let lang = lab.lang;
    let act = {
        let dispatcher = lab.dispatcher();
        Callback::from(move |action: Action| dispatcher.dispatch(action))
    };
    let simulated = (lab.world == WorldKind::Real).then(|| lab.simulated.clone().map(Shown)).flatten();
    let usual = Topology::default();
    let fit = Fit::of(lab.shown().map_or(&usual, |replay| &replay.topology), width, height);
    html! {
        <main class="mid" id="lesson" tabindex="-1">
            if let Some(replay) = lab.shown().cloned().map(Shown) {
                <section class="stagebox">
                    <Faults replay={replay.clone()} index={lab.index} {lang} />
                    <Stage replay={replay.clone()} index={lab.index} now={lab.now} playing={lab.playing} {lang} {fit} />
                </section>
                <section class={classes!("time", fit.folded.then_some("folded"))}>
                    <Narration lab={lab.clone()} />
                    <Transport lab={lab.clone()} />
                    <Timeline replay={replay} {simulated} index={lab.index} now={lab.now} veiled={lab.veiled()} view={lab.view}
                        folded={fit.folded} {width} {lang} {act} />
                </section>
            } else {
                { empty(lab, fit) }
            }
        </main>
    }
}

/// No run to show: it is being computed, it failed, or none was recorded yet.
fn empty(lab: &UseReducerHandle<Lab>, fit: Fit) -> Html {
    let lang = lab.lang;
    if let (WorldKind::Real, Some(simulated)) = (lab.world, &lab.simulated) {
        let replay = Shown(simulated.clone());
        return html! {
            <section class="stagebox outline" data-testid="empty">
                <p>{ ui::REAL_EMPTY.get(lang) }</p>
                <Stage {replay} index={0} now={Instant(0)} playing=false {lang} {fit} />
            </section>
        };
    }
    let retry = lab.dispatcher();
    html! {
        <section class="stagebox empty" data-testid="empty">
            if let Some(why) = &lab.failure {
                <p><b>{ ui::SIM_STOPPED.get(lang) }</b></p>
                <p class="path">{ why }</p>
                <button class="btn" onclick={move |_| retry.dispatch(Action::Retry)}>
                    { ui::RETRY.get(lang) }
                </button>
            } else {
                <p>{ ui::COMPUTING_RUN.get(lang) }</p>
            }
        </section>
    }
}
