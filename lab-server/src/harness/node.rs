//! A server process under its name, with the faults that strike a whole node: killed, started again, stopped,
//! continued.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::casualty::{Casualty, Stopped};
use super::error::HarnessError;
use super::family::Member;
use super::process::{GONE_WITHIN, Launch, POLL, Process};

/// How much earlier a connection may break than its server can be seen to be dead.
const DEATH_SHOWS_WITHIN: Duration = Duration::from_millis(300);

/// A server that was started, and may have been killed since.
pub(crate) struct Node {
    launch: Launch,
    state: Mutex<State>,
}

struct State {
    /// The process that runs now, or ran last.
    process: Arc<Process>,
    /// Whether it was ended from here.
    killed: bool,
    paused: bool,
}

impl Node {
    pub(crate) async fn start(launch: Launch) -> Result<Self, HarnessError> {
        let process = Arc::new(launch.spawn().await?);
        Ok(Self { launch, state: Mutex::new(State { process, killed: false, paused: false }) })
    }

    /// The process that runs now, or ran last.
    pub(crate) fn process(&self) -> Arc<Process> {
        Arc::clone(&self.state().process)
    }

    /// The program that it runs, for an error to name.
    pub(crate) fn wraps(&self) -> HarnessError {
        HarnessError::Wrapper { server: self.launch.name.clone(), program: self.launch.program.clone() }
    }

    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.killed = true;
        state.process.kill();
        state.paused = false;
    }

    /// How the process ended, if nothing here ended it.
    pub(crate) fn casualty(&self) -> Option<Casualty> {
        let state = self.state();
        let how = state.process.ended().filter(|_| !state.killed)?.to_string();
        Some(Casualty { server: self.launch.name.clone(), how, log_tail: state.process.log_tail() })
    }

    /// That the process is stopped, if nothing here stopped it.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        let state = self.state();
        let is_others = !state.paused && !state.killed && state.process.is_stopped();
        is_others.then(|| Stopped { server: self.launch.name.clone(), pid: state.process.pid() })
    }

    /// Starts it anew in its old directory, killing what still runs. Where its postmaster was killed by somebody else,
    /// PostgreSQL's backends are nobody's children any more; until they see it, they keep its data from everybody else.
    pub(crate) async fn respawn(&self) -> Result<Arc<Process>, HarnessError> {
        self.kill();
        self.launch.mark.end_all_in(&self.launch.directory.join(&self.launch.name), GONE_WITHIN);
        let process = Arc::new(self.launch.spawn().await?);
        let mut state = self.state();
        state.process = Arc::clone(&process);
        state.killed = false;
        drop(state);
        Ok(process)
    }

    /// Stops the process and all that it has forked. Running, its children would see their parent's death and end;
    /// stopped, they see nothing, and end with us all the same: they bear our mark.
    pub(crate) fn pause(&self) -> Result<(), HarnessError> {
        let mut state = self.state();
        state.paused = true;
        if state.process.freeze().iter().any(Member::moved) {
            state.process.thaw();
            state.paused = false;
            let pausing = HarnessError::io(format!("pause {}", self.launch.name));
            return Err(pausing(io::Error::new(io::ErrorKind::TimedOut, "it does not stop")));
        }
        Ok(())
    }

    pub(crate) fn resume(&self) {
        let mut state = self.state();
        if state.paused {
            state.process.thaw();
            state.paused = false;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what needs all these processes. When one of them dies, that is the error, and not what others see of it:
/// broken connections, nodes that never become ready.
pub(crate) async fn while_all_live<T>(
    processes: &[Arc<Process>],
    work: impl Future<Output = Result<T, HarnessError>>,
) -> Result<T, HarnessError> {
    let death = async {
        loop {
            if let Some(death) = processes.iter().find_map(|process| process.death()) {
                return death;
            }
            sleep(POLL).await;
        }
    };
    tokio::pin!(death);
    tokio::select! {
        biased;
        death = &mut death => Err(death),
        done = work => match done {
            Ok(done) => Ok(done),
            Err(error) => Err(timeout(DEATH_SHOWS_WITHIN, death).await.unwrap_or(error)),
        },
    }
}
