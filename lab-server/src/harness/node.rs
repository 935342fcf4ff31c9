//! A server process under its name, with the faults that strike a whole node: killed, started again, stopped,
//! continued.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Signal;

use super::error::HarnessError;
use super::process::{Launch, Process};

/// A server that was started, and may have been killed since.
pub(crate) struct Node {
    launch: Launch,
    process: Mutex<Arc<Process>>,
}

impl Node {
    pub(crate) async fn start(launch: Launch) -> Result<Self, HarnessError> {
        let process = Mutex::new(Arc::new(launch.spawn().await?));
        Ok(Self { launch, process })
    }

    /// The process that runs now, or ran last.
    pub(crate) fn process(&self) -> Arc<Process> {
        Arc::clone(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn kill(&self) {
        self.process().kill();
    }

    /// Starts it anew in its old directory, killing what still runs.
    pub(crate) async fn respawn(&self) -> Result<Arc<Process>, HarnessError> {
        self.kill();
        let process = Arc::new(self.launch.spawn().await?);
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&process);
        Ok(process)
    }

    pub(crate) fn pause(&self) {
        let process = self.process();
        process.signal(Signal::STOP);
        process.signal_children(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        let process = self.process();
        process.signal_children(Signal::CONT);
        process.signal(Signal::CONT);
    }
}
