//! The question of a lesson: when it can be answered, what it hides, and what it earns.
//!
//! A prediction counts only before the run is seen. Who goes on without one sees everything, and predicts nothing in
//! this lesson until the page is opened anew.

use lab_core::report::WorldKind;

use super::{Lab, Step, Tab};
use crate::progress::Mark;

impl Lab {
    /// The answer that the learner gave, if any.
    pub(crate) fn guess(&self) -> Option<usize> {
        self.progress.guess(self.scenario())
    }

    /// Whether there is nothing left to predict: an answer was given, or the run was looked at without one.
    pub(crate) fn closed(&self) -> bool {
        self.guess().is_some() || self.skipped.contains(&self.scenario())
    }

    /// Whether the future is hidden: in the first step, until its question is closed.
    pub(crate) fn veiled(&self) -> bool {
        self.step == Step::Predict && !self.closed()
    }

    /// Closes the question of a lesson whose run is in view without a prediction.
    pub(super) fn notice_skipping(&mut self) {
        if self.step != Step::Predict && self.simulated.is_some() && !self.closed() {
            self.skipped.push(self.scenario());
            self.picked = None;
        }
    }

    /// The failure was seen; it counts for those who said before what they expect.
    pub(super) fn saw_red(&mut self) {
        if self.world == WorldKind::Sim && self.guess().is_some() {
            self.progress.mark(self.scenario(), Mark::Red);
        }
    }

    /// Gives the picked answer, and plays on to the first violation.
    pub(super) fn reveal(&mut self) {
        let Some(picked) = self.picked.take() else { return };
        self.progress.predict(self.scenario(), picked);
        self.step = Step::Fail;
        self.tab = Tab::Test;
        self.arrivals += 1;
        let Some(replay) = self.shown().cloned() else { return };
        self.seek(replay.act());
        self.stop_at = Some(replay.first_violation().unwrap_or(replay.last()));
        self.playing = true;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::rc::Rc;

    use lab_core::scenario::ScenarioId;
    use lab_core::sim;
    use yew::Reducible;

    use super::*;
    use crate::link::Link;
    use crate::progress::Progress;
    use crate::replay::Replay;
    use crate::state::Action;
    use crate::text::Lang;

    const LESSON: ScenarioId = ScenarioId::StampedeLock;

    /// A lesson whose run is there, veiled.
    fn begun() -> Rc<Lab> {
        let lab = Rc::new(Lab::new(&Link::start(LESSON), Lang::En, None, Progress::default()));
        let run = sim::run(&lab.spec).expect("the simulator finishes");
        let replay = Rc::new(Replay::new(lab.spec.clone(), WorldKind::Sim, run));
        let lab = lab.reduce(Action::Computed(replay));
        assert!(lab.veiled() && !lab.closed());
        lab
    }

    #[test]
    fn whoever_predicts_first_earns_the_red_mark() {
        let lab = begun().reduce(Action::Pick(1)).reduce(Action::Reveal).reduce(Action::Step(Step::Fail));
        assert_eq!((lab.progress.of(LESSON), lab.guess()), (Mark::Red, Some(1)));
    }

    #[test]
    fn whoever_skips_the_question_earns_no_mark_and_finds_it_closed() {
        let lab = begun().reduce(Action::Pick(1)).reduce(Action::Step(Step::Fail));
        assert_eq!(lab.progress.of(LESSON), Mark::Todo);
        let back = lab.reduce(Action::Step(Step::Predict));
        assert!(back.closed() && !back.veiled(), "what was seen is hidden again");
        let answered = back.reduce(Action::Pick(0)).reduce(Action::Reveal);
        assert_eq!((answered.guess(), answered.step), (None, Step::Predict));
        let again =
            answered.reduce(Action::Lesson(ScenarioId::ThunderingHerd)).reduce(Action::Lesson(LESSON));
        assert!(again.closed(), "another lesson in between opens it again");
    }

    #[test]
    fn a_lesson_that_is_forgotten_can_be_predicted_again() {
        let lab = begun().reduce(Action::Step(Step::Fail)).reduce(Action::Forget);
        assert!(lab.veiled() && !lab.closed());
    }
}
