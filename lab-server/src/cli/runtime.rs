//! The threads of a command. Where the system gives none, that is an error: tokio would panic, or hang.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use super::CliError;

/// Threads of the runtime besides the main one.
const WORKERS: usize = 2;

/// Longer than any command.
const FOR_GOOD: Duration = Duration::from_hours(24 * 365);

/// A runtime for what needs sockets. The thread for what blocks (names of hosts are looked up there) is had now and kept,
/// so that a guest who leaves does not wait for one that cannot be had.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let starting = |error| CliError::Io("start the runtime".to_owned(), error);
    room_for_threads(WORKERS + 1).map_err(starting)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(WORKERS).thread_keep_alive(FOR_GOOD);
    let runtime = builder.enable_all().build().map_err(starting)?;
    drop(runtime.spawn_blocking(|| {}));
    Ok(runtime)
}

/// Whether the system gives so many threads now: tokio panics, or hangs, where it does not.
pub(super) fn room_for_threads(count: usize) -> io::Result<()> {
    let alone = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let (keep, waiting) = mpsc::channel::<()>();
    let waiting = Arc::new(Mutex::new(waiting));
    let wait = |_| {
        let waiting = Arc::clone(&waiting);
        // It ends when the other end does.
        thread::Builder::new().spawn(move || drop(waiting.lock().map(|waiting| waiting.recv())))
    };
    let threads: Vec<_> = (0..count).map(wait).collect();
    drop(keep);
    let joined = threads.into_iter().map(|thread| thread.map(|thread| drop(thread.join())));
    let room: io::Result<()> = joined.collect();
    // A thread is counted for a moment longer than it can be joined.
    let until = Instant::now() + Duration::from_secs(1);
    while fs::read_dir("/proc/self/task").map_or(0, Iterator::count) > alone && Instant::now() < until {
        thread::yield_now();
    }
    room.map_err(|error| {
        let why = "the limit of processes is reached (`ulimit -u`, or a container's): end other programs, or raise it";
        io::Error::new(error.kind(), format!("{error}; {why}"))
    })
}
