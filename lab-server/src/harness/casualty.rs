//! Servers of our own that ended, or stand still, although nothing here did that to them: whatever was measured on them
//! says nothing.

use std::fmt;

/// A server that ended by itself, or by somebody else's hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Casualty {
    /// The server's name.
    pub server: String,
    /// How it ended, as the system tells it.
    pub how: String,
    /// The last lines of its log.
    pub log_tail: String,
}

impl fmt::Display for Casualty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, how, log_tail } = self;
        write!(
            f,
            "{server} ended ({how}), and the lab did not end it; the last lines of its log:\n{log_tail}"
        )
    }
}

/// A server that somebody else has stopped (SIGSTOP, or a terminal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The server's name.
    pub server: String,
    /// Its process.
    pub pid: u32,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, pid } = self;
        write!(
            f,
            "{server} was stopped, and the lab did not stop it: if it still is, `kill -CONT {pid}` lets it go on"
        )
    }
}
