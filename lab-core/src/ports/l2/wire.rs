//! How entries, tokens and times are written for Redis, and how its answers are read.
//!
//! What a slot holds tells itself apart by its first character: `{` begins a value (JSON), `T` the token of a lease or
//! of a lock. A lease's and a lock's token look the same, so that either is given back in the same way. Scripts compare
//! versions as Lua's numbers, which are exact up to 2⁵³: a row has fewer commits.

use std::time::Duration;

use super::{Reply, whole_millis};
use crate::value::{Entry, Token};

/// What Redis is sent, before the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// A command of its own, by name.
    Plain(&'static str),
    /// A script in Lua: `KEYS[1]` is the slot, `ARGV` the arguments.
    Script(&'static str),
}

/// What Redis answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// Nothing.
    Nil,
    /// `OK`.
    Okay,
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// An answer that no command of the lab brings about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the slot holds what the lab did not store: {0}")]
pub struct Foreign(pub String);

impl Foreign {
    pub(super) fn answer(raw: &Raw) -> Self {
        Self(format!("{raw:?}"))
    }
}

/// A value as it is stored.
pub(super) fn entry(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("texts and numbers are JSON")
}

/// A token as it is stored.
pub(super) fn token(token: Token) -> String {
    format!("T{token}")
}

/// A time to live as it is sent.
pub(super) fn millis(ttl: Duration) -> String {
    whole_millis(ttl).to_string()
}

/// The value that is stored as this text; `None` where it is a token.
///
/// # Errors
/// When it is neither.
pub fn entry_of(text: &str) -> Result<Option<Entry>, Foreign> {
    if text.starts_with('T') {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| Foreign(error.to_string()))
}

/// Reads the answer of a script that says by a number what it did.
pub(super) fn number(raw: &Raw, replies: &[(i64, Reply)]) -> Result<Reply, Foreign> {
    let Raw::Number(number) = raw else { return Err(Foreign::answer(raw)) };
    let reply = replies.iter().find(|(meant, _)| meant == number);
    reply.map(|(_, reply)| reply.clone()).ok_or_else(|| Foreign::answer(raw))
}
