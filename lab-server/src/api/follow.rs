//! A run's events as they happen, as server-sent events: from the start, then live, then how it ended.
//!
//! Nothing is queued for a slow reader: it reads the journal at its own pace. All readers share each event's text, which
//! the first of them has written.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::problem::Problem;
use super::record::{Record, State};
use super::runs::Runs;
use crate::adapters::observer::Recorder;

/// Lines that are taken at once.
const SLICE: usize = 256;

/// A reader of a run.
struct Follower {
    state: watch::Receiver<State>,
    /// The event that comes next.
    next: usize,
    ahead: VecDeque<Arc<str>>,
    over: bool,
    _seat: OwnedSemaphorePermit,
}

/// The events of a run, from the one at `from` on.
///
/// # Errors
/// When too many follow already.
pub(super) fn stream(runs: &Runs, record: &Record, from: usize) -> Result<Response, Problem> {
    let follower = Follower {
        state: record.follow(),
        next: from,
        ahead: VecDeque::new(),
        over: false,
        _seat: runs.seat()?,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.event().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Follower {
    async fn event(&mut self) -> Option<sse::Event> {
        while !self.over {
            if let Some(line) = self.ahead.pop_front() {
                let id = self.next;
                self.next += 1;
                return Some(sse::Event::default().data(line).id(id.to_string()));
            }
            let state = self.state.borrow_and_update().clone();
            match state {
                State::Queued => {
                    if self.state.changed().await.is_err() {
                        return Some(self.forgotten());
                    }
                }
                State::Running(recorder) => {
                    if self.read_on(&recorder).await.is_err() {
                        return Some(self.forgotten());
                    }
                }
                State::Done(recorder, report) => {
                    if !self.read(&recorder) {
                        self.over = true;
                        return Some(data(&report).event("done"));
                    }
                }
                State::Failed(recorder, problem) => {
                    if !recorder.is_some_and(|recorder| self.read(&recorder)) {
                        self.over = true;
                        return Some(data(&problem).event("failed"));
                    }
                }
            }
        }
        None
    }

    /// Takes what the journal has; `false` if that is nothing.
    fn read(&mut self, recorder: &Recorder) -> bool {
        self.ahead.extend(recorder.lines(self.next, SLICE));
        !self.ahead.is_empty()
    }

    /// Takes what the journal has, or waits until it has more or the run is over.
    async fn read_on(&mut self, recorder: &Recorder) -> Result<(), RecvError> {
        let mut progress = recorder.follow();
        progress.borrow_and_update();
        if self.read(recorder) {
            return Ok(());
        }
        tokio::select! {
            _ = progress.changed() => Ok(()),
            changed = self.state.changed() => changed,
        }
    }

    /// The last event of a run whose state can change no more: nobody keeps or makes it.
    fn forgotten(&mut self) -> sse::Event {
        self.over = true;
        data(&super::runs::stopped()).event("failed")
    }
}

fn data(content: &impl Serialize) -> sse::Event {
    // Fails only for what has no JSON, and all of these have.
    sse::Event::default().json_data(content).unwrap_or_else(|_| sse::Event::default())
}
