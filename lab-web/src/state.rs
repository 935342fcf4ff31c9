//! The state of the view, and everything that can be done to it: one reducer, no drawing, no clocks.
//!
//! A run is a value ([`RunSpec`]); what is shown is a run and an index into its trace. Everything that must
//! outlive a reload is in the link ([`crate::link`]) or in [`crate::progress`].

mod action;
mod question;
mod recorded;
mod speed;
mod step;

use std::rc::Rc;

use lab_core::report::WorldKind;
use lab_core::scenario::{RunSpec, ScenarioId, Settings};
use lab_core::trace::OperationId;
use lab_core::value::Instant;
use yew::Reducible;

pub(crate) use action::Action;
pub(crate) use speed::SPEEDS;
pub(crate) use step::{Step, Tab};

use crate::link::Link;
use crate::progress::{Mark, Progress};
use crate::replay::Replay;
use crate::ruler::View;
use crate::text::{Lang, ui};
use speed::default_speed;

/// The state of the view.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is its own switch of the view; no two exclude each other"
)]
pub(crate) struct Lab {
    /// The language of every word.
    pub(crate) lang: Lang,
    /// The theme that was chosen; the system's own where none was.
    pub(crate) dark: Option<bool>,
    /// Whether single letters are keys.
    pub(crate) letters: bool,
    /// The run that is wanted.
    pub(crate) spec: RunSpec,
    /// The step of the lesson.
    pub(crate) step: Step,
    /// The panel.
    pub(crate) tab: Tab,
    /// Which world's run is shown.
    pub(crate) world: WorldKind,
    /// The simulated run.
    pub(crate) simulated: Option<Rc<Replay>>,
    /// The run of the lesson's own code with the same seed and settings: the "before", and the truth of the question.
    pub(crate) baseline: Option<Rc<Replay>>,
    /// The recorded run.
    pub(crate) recorded: Option<Rc<Replay>>,
    /// Why the simulator has no run to show.
    pub(crate) failure: Option<String>,
    /// How often a run that failed was asked for again.
    pub(crate) retries: u32,
    /// The event that is shown.
    pub(crate) index: usize,
    /// The instant that is shown: at the event, or after it while playing.
    pub(crate) now: Instant,
    /// Whether time runs.
    pub(crate) playing: bool,
    /// Where playing stops by itself.
    pub(crate) stop_at: Option<usize>,
    /// The place of the speed in [`SPEEDS`].
    pub(crate) speed: usize,
    /// The answer that is picked and not yet given.
    pub(crate) picked: Option<usize>,
    /// Whether the hint is shown.
    pub(crate) hint: bool,
    /// Earlier policies, seeds and settings, for Undo.
    pub(crate) undo: Vec<RunSpec>,
    /// The request that the Code panel follows, where one was chosen.
    pub(crate) followed: Option<OperationId>,
    /// Whether the Events list shows only the causes of the current event.
    pub(crate) causes_only: bool,
    /// What the learner has done so far.
    pub(crate) progress: Progress,
    /// How often all of it was to be forgotten: each time, what the browser has kept is to be taken away.
    pub(crate) forgotten: u32,
    /// Lessons whose run was looked at without a prediction: there is nothing left to predict in them.
    skipped: Vec<ScenarioId>,
    /// Things to say: ignored parts of a link.
    pub(crate) notices: Vec<String>,
    /// A link to this view that the browser does not copy: it is shown, to be copied by hand.
    pub(crate) by_hand: Option<String>,
    /// Whether it was said that the browser keeps no progress.
    storage_told: bool,
    /// How often a step or a lesson was gone to: each time, the focus follows.
    pub(crate) arrivals: u32,
    /// Whether the course is open on a narrow screen.
    pub(crate) rail_open: bool,
    /// Whether the list of keys is open.
    pub(crate) keys_open: bool,
    /// What the timeline shows.
    pub(crate) view: View,
    /// The event that a link asked for, until the run is there.
    asked: Option<usize>,
    /// The digest that the wanted run must have, until it is there.
    promised: Option<Promise>,
}

/// Who says which digest the simulator's run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// A shared link.
    Shared(u32),
    /// A recording of the simulator.
    Recorded(u32),
}

impl Lab {
    /// The state that a link opens.
    pub(crate) fn new(link: &Link, lang: Lang, dark: Option<bool>, progress: Progress) -> Self {
        let mut lab = Self {
            lang,
            dark,
            letters: true,
            spec: link.spec.clone(),
            step: link.step,
            tab: link.tab,
            world: WorldKind::Sim,
            simulated: None,
            baseline: None,
            recorded: None,
            failure: None,
            retries: 0,
            index: 0,
            now: Instant(0),
            playing: false,
            stop_at: None,
            speed: default_speed(link.spec.scenario),
            picked: None,
            hint: false,
            undo: Vec::new(),
            followed: None,
            causes_only: false,
            progress,
            forgotten: 0,
            skipped: Vec::new(),
            notices: Vec::new(),
            by_hand: None,
            storage_told: false,
            arrivals: 0,
            rail_open: false,
            keys_open: false,
            view: View::default(),
            asked: None,
            promised: None,
        };
        lab.open(link.clone());
        lab
    }

    /// The run that is shown.
    pub(crate) fn shown(&self) -> Option<&Rc<Replay>> {
        match self.world {
            WorldKind::Sim => self.simulated.as_ref(),
            // A recording is of one policy, seed and settings; under others it would show what did not happen.
            WorldKind::Real => self.recorded.as_ref().filter(|replay| replay.spec == self.spec),
        }
    }

    /// The scenario.
    pub(crate) fn scenario(&self) -> ScenarioId {
        self.spec.scenario
    }

    /// The last event that may be shown.
    pub(crate) fn horizon(&self) -> usize {
        let Some(replay) = self.shown() else { return 0 };
        if self.veiled() { replay.act() } else { replay.last() }
    }

    /// The lesson's own code: the first preset, at its own settings and seed 1.
    pub(crate) fn lesson_spec(scenario: ScenarioId) -> RunSpec {
        let preset = &scenario.scenario().presets[0];
        RunSpec {
            scenario,
            policy: (preset.policy)(),
            seed: preset.breaking_seed.unwrap_or(1),
            settings: Settings::defaults(scenario),
            interventions: Vec::new(),
        }
    }

    /// The lesson's own code with the seed and settings of now.
    pub(crate) fn baseline_spec(&self) -> RunSpec {
        RunSpec { policy: Self::lesson_spec(self.scenario()).policy, ..self.spec.clone() }
    }

    /// This view as a link.
    pub(crate) fn link(&self) -> Link {
        Link {
            spec: self.spec.clone(),
            step: self.step,
            tab: self.tab,
            at: Some(self.index),
            digest: self.simulated.as_ref().map(|replay| replay.digest),
            ignored: Vec::new(),
        }
    }

    fn open(&mut self, link: Link) {
        let promised = link.digest.map(Promise::Shared);
        self.open_promised(link, promised);
    }

    fn open_promised(&mut self, link: Link, promised: Option<Promise>) {
        if link.spec.scenario != self.spec.scenario {
            self.forget_runs();
            self.speed = default_speed(link.spec.scenario);
        }
        self.forget_place();
        self.notices = link.told(self.lang);
        self.step = link.step;
        self.tab = link.tab;
        self.world = if link.step == Step::Real { WorldKind::Real } else { WorldKind::Sim };
        self.playing = false;
        self.promised = promised;
        // After a change the run before stands there until the new one is computed: it is not the one that is meant.
        let there =
            self.simulated.clone().filter(|replay| self.spec == link.spec && replay.spec == link.spec);
        if let Some(replay) = there {
            self.hold_to_promise(replay.digest);
            self.seek(link.at.unwrap_or(self.index));
        } else {
            self.asked = link.at;
            self.spec = link.spec;
            self.simulated = None;
        }
    }

    /// Says whether the simulator's run is the one that was promised, if one was.
    fn hold_to_promise(&mut self, digest: u32) {
        let told = match self.promised.take() {
            Some(Promise::Recorded(promised)) if promised == digest => ui::FILE_SIMULATED,
            Some(Promise::Recorded(_)) => ui::FILE_SIMULATED_DIFFERS,
            Some(Promise::Shared(promised)) if promised != digest => ui::RUN_CHANGED,
            Some(Promise::Shared(_)) | None => return,
        };
        self.notices.push(told.get(self.lang).to_owned());
    }

    /// What belongs to the run that was shown, and would be wrong for another.
    fn forget_place(&mut self) {
        self.asked = None;
        self.promised = None;
        self.followed = None;
        self.causes_only = false;
        self.failure = None;
    }

    fn forget_runs(&mut self) {
        self.simulated = None;
        self.baseline = None;
        self.recorded = None;
        self.undo.clear();
        self.picked = None;
        self.hint = false;
        self.forget_place();
    }

    fn seek(&mut self, index: usize) {
        self.index = index.min(self.horizon());
        self.playing = false;
        self.stop_at = None;
        if let Some(event) = self.shown().and_then(|replay| replay.event(self.index)) {
            self.now = event.at;
        }
    }

    fn go_to(&mut self, step: Step) {
        self.step = step;
        self.tab = step.tab();
        self.playing = false;
        self.arrivals += 1;
        self.show(if step == Step::Real { WorldKind::Real } else { WorldKind::Sim });
        let Some(replay) = self.shown().cloned() else { return };
        match step {
            Step::Predict if self.veiled() => self.seek(replay.act()),
            Step::Fail => match replay.first_violation() {
                Some(violation) => {
                    self.seek(violation);
                    self.saw_red();
                }
                None => self.seek(replay.last()),
            },
            Step::Hold => self.seek(replay.last()),
            Step::Predict | Step::Through | Step::Real => self.seek(self.index),
        }
    }

    /// Shows the run of that world. Whose causes were shown in the other one says nothing here.
    fn show(&mut self, world: WorldKind) {
        if self.world != world {
            self.world = world;
            self.causes_only = false;
        }
    }

    fn computed(&mut self, replay: &Rc<Replay>) {
        if replay.spec != self.spec {
            return;
        }
        let first = self.simulated.is_none();
        self.hold_to_promise(replay.digest);
        self.simulated = Some(replay.clone());
        self.failure = None;
        if self.world != WorldKind::Sim {
            return;
        }
        match self.asked.take() {
            Some(at) => self.seek(at),
            None if self.step == Step::Hold => self.seek(replay.last()),
            None if self.step == Step::Fail => self.seek(replay.first_violation().unwrap_or(replay.last())),
            None if first => self.seek(replay.act()),
            None => self.seek(replay.index_at(self.now)),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut RunSpec)) {
        let before = self.spec.clone();
        change(&mut self.spec);
        if self.spec != before {
            self.undo.push(before);
            self.forget_place();
            self.world = WorldKind::Sim;
            if self.step == Step::Real {
                self.step = Step::Hold;
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let Some(replay) = self.shown().cloned() else { return };
        let end = self.stop_at.unwrap_or(self.horizon()).min(self.horizon());
        let index = replay.index_at(now).max(self.index);
        if index >= end {
            let stopped_at_violation = self.stop_at.is_some();
            self.seek(end);
            if stopped_at_violation {
                self.saw_red();
            }
        } else {
            self.index = index;
            self.now = now;
        }
    }

    fn move_where(&mut self, by: isize, wanted: impl Fn(usize) -> bool) {
        let end = self.horizon();
        let found = if by > 0 {
            (self.index + 1..=end).find(|index| wanted(*index))
        } else {
            (0..self.index).rev().find(|index| wanted(*index))
        };
        self.seek(found.unwrap_or(self.index));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open(link) => self.open(link),
            Action::Lesson(scenario) => {
                self.rail_open = false;
                self.arrivals += 1;
                self.open(Link::start(scenario));
            }
            Action::Step(step) => self.go_to(step),
            Action::Tab(tab) => self.tab = tab,
            Action::World(WorldKind::Real) => self.go_to(Step::Real),
            Action::World(WorldKind::Sim) => {
                self.show(WorldKind::Sim);
                if self.step == Step::Real {
                    self.step = Step::Through;
                }
                self.seek(self.index);
            }
            Action::Computed(replay) => self.computed(&replay),
            Action::Baseline(replay) => self.baseline = Some(replay),
            Action::Failed(why) => {
                // The run before must not stand there as if it were this one's.
                self.simulated = None;
                self.failure = Some(why);
            }
            Action::Retry => {
                self.failure = None;
                self.retries += 1;
            }
            Action::Recorded(replay) => self.recorded(replay),
            Action::Opened(recording) => self.opened(&recording),
            Action::AllGreen => self.progress.mark(self.scenario(), Mark::Green),
            Action::Switch(switch, on) => self.change(|spec| switch.set(&mut spec.policy, on)),
            Action::Preset(policy) => self.change(|spec| spec.policy = policy),
            Action::Seed(seed) => self.change(|spec| spec.seed = seed),
            Action::Knob(name, value) => {
                let scenario = self.scenario();
                let mut settings = self.spec.settings.clone();
                match settings.set(scenario, name, value) {
                    Ok(()) => self.change(|spec| spec.settings = settings),
                    Err(error) => self.notices.push(error.to_string()),
                }
            }
            Action::Undo => {
                if let Some(before) = self.undo.pop() {
                    self.spec = before;
                    self.forget_place();
                }
            }
            Action::Reset => {
                let start = Self::lesson_spec(self.scenario());
                self.change(|spec| *spec = start);
            }
            time_or_view => self.act_on_view(time_or_view),
        }
    }

    fn act_on_view(&mut self, action: Action) {
        match action {
            Action::Lang(lang) => self.lang = lang,
            Action::Dark(dark) => self.dark = Some(dark),
            Action::Letters(on) => self.letters = on,
            Action::Seek(index) => self.seek(index),
            Action::Scrub(at) => {
                let index = self.shown().map_or(0, |replay| replay.index_at(at));
                self.seek(index);
            }
            Action::Move(by) => self.seek(self.index.saturating_add_signed(by)),
            Action::MoveSame(by) => {
                let Some(replay) = self.shown().cloned() else { return };
                let actor = replay.event(self.index).map(|event| event.actor);
                self.move_where(by, |index| replay.event(index).map(|event| event.actor) == actor);
            }
            Action::Trouble(by) => {
                let trouble = self.shown().map_or_else(Vec::new, |replay| replay.trouble());
                self.move_where(by, |index| trouble.binary_search(&index).is_ok());
            }
            Action::Play(on) => self.play(on),
            Action::Tick(now) => self.tick(now),
            Action::Speed(place) => self.speed = place.min(SPEEDS.len() - 1),
            Action::Pick(answer) => self.picked = Some(answer).filter(|_| !self.closed()),
            Action::Reveal => self.reveal(),
            Action::Hint => self.hint = !self.hint,
            Action::Follow(operation) => self.followed = operation,
            Action::CausesOnly(only) => self.causes_only = only,
            Action::Import(progress) => {
                self.progress.add(progress);
                self.notices.push(ui::PROGRESS_IMPORTED.get(self.lang).to_owned());
            }
            Action::Forget => {
                self.progress = Progress::default();
                self.forgotten += 1;
                self.picked = None;
                self.skipped.clear();
                self.go_to(Step::Predict);
            }
            Action::NotKept => {
                if !std::mem::replace(&mut self.storage_told, true) {
                    self.notices.push(ui::NOT_KEPT.get(self.lang).to_owned());
                }
            }
            Action::ByHand(link) => self.by_hand = Some(link),
            Action::Notice(notice) => self.notices.push(notice),
            Action::Dismiss => {
                self.notices.clear();
                self.by_hand = None;
            }
            Action::Rail(open) => self.rail_open = open,
            Action::Keys(open) => self.keys_open = open,
            Action::View(view) => self.view = view,
            other => unreachable!("{other:?} was handled before"),
        }
    }

    fn play(&mut self, on: bool) {
        if on && self.index >= self.horizon() {
            self.seek(0);
        }
        self.playing = on;
        if !on {
            self.seek(self.index);
        }
    }
}

impl Reducible for Lab {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut next = (*self).clone();
        next.act(action);
        next.notice_skipping();
        Rc::new(next)
    }
}
