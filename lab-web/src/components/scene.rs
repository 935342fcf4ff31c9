//! What the parts of the stage draw from, and how they measure and shorten words. It draws nothing.

use lab_core::cluster::Role;
use lab_core::trace::Actor;
use lab_core::value::Instant;
use lab_core::world::Fault;

use crate::replay::Replay;
use crate::stage::{Capsule, Geometry};
use crate::stage_state::StageState;
use crate::text::{Lang, ui};

/// What the parts of the stage draw from.
pub(crate) struct Scene<'a> {
    /// The run.
    pub(crate) replay: &'a Replay,
    /// Contents at the event.
    pub(crate) state: &'a StageState,
    /// Where things stand.
    pub(crate) geometry: &'a Geometry,
    /// The event.
    pub(crate) index: usize,
    /// The instant.
    pub(crate) now: Instant,
    /// The language.
    pub(crate) lang: Lang,
    /// The actor of the event.
    pub(crate) actor: Option<Actor>,
    /// Messages under way.
    pub(crate) capsules: &'a [Capsule],
}

impl Scene<'_> {
    /// What is wrong with a node, as its box is drawn: it is dead, or stands still.
    pub(crate) fn trouble(&self, actor: Actor) -> Option<&'static str> {
        let is_paused = || self.state.faults.contains(&Fault::Pause(actor));
        if self.is_down(actor) { Some("down") } else { is_paused().then_some("paused") }
    }

    /// The same in a word, with how that is written.
    pub(crate) fn trouble_word(&self, actor: Actor) -> Option<(&'static str, &'static str)> {
        self.trouble(actor).map(|trouble| match trouble {
            "down" => ("t11 err", ui::DOWN_WORD.get(self.lang)),
            _ => ("t11 stalec", ui::FAULT_PAUSED.get(self.lang)),
        })
    }

    /// The role that a Redis node has and did not begin with, in a word.
    pub(crate) fn new_role(&self, actor: Actor) -> Option<&'static str> {
        self.state.roles.get(&actor).map(|role| match role {
            Role::Master => ui::MASTER.get(self.lang),
            Role::Replica => ui::REPLICA.get(self.lang),
        })
    }

    /// Whether a node was killed.
    pub(crate) fn is_down(&self, actor: Actor) -> bool {
        self.state.down.contains(&actor)
    }
}

/// The width of small words on the stage.
pub(crate) fn label_width(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 5.7 } else { 11.0 }).sum()
}

/// The width of a word in letters of a fixed width: a Japanese one is wider than they are.
pub(crate) fn letters(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.67 }).sum()
}

/// A key that fits into `most` letters.
pub(crate) fn shortened_key(key: &str, most: usize) -> String {
    if key.chars().count() <= most {
        return key.to_owned();
    }
    key.chars().take(most - 1).chain(std::iter::once('…')).collect()
}
