//! Where notes go: the cache says what it does, and a run that is watched keeps it.

use crate::trace::{Actor, EventId, MessageId, Note, set_cause};

/// Takes the notes of one server.
pub trait Observer: Send + Sync {
    /// Whether anybody watches. The cache makes no note when nobody does.
    fn enabled(&self) -> bool;

    /// Whether the world notes by itself what happens at the nodes (the simulator does). Where it does not, a call's
    /// effect is noted when its answer arrives.
    fn sees_nodes(&self) -> bool;

    /// Writes down a note of an actor, now.
    fn note_at(&self, actor: Actor, note: Note) -> EventId;

    /// The server whose notes these are.
    fn actor(&self) -> Actor;

    /// A number for a new call.
    fn next_message(&self) -> MessageId;

    /// Writes down a note of this server; what the server does next is its consequence.
    fn note(&self, note: Note) {
        let id = self.note_at(self.actor(), note);
        set_cause(Some(id));
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Silent(pub Actor);

impl Observer for Silent {
    fn enabled(&self) -> bool {
        false
    }

    fn sees_nodes(&self) -> bool {
        true
    }

    fn note_at(&self, _: Actor, _: Note) -> EventId {
        EventId(0)
    }

    fn actor(&self) -> Actor {
        self.0
    }

    fn next_message(&self) -> MessageId {
        MessageId(0)
    }
}
