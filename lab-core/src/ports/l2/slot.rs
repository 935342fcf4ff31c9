//! What a key holds: a value, or the token of a lease or of a lock, until its time is over.

use std::time::Duration;

use super::whole_millis;
use crate::value::{Entry, Instant, Token};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A row, or the knowledge that there is none.
    Value(Entry),
    /// A lease, or a lock's token.
    Token(Token),
}

/// What a command changed: what a master sends to its replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The slot holds this, until then.
    Put(Content, Instant),
    /// The slot is empty.
    Remove,
}

impl Change {
    /// The value that it puts, if it puts one.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Put(Content::Value(entry), _) => Some(entry),
            Self::Put(Content::Token(_), _) | Self::Remove => None,
        }
    }
}

/// The place of one key. What has expired is as good as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    held: Option<(Content, Instant)>,
    /// What was changed since it was last asked.
    change: Option<Change>,
}

impl Slot {
    /// What it holds now.
    pub fn live(&self, now: Instant) -> Option<&Content> {
        self.held
            .as_ref()
            .filter(|(_, expires)| !kept!("l2.expires") || now < *expires)
            .map(|(content, _)| content)
    }

    /// The value that it holds now, if it holds one.
    pub fn value(&self, now: Instant) -> Option<&Entry> {
        match self.live(now) {
            Some(Content::Value(entry)) => Some(entry),
            Some(Content::Token(_)) | None => None,
        }
    }

    /// Whether it holds this token now.
    pub fn holds(&self, token: Token, now: Instant) -> bool {
        matches!(self.live(now), Some(Content::Token(held)) if !kept!("l2.own-token") || *held == token)
    }

    /// Until when it holds what it holds, expired or not.
    pub fn expires(&self) -> Option<Instant> {
        self.held.as_ref().map(|(_, expires)| *expires)
    }

    /// Whether nothing was ever put, or all of it was removed.
    pub fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// Puts a content in, for so long.
    pub fn put(&mut self, content: Content, ttl: Duration, now: Instant) {
        let expires = now.after(Duration::from_millis(whole_millis(ttl)));
        self.replay(Change::Put(content.clone(), expires));
        self.change = Some(Change::Put(content, expires));
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.held = None;
        self.change = Some(Change::Remove);
    }

    /// What was changed since this was last asked.
    pub fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// Takes over what was changed elsewhere.
    pub fn replay(&mut self, change: Change) {
        self.held = match change {
            Change::Put(content, expires) => Some((content, expires)),
            Change::Remove => None,
        };
    }
}
