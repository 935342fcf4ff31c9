//! What a screen reader is told without being asked: the sentence of the event, and the verdicts. It is silent while
//! time runs and while seeds are tried, for then every word would be cut off by the next one.

use std::rc::Rc;

use yew::prelude::*;

use super::results::verdict_words;
use super::seed_grid::seeds_words;
use crate::state::Lab;
use crate::text::sentence;
use crate::verdict::Tally;

/// What there is to be told.
#[derive(Properties, PartialEq)]
pub(crate) struct SpokenProps {
    /// The state of the view.
    pub(crate) lab: UseReducerHandle<Lab>,
    /// The verdict over many seeds.
    pub(crate) tally: Rc<Tally>,
}

/// The regions: each speaks when its own words change.
#[component]
pub(crate) fn Spoken(SpokenProps { lab, tally }: &SpokenProps) -> Html {
    let lang = lab.lang;
    let resting = lab.shown().filter(|_| !lab.playing);
    let event = resting.map(|replay| sentence::sentence(replay, lab.index, lang).replace("**", ""));
    let verdict = resting.and_then(|replay| verdict_words(replay, lab.index, lab.veiled(), lang));
    let seeds = (!tally.running && !lab.veiled() && tally.is_about(&lab.spec))
        .then(|| seeds_words(tally, lang))
        .flatten();
    html! {
        <div class="unseen">
            <p role="status" data-testid="spoken-event">{ event }</p>
            <p role="status" data-testid="spoken-verdict">{ verdict }</p>
            <p role="status" data-testid="spoken-seeds">{ seeds }</p>
        </div>
    }
}
