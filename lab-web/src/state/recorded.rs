//! What a recorded run does to the view: one that was followed on real servers counts, one from a file is only shown.

use std::rc::Rc;

use lab_core::recording::Recording;
use lab_core::report::WorldKind;

use super::{Lab, Step, Tab, default_speed};
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
            // The simulator makes the same run again, or the digest says that it does not.
            let digest = Some((recording.trace.digest() >> 32) as u32);
            let spec = recording.spec.clone();
            let (step, tab) = (Step::Through, Tab::Events);
            let ignored = vec![ui::FILE_SIMULATED.get(self.lang).to_owned()];
            return self.open(Link { spec, step, tab, at: None, digest, ignored });
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
    }

    fn show_recorded(&mut self, replay: Rc<Replay>) {
        self.recorded = Some(replay);
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
    use crate::text::Lang;

    fn lab() -> Lab {
        let link = Link::start(ScenarioId::InvalidationDelay);
        Lab::new(&link, Lang::En, None, Progress::default())
    }

    fn recording(scenario: ScenarioId, preset: &str, world: WorldKind) -> Recording {
        let spec = RunSpec::preset(scenario, preset, 9).expect("the preset exists");
        let trace = sim::run(&spec).expect("the simulator finishes").trace;
        Recording { spec, world, trace }
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

    #[test]
    fn a_recording_of_the_simulator_is_made_again_there() {
        let mut lab = lab();
        let recording = recording(ScenarioId::StampedeLock, "lock", WorldKind::Sim);
        lab.opened(&recording);
        assert_eq!((&lab.spec, lab.world), (&recording.spec, WorldKind::Sim));
        assert!(lab.recorded.is_none());
    }
}
