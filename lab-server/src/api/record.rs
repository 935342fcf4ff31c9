//! One run of the API: what was asked, how far it is, what came of it.

use std::sync::{Arc, Mutex, PoisonError};

use lab_core::recording::Recording;
use lab_core::report::{Report, WorldKind};
use lab_core::scenario::{RunSpec, ScenarioId, Settings};
use lab_core::trace::Trace;
use serde::Serialize;
use tokio::sync::watch;

use super::problem::{Kind, Problem};
use crate::adapters::observer::Recorder;

/// A run that was asked for.
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) spec: RunSpec,
    /// The preset's name, where one was named.
    policy: Option<&'static str>,
    state: watch::Sender<State>,
    given_up: watch::Sender<bool>,
    /// What whoever runs the lab should know of this run, although it is no reason for it to fail.
    notices: Mutex<Vec<String>>,
}

/// How far a run is.
#[derive(Clone)]
pub(super) enum State {
    /// It waits for its turn, or for the servers.
    Queued,
    /// It runs, and writes this journal.
    Running(Arc<Recorder>),
    /// It is over.
    Done(Arc<Recorder>, Arc<Report>),
    /// It did not come to its end; where it had begun, there is a journal.
    Failed(Option<Arc<Recorder>>, Problem),
}

/// How a run is told.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    id: String,
    scenario: ScenarioId,
    policy: Option<&'static str>,
    seed: u64,
    settings: &'a Settings,
    state: &'static str,
    events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Arc<Report>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
}

impl Record {
    pub(super) fn new(id: u64, spec: RunSpec, policy: Option<&'static str>) -> Self {
        let (state, given_up) = (watch::Sender::new(State::Queued), watch::Sender::new(false));
        Self { id, spec, policy, state, given_up, notices: Mutex::default() }
    }

    pub(super) fn enter(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Tells something beside how the run ends.
    pub(super) fn notice(&self, notice: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
    }

    /// Nobody wants the run any more. It ends as soon as it can; one that is over stays as it is.
    pub(super) fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    pub(super) fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// Comes when nobody wants the run any more.
    pub(super) async fn given_up(&self) {
        // The sender lives as long as `self`, so this ends with the wish alone.
        let _ = self.given_up.subscribe().wait_for(|given_up| *given_up).await;
    }

    /// Tells the state, now and whenever it changes.
    pub(super) fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The recording of a run that is over; that of one that failed says so, and why.
    pub(super) fn recording(&self) -> Result<Recording, Problem> {
        let id = self.id;
        let nothing_of = |problem: &Problem| {
            let detail = format!("run {id} failed before anything had happened: {}", problem.detail());
            Problem::new(Kind::NoRecording, detail)
        };
        let (recorder, unfinished) = match &*self.state.borrow() {
            State::Done(recorder, _) => (Arc::clone(recorder), None),
            State::Failed(Some(recorder), problem) if recorder.follow().borrow().events > 0 => {
                (Arc::clone(recorder), Some(problem.detail().to_owned()))
            }
            State::Failed(_, problem) => return Err(nothing_of(problem)),
            State::Queued | State::Running(_) => {
                let detail = format!(
                    "run {id} is not over: follow /api/runs/{id}/events, or come back when it is done"
                );
                return Err(Problem::new(Kind::NotOver, detail));
            }
        };
        let trace = Trace { events: recorder.events(0, usize::MAX) };
        Ok(Recording { spec: self.spec.clone(), world: WorldKind::Real, unfinished, trace })
    }

    /// The journal of a run that runs.
    pub(super) fn journal(&self) -> Option<Arc<Recorder>> {
        match &*self.state.borrow() {
            State::Running(recorder) => Some(Arc::clone(recorder)),
            _ => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(&*self.state.borrow(), State::Done(..) | State::Failed(..))
    }

    pub(super) fn tell(&self) -> Told<'_> {
        let (state, recorder, report, problem) = match self.state.borrow().clone() {
            State::Queued => ("queued", None, None, None),
            State::Running(recorder) => ("running", Some(recorder), None, None),
            State::Done(recorder, report) => ("done", Some(recorder), Some(report), None),
            State::Failed(recorder, problem) => ("failed", recorder, None, Some(problem)),
        };
        Told {
            id: self.id.to_string(),
            scenario: self.spec.scenario,
            policy: self.policy,
            seed: self.spec.seed,
            settings: &self.spec.settings,
            state,
            events: recorder.map_or(0, |recorder| recorder.follow().borrow().events),
            report,
            problem,
            notices: self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
