//! Ctrl-C and its kin: the first asks a command to clean up and end, the second ends it at once, with a last word about
//! what it leaves behind on named servers. The servers of our own and their directory go all the same then: by the
//! harness's last will.

use std::sync::{Arc, OnceLock};
use std::{fs, process};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::CliError;

/// Whether somebody wants the command to end. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct Interrupt {
    asked: watch::Receiver<Option<Ending>>,
    last_word: Arc<OnceLock<LastWord>>,
}

/// Tells what a command leaves behind that is ended at once.
type LastWord = Box<dyn Fn() + Send + Sync>;

/// The exit code that a signal asks for: 128 and its number, as a shell tells it.
type Ending = u8;

impl Interrupt {
    /// Listens from now on, on the current runtime.
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen =
            |kind| signal(kind).map_err(|error| CliError::Io("listen for signals".to_owned(), error));
        let mut signals = Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            // Under nohup a closed terminal means nothing.
            hang_up: if is_ignored(SignalKind::hangup()) {
                None
            } else {
                Some(listen(SignalKind::hangup())?)
            },
        };
        let (asked, receiver) = watch::channel(None);
        let last_word: Arc<OnceLock<LastWord>> = Arc::default();
        let word = Arc::clone(&last_word);
        tokio::spawn(async move {
            asked.send_replace(Some(signals.next().await));
            note!("cleaning up; Ctrl-C again ends at once");
            let ending = signals.next().await;
            if let Some(tell) = word.get() {
                tell();
            }
            process::exit(ending.into());
        });
        Ok(Self { asked: receiver, last_word })
    }

    /// What to tell when the command is ended at once. The first word stands.
    pub(super) fn say_last(&self, word: impl Fn() + Send + Sync + 'static) {
        let _ = self.last_word.set(Box::new(word));
    }

    /// Waits until the command is asked to end.
    pub(super) async fn asked(&self) {
        let asked = self.asked.clone().wait_for(Option::is_some).await.is_ok();
        if !asked {
            // Nobody listens any more: the runtime ends.
            std::future::pending::<()>().await;
        }
    }

    /// Does `work` unless the command is asked to end first: then it is dropped.
    pub(super) async fn or<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.asked() => Err(self.error()),
            done = work => done,
        }
    }

    /// How an interrupted command ends.
    pub(super) fn error(&self) -> CliError {
        CliError::Interrupted { code: self.asked.borrow().unwrap_or(1) }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Signals {
    async fn next(&mut self) -> Ending {
        let number = |kind: SignalKind| 128 + u8::try_from(kind.as_raw_value()).unwrap_or_default();
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => number(SignalKind::interrupt()),
            _ = self.terminate.recv() => number(SignalKind::terminate()),
            _ = hang_up => number(SignalKind::hangup()),
        }
    }
}

/// Whether the process was started with this signal ignored. Linux tells, as a mask of bits in hexadecimal; elsewhere
/// nobody is asked.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
