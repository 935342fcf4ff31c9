//! Whether the lab itself stood still while a run went on: stopped in a terminal (Ctrl-Z), or by SIGSTOP, or on a
//! machine that gave it no time. The servers go on meanwhile, leases run out, and the app servers see none of it.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A task that is never late by much unless everything stands still.
const TICK: Duration = Duration::from_millis(20);
/// A stop that is shorter than this could as well be a busy machine, and disturbs no more than that.
const SHORT: Duration = Duration::from_millis(100);
/// Who stands still for so long was stopped, whether anybody says so or not: a frozen container gets no signal.
const LONG: Duration = Duration::from_secs(3);
/// Time for a signal to be told that came together with the end.
const LINGER: Duration = Duration::from_millis(5);

/// Watches for as long as it lives.
pub(super) struct Pauses {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Option<Duration>>,
}

impl Pauses {
    /// Watches from now on.
    pub(super) fn watch() -> io::Result<Self> {
        // It comes to whoever was stopped and goes on, even after SIGSTOP.
        let continued = unix::signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self { stop, watching: tokio::spawn(watch(continued, stopped)) })
    }

    /// The longest time for which the lab was stopped since, if it was.
    pub(super) async fn end(self) -> Option<Duration> {
        // It waits for this alone, and panics at nothing.
        let _ = self.stop.send(());
        self.watching.await.ok().flatten()
    }
}

async fn watch(mut continued: unix::Signal, mut stopped: oneshot::Receiver<()>) -> Option<Duration> {
    let (mut longest, mut was_continued) = (Duration::ZERO, false);
    let mut last = Instant::now();
    loop {
        let ended = tokio::select! {
            biased;
            _ = continued.recv() => {
                was_continued = true;
                false
            }
            () = tokio::time::sleep(TICK) => false,
            _ = &mut stopped => true,
        };
        longest = longest.max(last.elapsed());
        last = Instant::now();
        if ended {
            was_continued |= tokio::time::timeout(LINGER, continued.recv()).await.is_ok();
            let limit = if was_continued { SHORT } else { LONG };
            return (longest > limit).then_some(longest);
        }
    }
}
