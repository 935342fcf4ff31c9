//! What a recorded run does to the view: one that was followed on real servers counts, one from a file is only shown.

use std::rc::Rc;

use lab_core::recording::Recording;
use lab_core::report::WorldKind;

use super::speed::default_speed;
use super::{Lab, Promise, Step, Tab};
use crate::link::Link;
use crate::progress::Mark;
use crate::replay::Replay;
use crate::text::ui;

impl Lab {
    /// A real run that was followed from its start to its end: it counts.
    pub(super) fn recorded(&mut self, replay: Rc<Replay>) {
        if replay.report.goal_held() && replay.report.demonstration {
            self.progress.mark(replay.spec.scenario, Mark::Real);
        }
        if replay.spec == self.spec {
            self.show_recorded(replay);
        } else {
            // Somebody went on meanwhile: they are told, and not taken back.
            self.notices.push(ui::REAL_ELSEWHERE.get(self.lang).to_owned());
            if replay.spec.scenario == self.scenario() {
                self.recorded = Some(replay);
            }
        }
    }

    /// A file that was opened by hand: it is shown as the run that it says it is, and earns nothing.
    pub(super) fn opened(&mut self, recording: &Recording) {
        if recording.world == WorldKind::Sim {
            return self.opened_simulated(recording);
        }
        let replay = crate::real::opened(recording);
        if replay.spec.scenario != self.scenario() {
            self.forget_runs();
            self.speed = default_speed(replay.spec.scenario);
        } else if replay.spec != self.spec {
            self.undo.push(self.spec.clone());
        }
        if replay.spec != self.spec {
            self.forget_place();
            self.simulated = None;
            self.spec = replay.spec.clone();
        }
        self.show_recorded(replay);
        if let Some(why) = &recording.unfinished {
            self.notices.push(ui::FILE_UNFINISHED.with(self.lang, &[why]));
        }
    }

    /// The simulator makes the run again, and says whether it became the same.
    fn opened_simulated(&mut self, recording: &Recording) {
        let spec = recording.spec.clone();
        let before = (spec.scenario == self.scenario() && spec != self.spec).then(|| self.spec.clone());
        let promised = Promise::Recorded((recording.trace.digest() >> 32) as u32);
        let (step, tab) = (Step::Through, Tab::Events);
        let link = Link { spec, step, tab, at: None, digest: None, ignored: Vec::new() };
        self.open_promised(link, Some(promised));
        self.undo.extend(before);
    }

    fn show_recorded(&mut self, replay: Rc<Replay>) {
        self.recorded = Some(replay);
        self.causes_only = false;
        self.world = WorldKind::Real;
        self.step = Step::Real;
        self.tab = Step::Real.tab();
        self.seek(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use lab_core::scenario::{RunSpec, ScenarioId};
    use lab_core::sim;

    use super::*;
    use crate::progress::Progress;
    use crate::text::{Lang, Text};

    fn lab() -> Lab {
        let link = Link::start(ScenarioId::InvalidationDelay);
        Lab::new(&link, Lang::En, None, Progress::default())
    }

    fn recording(scenario: ScenarioId, preset: &str, world: WorldKind) -> Recording {
        let spec = RunSpec::preset(scenario, preset, 9).expect("the preset exists");
        let trace = sim::run(&spec).expect("the simulator finishes").trace;
        Recording { spec, world, unfinished: None, trace }
    }

    fn followed(recording: &Recording) -> Rc<Replay> {
        crate::real::followed(recording.spec.clone(), recording.trace.events.clone(), None)
    }

    #[test]
    fn a_file_is_shown_as_the_run_that_it_says_it_is_and_earns_nothing() {
        let mut lab = lab();
        let recording = recording(ScenarioId::StampedeLock, "lock", WorldKind::Real);
        lab.opened(&recording);
        assert_eq!(lab.spec, recording.spec);
        assert_eq!((lab.world, lab.step), (WorldKind::Real, Step::Real));
        let shown = lab.shown().expect("the recording is shown");
        assert!(shown.from_file && shown.report.goal_held() && shown.report.demonstration);
        assert_eq!(lab.progress.of(ScenarioId::StampedeLock), Mark::Todo);

        lab.recorded(followed(&recording));
        assert!(!lab.shown().expect("the run is shown").from_file);
        assert_eq!(lab.progress.of(ScenarioId::StampedeLock), Mark::Real);
    }

    #[test]
    fn a_file_of_another_policy_can_be_undone() {
        let mut lab = lab();
        let before = lab.spec.clone();
        lab.opened(&recording(ScenarioId::InvalidationDelay, "acknowledged", WorldKind::Real));
        assert_ne!(lab.spec, before);
        assert_eq!(lab.undo, [before]);
    }

    #[test]
    fn a_recording_is_not_shown_under_another_policy() {
        let mut lab = lab();
        lab.opened(&recording(ScenarioId::InvalidationDelay, "acknowledged", WorldKind::Real));
        lab.spec = Lab::lesson_spec(ScenarioId::InvalidationDelay);
        assert!(lab.shown().is_none());
    }

    #[test]
    fn a_run_that_ends_after_somebody_went_on_is_told_and_does_not_take_them_back() {
        let mut lab = lab();
        let before = lab.spec.clone();
        let run = recording(ScenarioId::InvalidationDelay, "acknowledged", WorldKind::Real);
        lab.recorded(followed(&run));
        assert_eq!((&lab.spec, lab.world), (&before, WorldKind::Sim));
        assert_eq!(lab.notices.len(), 1);
        assert_eq!(
            lab.progress.of(ScenarioId::InvalidationDelay),
            Mark::Real,
            "it was green on real servers"
        );
    }

    /// The simulator's run of what the view wants.
    fn computed(spec: &RunSpec) -> Rc<Replay> {
        let run = sim::run(spec).expect("the simulator finishes");
        Rc::new(Replay::new(spec.clone(), WorldKind::Sim, run))
    }

    /// A recording that an older simulator might have left: the same spec, another trace.
    fn outdated(mut recording: Recording) -> Recording {
        recording.trace.events.pop();
        recording
    }

    fn told(lab: &Lab, what: Text) -> bool {
        lab.notices == [what.get(Lang::En)]
    }

    #[test]
    fn a_recording_of_the_simulator_is_made_again_there_and_then_compared() {
        let same = recording(ScenarioId::StampedeLock, "lock", WorldKind::Sim);
        for (recording, what) in
            [(same.clone(), ui::FILE_SIMULATED), (outdated(same), ui::FILE_SIMULATED_DIFFERS)]
        {
            let mut lab = lab();
            lab.opened(&recording);
            assert_eq!((&lab.spec, lab.world), (&recording.spec, WorldKind::Sim));
            assert!(lab.recorded.is_none());
            assert!(lab.notices.is_empty(), "nothing was compared yet: {:?}", lab.notices);
            lab.computed(&computed(&recording.spec));
            assert!(told(&lab, what), "{:?}", lab.notices);
        }
    }

    #[test]
    fn a_recording_or_link_of_the_run_on_screen_is_compared_with_it() {
        let mut lab = lab();
        let same = recording(ScenarioId::InvalidationDelay, "acknowledged", WorldKind::Sim);
        lab.spec = same.spec.clone();
        lab.computed(&computed(&same.spec));
        lab.opened(&same);
        assert!(told(&lab, ui::FILE_SIMULATED), "{:?}", lab.notices);
        lab.opened(&outdated(same));
        assert!(told(&lab, ui::FILE_SIMULATED_DIFFERS), "{:?}", lab.notices);
        lab.open(lab.link());
        assert!(lab.notices.is_empty(), "the link to what is shown says nothing: {:?}", lab.notices);
        lab.open(Link { digest: Some(1), ..lab.link() });
        assert!(told(&lab, ui::RUN_CHANGED), "{:?}", lab.notices);
    }

    #[test]
    fn a_run_that_was_left_is_not_taken_for_the_one_that_a_link_opens() {
        let mut lab = lab();
        lab.computed(&computed(&lab.spec.clone()));
        lab.spec.seed += 1;
        lab.open(Link { at: Some(3), ..lab.link() });
        assert!(lab.simulated.is_none() && lab.notices.is_empty(), "{:?}", lab.notices);
    }

    #[test]
    fn a_recording_of_the_simulator_with_another_policy_can_be_undone() {
        let mut lab = lab();
        let before = lab.spec.clone();
        lab.opened(&recording(ScenarioId::InvalidationDelay, "acknowledged", WorldKind::Sim));
        assert_eq!(lab.undo, [before]);
    }
}
