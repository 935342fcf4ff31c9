//! A server process under its name, with the faults that strike a whole node: killed, started again, stopped,
//! continued.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};

use super::casualty::Casualty;
use super::error::HarnessError;
use super::process::{Launch, Process};

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
    /// While the node is paused.
    last_will: Option<LastWill>,
}

impl Node {
    pub(crate) async fn start(launch: Launch) -> Result<Self, HarnessError> {
        let process = Arc::new(launch.spawn().await?);
        Ok(Self { launch, state: Mutex::new(State { process, killed: false, last_will: None }) })
    }

    /// The process that runs now, or ran last.
    pub(crate) fn process(&self) -> Arc<Process> {
        Arc::clone(&self.state().process)
    }

    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.killed = true;
        state.process.kill();
        state.last_will = None;
    }

    /// How the process ended, if nothing here ended it.
    pub(crate) fn casualty(&self) -> Option<Casualty> {
        let state = self.state();
        let how = state.process.ended().filter(|_| !state.killed)?.to_string();
        Some(Casualty { server: self.launch.name.clone(), how, log_tail: state.process.log_tail() })
    }

    /// Starts it anew in its old directory, killing what still runs.
    pub(crate) async fn respawn(&self) -> Result<Arc<Process>, HarnessError> {
        self.kill();
        let process = Arc::new(self.launch.spawn().await?);
        let mut state = self.state();
        state.process = Arc::clone(&process);
        state.killed = false;
        drop(state);
        Ok(process)
    }

    /// Stops the process and its children, once it is certain that the children end with us.
    pub(crate) fn pause(&self) -> Result<(), HarnessError> {
        let mut state = self.state();
        state.process.signal(Signal::STOP);
        if state.last_will.is_none() {
            let written = LastWill::write(&state.process.children());
            if written.is_err() {
                state.process.signal(Signal::CONT);
            }
            let pausing = HarnessError::io(format!("pause {}", self.launch.name));
            state.last_will = Some(written.map_err(pausing)?);
        }
        state.process.signal_children(Signal::STOP);
        Ok(())
    }

    pub(crate) fn resume(&self) {
        let mut state = self.state();
        state.process.signal_children(Signal::CONT);
        state.last_will = None;
        state.process.signal(Signal::CONT);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills a paused node's children if we die before it is resumed. Running, they would see their parent's death
/// and end; stopped, they see nothing. A shell waits for the end of a pipe of which we hold the other end.
struct LastWill(Child);

impl LastWill {
    fn write(children: &[Pid]) -> io::Result<Self> {
        let pids = children.iter().map(|pid| pid.as_raw_pid().to_string());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"read -r _; test $# -eq 0 || kill -KILL "$@""#, "last-will"]).args(pids);
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(shell.spawn()?))
    }
}

impl Drop for LastWill {
    /// Revokes it: the children are no longer stopped, or gone.
    fn drop(&mut self) {
        // The only failure is that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
