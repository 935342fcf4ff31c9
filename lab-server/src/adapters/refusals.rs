//! What the stores refused while a run went on, and the connections that they dropped. Neither is the policy's doing, so
//! a run with a refusal that no fault of its scenario explains has no verdict.
//!
//! Silence is not among it: who asks too much waits for long, and that may well be the policy's doing.

use std::fmt;

use redis::RedisError;
use tokio_postgres::Error as PostgresError;

use crate::harness::describe;

/// Kinds of refusals that are kept apart; what comes after them is counted with the last.
const KINDS_MAX: usize = 8;

/// What is kept of a server's words.
const WORDS_MAX: usize = 300;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A node of the Redis Cluster.
    Redis,
    /// A node of PostgreSQL.
    Postgres,
}

/// What a store did instead of what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It said no, with this code (`OOM`, `57014`).
    Refused {
        /// Its own code for it.
        code: String,
    },
    /// Its connection broke, or could not be had.
    Broken,
}

/// Refusals in the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who.
    pub store: Store,
    /// What it did.
    pub answer: Answer,
    /// Its own words, or the system's about a connection.
    pub words: String,
    /// How often.
    pub count: u64,
}

/// All refusals of a run, in the order of their first.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Vec<Refusal>);

impl Refusals {
    pub(super) fn add(&mut self, store: Store, answer: Answer, words: &str) {
        let words: String = words.chars().take(WORDS_MAX).collect();
        let same = |known: &Refusal| known.store == store && known.answer == answer && known.words == words;
        let place = self.0.iter().position(same);
        let full = (self.0.len() >= KINDS_MAX).then_some(KINDS_MAX - 1);
        match place.or(full) {
            Some(place) => self.0[place].count += 1,
            None => self.0.push(Refusal { store, answer, words, count: 1 }),
        }
    }

    pub(super) fn all(&self) -> Vec<Refusal> {
        self.0.clone()
    }
}

/// What Redis did, if its error is a refusal.
pub(super) fn of_redis(error: &RedisError) -> Option<(Answer, String)> {
    match error.code() {
        Some(code) => {
            let words = format!("{code} {}", error.detail().unwrap_or_default());
            Some((Answer::Refused { code: code.to_owned() }, words.trim_end().to_owned()))
        }
        None if error.is_timeout() => None,
        None if error.is_connection_dropped()
            || error.kind() == redis::ErrorKind::ClusterConnectionNotFound =>
        {
            Some((Answer::Broken, error.to_string()))
        }
        None => None,
    }
}

/// What PostgreSQL did.
pub(super) fn of_postgres(error: &PostgresError) -> (Answer, String) {
    match error.as_db_error() {
        Some(refusal) => {
            let code = refusal.code().code().to_owned();
            (Answer::Refused { code }, refusal.message().to_owned())
        }
        None => (Answer::Broken, describe(error)),
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, answer, words, count } = self;
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        match answer {
            Answer::Refused { .. } => write!(f, "{store} refused {times}: {words}"),
            Answer::Broken => write!(f, "the connection to {store} was lost {times}: {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Answer {
        Answer::Refused { code: code.to_owned() }
    }

    #[test]
    fn the_same_words_are_counted_and_others_are_kept_apart() {
        let mut refusals = Refusals::default();
        for words in ["OOM full", "OOM full", "NOPERM no"] {
            refusals.add(Store::Redis, refused(&words[..3]), words);
        }
        let told: Vec<String> = refusals.all().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["Redis refused 2 times: OOM full", "Redis refused once: NOPERM no"]);
    }

    #[test]
    fn a_server_that_says_much_is_kept_within_bounds() {
        let mut refusals = Refusals::default();
        for number in 0..1_000 {
            refusals.add(Store::Postgres, refused("XX000"), &format!("{number} {}", "x".repeat(1 << 16)));
        }
        let all = refusals.all();
        assert_eq!(all.len(), KINDS_MAX);
        assert_eq!(all.iter().map(|refusal| refusal.count).sum::<u64>(), 1_000);
        assert!(all.iter().all(|refusal| refusal.words.len() <= WORDS_MAX));
    }
}
