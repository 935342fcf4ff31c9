//! Our own source, embedded: the lab shows the very lines that ran.
//!
//! Only what events point at is here: the cache, the lock, and the scenarios.

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$((concat!("lab-core/src/", $path), include_str!($path))),+]
    };
}

/// Each file by its path from the root of the repository, as [`crate::trace::Source::file`] names it.
pub const FILES: &[(&str, &str)] = embedded![
    "cache.rs",
    "cache/acknowledge.rs",
    "cache/compute.rs",
    "cache/lease.rs",
    "cache/owed.rs",
    "cache/local.rs",
    "cache/read.rs",
    "cache/signal.rs",
    "cache/single_flight.rs",
    "cache/subscriber.rs",
    "cache/write.rs",
    "lock.rs",
    "scenario/invalidation_delay.rs",
    "scenario/stampede_lock.rs",
    "scenario/thundering_herd.rs",
];

/// The text of a file, if it is embedded.
pub fn text(file: &str) -> Option<&'static str> {
    FILES.iter().find(|(path, _)| *path == file).map(|(_, text)| *text)
}
