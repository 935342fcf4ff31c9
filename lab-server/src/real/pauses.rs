//! Whether the lab itself stood still while a run went on: stopped in a terminal (Ctrl-Z), or by SIGSTOP, or on a
//! machine that gave it no time. The servers go on meanwhile, leases run out, and the app servers see none of it.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::oneshot;

use super::disturbance::Pause;

/// A thread that has nothing else to do is never late by much unless everything stands still.
const TICK: Duration = Duration::from_millis(20);
/// A stop that is shorter than this could as well be a busy machine, and disturbs no more than that.
const SHORT: Duration = Duration::from_millis(100);
/// Who stands still for so long was stopped or starved, whether anybody says so or not: a frozen container gets no
/// signal.
const LONG: Duration = Duration::from_secs(3);
/// Time for a signal to be told that came together with the end.
const LINGER: Duration = Duration::from_millis(5);

/// Watches for as long as it lives.
pub(super) struct Pauses {
    /// It comes to whoever was stopped and goes on, even after SIGSTOP.
    continued: unix::Signal,
    /// Its end stops the heart.
    beating: Sender<()>,
    longest: oneshot::Receiver<Duration>,
}

impl Pauses {
    /// Watches from now on. The heart has a thread of its own: a runtime that is busy with other requests does not
    /// stand still.
    pub(super) fn watch() -> io::Result<Self> {
        let continued = unix::signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        let (beating, ended) = mpsc::channel();
        let (tell, longest) = oneshot::channel();
        thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            // Nobody may want to know any more.
            let _ = tell.send(beat(&ended));
        })?;
        Ok(Self { continued, beating, longest })
    }

    /// The longest time for which the lab stood still since, if it did.
    pub(super) async fn end(self) -> Option<Pause> {
        let Self { mut continued, beating, longest } = self;
        drop(beating);
        // It panics at nothing.
        let time = longest.await.ok()?;
        let was_continued = tokio::time::timeout(LINGER, continued.recv()).await.is_ok();
        (time > if was_continued { SHORT } else { LONG }).then_some(Pause { time, was_continued })
    }
}

/// Beats until the other end is dropped; the longest time between two beats.
fn beat(ended: &Receiver<()>) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    loop {
        let is_over = ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
        longest = longest.max(last.elapsed());
        last = Instant::now();
        if is_over {
            return longest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runtime's only thread does something else for longer than any pause may be.
    #[tokio::test]
    async fn a_busy_runtime_is_no_pause() {
        let pauses = Pauses::watch().expect("signals and a thread");
        tokio::task::yield_now().await;
        let begun = Instant::now();
        while begun.elapsed() < LONG + SHORT {
            thread::park_timeout(SHORT);
        }
        let pause = pauses.end().await;
        assert!(pause.is_none(), "{pause:?}");
    }
}
