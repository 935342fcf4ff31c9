//! Servers of our own that ended although nothing here ended them: whatever was measured on them says nothing.

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
