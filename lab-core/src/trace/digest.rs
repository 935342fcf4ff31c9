//! The fingerprint of a run: the same on every platform, whatever its word size and byte order.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::Xxh3Default;

use super::{Actor, Event};

/// A hasher whose result does not depend on the platform: `std` hashes lengths and enum tags as `usize` and
/// `isize`, which are 4 bytes in wasm and 8 natively, and integers in the machine's byte order; here all of them
/// are fixed.
#[derive(Default)]
pub struct Digest(Xxh3Default);

impl Digest {
    /// Takes in an event, its source line left out: that a line moved does not make it another run.
    pub fn event(&mut self, event: &Event) {
        (event.at, event.actor, &event.key, event.version).hash(self);
        event.kind.hash(self);
        (event.cause, event.operation, event.message).hash(self);
    }

    /// Takes in what an event is and which request it belongs to, not when, and none of what is drawn by chance: tokens and
    /// computed values differ under every seed, and would make every run a schedule of its own.
    pub fn order(&mut self, event: &Event, request: Option<(Actor, u32)>) {
        (&event.key, event.version, request).hash(self);
        event.kind.without_chance().hash(self);
    }

    /// The fingerprint so far.
    pub fn finish64(&self) -> u64 {
        self.0.digest()
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.finish64()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_u16(&mut self, word: u16) {
        self.write(&word.to_le_bytes());
    }

    fn write_u32(&mut self, word: u32) {
        self.write(&word.to_le_bytes());
    }

    fn write_u64(&mut self, word: u64) {
        self.write(&word.to_le_bytes());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as i64 as u64);
    }
}
