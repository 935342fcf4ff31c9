//! Everything that can be done to the view.

use std::rc::Rc;

use lab_core::policy::{Policy, Switch};
use lab_core::recording::Recording;
use lab_core::report::WorldKind;
use lab_core::scenario::ScenarioId;
use lab_core::trace::OperationId;
use lab_core::value::Instant;

use super::{Step, Tab};
use crate::link::Link;
use crate::progress::Progress;
use crate::replay::Replay;
use crate::ruler::View;
use crate::text::Lang;

/// What can be done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Follow a link.
    Open(Link),
    /// Start another lesson.
    Lesson(ScenarioId),
    /// Go to a step.
    Step(Step),
    /// Go to a panel.
    Tab(Tab),
    /// Show the simulator's run, or the real one.
    World(WorldKind),
    /// Speak this language.
    Lang(Lang),
    /// Light or dark.
    Dark(bool),
    /// Use single letters as keys, or do not.
    Letters(bool),
    /// The simulator has run.
    Computed(Rc<Replay>),
    /// The lesson's own code has run.
    Baseline(Rc<Replay>),
    /// The simulator could not finish.
    Failed(String),
    /// Run the same again in the simulator, after it could not finish.
    Retry,
    /// A real run was followed to its end.
    Recorded(Rc<Replay>),
    /// A recording was opened from a file.
    Opened(Rc<Recording>),
    /// Show this event.
    Seek(usize),
    /// Show this instant.
    Scrub(Instant),
    /// One event on or back.
    Move(isize),
    /// The next or previous event of the actor of the current one.
    MoveSame(isize),
    /// The next or previous stale or failed answer.
    Trouble(isize),
    /// Start or stop the time.
    Play(bool),
    /// Time has passed while playing.
    Tick(Instant),
    /// Slower or faster, by its place.
    Speed(usize),
    /// Pick an answer.
    Pick(usize),
    /// Give the picked answer and play on to the first violation.
    Reveal,
    /// Show the hint.
    Hint,
    /// Turn a switch.
    Switch(Switch, bool),
    /// Take a preset.
    Preset(Policy),
    /// Take a seed.
    Seed(u64),
    /// Set a knob.
    Knob(&'static str, u64),
    /// Take the last change back.
    Undo,
    /// Take every change back.
    Reset,
    /// Follow a request in the Code panel, or the current event's.
    Follow(Option<OperationId>),
    /// Show only the causes of the current event, or everything.
    CausesOnly(bool),
    /// Every tried seed was green.
    AllGreen,
    /// Take in progress from a file.
    Import(Progress),
    /// Forget all progress.
    Forget,
    /// The browser did not keep what was learned.
    NotKept,
    /// Show a link to this view, to be copied by hand.
    ByHand(String),
    /// Say something.
    Notice(String),
    /// Stop saying it.
    Dismiss,
    /// Open or close the course.
    Rail(bool),
    /// Open or close the list of keys.
    Keys(bool),
    /// Show lanes, or the space-time diagram.
    View(View),
}
