//! What can go wrong with real servers, each with what to do next. Faults that a scenario asks for are not
//! errors; they are in `links.rs` and on the nodes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::links::Link;
use super::operator::OperatorError;

/// Why the harness could not start its servers, or could not do what was asked of them.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// Faults by address need all of 127.0.0.0/8 on the loopback interface and `setpriv`: Linux has both.
    #[error(
        "the lab starts real servers on Linux only (it needs 127.0.0.0/8 and setpriv): elsewhere name running \
         ones with --redis and --postgres, or use the simulated world"
    )]
    NotLinux,
    /// The sizes asked for are out of range.
    #[error("{0}")]
    Spec(String),
    /// A program that the servers need is not on this machine.
    #[error("{program} is not installed: run `cargo xtask setup`, or `apt-get install {package}`")]
    MissingBinary {
        /// The program looked for.
        program: String,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The process's user has a number and no name.
    #[error(
        "this process runs as user number {user_id}, which has no name on this machine, and PostgreSQL does not start \
         for such a user: give it one (a line in /etc/passwd), run the lab as a user that has one, or name running \
         servers with --redis and --postgres"
    )]
    Nameless {
        /// The number.
        user_id: u32,
    },
    /// A program that the servers need is there, and cannot be executed.
    #[error(
        "{} is there, and {by} cannot execute it; no other was found: correct its mode and that of the directories \
         that it lies in, or `apt-get install {package}`",
        program.display()
    )]
    NotExecutable {
        /// The program that was passed over.
        program: PathBuf,
        /// Who cannot.
        by: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The directory for temporary files will not do.
    #[error(
        "the lab's own servers keep their files in {}, and {why}: make room there, or set TMPDIR to another directory",
        directory.display()
    )]
    Place {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another user could exchange the lab's directory for something else.
    #[error(
        "the lab's own servers would keep their files in {}, and {} {why}: another user could put something else in \
         their place, and the lab would remove that at its end; set TMPDIR to another directory, such as /tmp",
        base.display(), directory.display()
    )]
    Unguarded {
        /// Where the files would be.
        base: PathBuf,
        /// The same, or one that it lies in.
        directory: PathBuf,
        /// Who can.
        why: String,
    },
    /// Too few files may be open.
    #[error(
        "this process may have {allowed} files open at most (`ulimit -n`), and the lab's own servers and links need \
         {needed}: raise the limit, for example with `ulimit -n {needed}` (above the hard limit root has to)"
    )]
    OpenFiles {
        /// How many may be.
        allowed: u64,
        /// How many have to be.
        needed: u64,
    },
    /// The newest PostgreSQL on this machine is older than 15.
    #[error("PostgreSQL 15 or newer is needed, found {found}: run `cargo xtask setup`")]
    OldPostgres {
        /// What the installed `postgres --version` says.
        found: String,
    },
    /// Somebody took the port between the probe and the start, more often than the harness retries.
    #[error(
        "{server}: port {port} is taken by another program, and so were the ports tried before; see what \
         listens with `ss -ltnp`\n{log_tail}"
    )]
    PortClash {
        /// The server that could not listen.
        server: String,
        /// Its port at the last attempt.
        port: u16,
        /// The last lines of its log.
        log_tail: String,
    },
    /// No port was free in the range that the harness draws from.
    #[error(
        "no port from {first} to {last} is free for {server}: see what listens with `ss -ltnp`, and end what need not"
    )]
    NoFreePort {
        /// The server that needs one.
        server: String,
        /// The first port of the range.
        first: u16,
        /// The last one.
        last: u16,
    },
    /// A server ended while it should have become ready.
    #[error("{server} ended at its start ({status}); the last lines of its log:\n{log_tail}")]
    Died {
        /// The server.
        server: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A server runs but did not become ready in time.
    #[error(
        "{server} was not ready in time ({missing}), deadline {allowed:?}: is the machine very busy? The last \
         lines of its log:\n{log_tail}"
    )]
    NotReady {
        /// The server.
        server: String,
        /// What was still missing at the last look.
        missing: String,
        /// The time that the whole start was given.
        allowed: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A program that does not become the server, but starts it.
    #[error(
        "{} starts {server} as another process instead of becoming it, so that faults would strike the wrong one: \
         end that script with `exec`, or put the directory of the server itself first on PATH",
        program.display()
    )]
    Wrapper {
        /// The server.
        server: String,
        /// The program that was found for it.
        program: PathBuf,
    },
    /// No process or thread is to be had.
    #[error(
        "cannot start {what}: {source}; the limit of processes is reached (`ulimit -u`, or a container's): end \
         other programs, or raise it"
    )]
    NoProcess {
        /// What was to be started.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A Redis node refused a command of the harness.
    #[error("{doing}: {source}")]
    Redis {
        /// What was being done.
        doing: String,
        /// Redis' answer.
        source: redis::RedisError,
    },
    /// PostgreSQL refused a statement of the harness, or did not answer it.
    #[error("{doing}: {source}")]
    Postgres {
        /// What was being done.
        doing: String,
        /// PostgreSQL's answer, if it gave one.
        source: OperatorError,
    },
    /// What `--redis` and `--postgres` name is not there, or not what the lab needs.
    #[error(
        "{what}: {why}; correct --redis and --postgres, or LAB_REDIS and LAB_POSTGRES (`lab up` starts servers to \
         try, and prints how to name them), or leave both out and the lab starts its own"
    )]
    Named {
        /// Which of them.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Servers named by `--redis` and `--postgres` are not ours to break.
    #[error("{wanted} needs servers that the lab has started itself: run without --redis and --postgres")]
    External {
        /// What was asked for.
        wanted: &'static str,
    },
    /// No such link in this harness.
    #[error("there is no link {0}: it has fewer servers or nodes")]
    UnknownLink(Link),
    /// No such app server or node in this harness.
    #[error("there is no {0} here: ask for more in HarnessSpec")]
    UnknownPlace(String),
}

impl HarnessError {
    /// Tells what is wrong with servers that were named.
    pub(crate) fn named(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Named { what: what.into(), why: why.into() }
    }

    /// Adds what was found beside it, and may have led to it.
    pub(crate) fn beside(error: Self, notices: &[String]) -> Self {
        match error {
            Self::Named { what, why } => {
                Self::Named { what, why: [&[why], notices].concat().join("; beside that, ") }
            }
            error => error,
        }
    }

    /// Wraps an error of the operating system with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Wraps the reason why no process or thread could be started.
    pub(crate) fn spawning(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| match source.kind() {
            io::ErrorKind::WouldBlock => Self::NoProcess { what, source },
            _ => Self::Io { doing: format!("start {what}"), source },
        }
    }

    /// Wraps an answer of Redis with what was being done.
    pub(crate) fn redis(doing: impl Into<String>) -> impl FnOnce(redis::RedisError) -> Self {
        let doing = doing.into();
        move |source| Self::Redis { doing, source }
    }

    /// Wraps an answer of PostgreSQL, or its silence, with what was being done.
    pub(crate) fn postgres(doing: impl Into<String>) -> impl FnOnce(OperatorError) -> Self {
        let doing = doing.into();
        move |source| Self::Postgres { doing, source }
    }
}
