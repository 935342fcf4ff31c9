//! Our own source, embedded: the lab shows the very lines that ran.
//!
//! Only what events point at is here: the cache, the lock, and the scenarios.

use crate::scenario;

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$((concat!("lab-core/src/", $path), include_str!($path))),+]
    };
}

/// The code under study, each file by its path from the root of the repository, as [`crate::trace::Source::file`] names
/// it.
const FILES: &[(&str, &str)] = embedded![
    "cache.rs",
    "cache/acknowledge.rs",
    "cache/compute.rs",
    "cache/lease.rs",
    "cache/local.rs",
    "cache/outbox.rs",
    "cache/owed.rs",
    "cache/read.rs",
    "cache/signal.rs",
    "cache/single_flight.rs",
    "cache/subscriber.rs",
    "cache/write.rs",
    "lock.rs",
];

/// Every embedded file: the code under study, and each scenario's body.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().chain(scenario::SOURCES).copied()
}

/// The text of a file, if it is embedded.
pub fn text(file: &str) -> Option<&'static str> {
    files().find(|(path, _)| *path == file).map(|(_, text)| text)
}
