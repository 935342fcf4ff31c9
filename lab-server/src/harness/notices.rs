//! What a user should be told although it stops nothing: a replica that is gone, a password file that was ignored.

use std::sync::{Arc, Mutex, PoisonError};

/// Notices that wait to be told at most: more would be the same again.
const WAITING_MAX: usize = 64;

/// Notices that wait to be told. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// Adds a sentence, unless it waits already.
    pub(crate) fn add(&self, sentence: impl Into<String>) {
        let (sentence, mut waiting) =
            (sentence.into(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.len() < WAITING_MAX && !waiting.contains(&sentence) {
            waiting.push(sentence);
        }
    }

    /// Those that nobody has been told yet.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
