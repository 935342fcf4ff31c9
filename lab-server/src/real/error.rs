//! Why a run on real servers could not be made, each with what to do next.

use std::io;
use std::time::Duration;

use lab_core::scenario::Run;
use lab_core::world::WorldError;
use redis::RedisError;

use super::disturbance::{self, Disturbance};
use super::remains::{self, Remains};
use super::stores::REPLAYED_WITHIN;
use crate::adapters::database::TABLES;
use crate::harness::{Address, HarnessError, OperatorError, PostgresNode, RedisNode};

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The stores were not fit for it, or could not be left as they were found.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The world could not do what the scenario asked, or broke under way.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A mistake of the lab's own.
    #[error("the lab made a mistake: {0}; please report it with the command that led to it")]
    Panicked(String),
    /// It failed, and what it had brought to somebody else's servers could not be taken away.
    #[error("{why}; and then the lab could not clean up:\n{}", remains::list(left))]
    Remains {
        /// Why it failed.
        why: Box<RunError>,
        /// What is still there.
        left: Vec<Remains>,
    },
    /// It came to its end, and has a verdict; but what it had brought to somebody else's servers could not be taken away.
    #[error("the run is over, but then the lab could not clean up:\n{}", remains::list(left))]
    Left {
        /// The run.
        run: Box<Run>,
        /// What is still there.
        left: Vec<Remains>,
    },
    /// Something happened that the scenario is not about: whatever was seen says nothing of the policy.
    #[error("{}", no_verdict(.disturbances, ended.as_deref()))]
    NoVerdict {
        /// All of it.
        disturbances: Vec<Disturbance>,
        /// How the run itself ended, if it did not come to its end.
        ended: Option<Box<RunError>>,
    },
    /// The lab could not watch over itself.
    #[error(
        "watch whether the lab itself is stopped: {0}; let it have more threads and open files (`ulimit -a`)"
    )]
    Deaf(io::Error),
    /// Whoever wanted the run wants it no more.
    #[error("interrupted")]
    Interrupted,
}

impl RunError {
    /// What happened to a run that was played and has no verdict, whatever became of it then.
    pub fn disturbances(&self) -> Option<&[Disturbance]> {
        match self {
            Self::NoVerdict { disturbances, .. } => Some(disturbances),
            Self::Remains { why, .. } => why.disturbances(),
            _ => None,
        }
    }
}

/// Why the stores could not be prepared for a run, or left after it.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// Redis did not do it.
    #[error("{doing}: {source}")]
    Redis {
        /// What was being done.
        doing: String,
        /// Redis' answer.
        source: RedisError,
    },
    /// The Redis nodes of our own did not get the roles again that they began with.
    #[error("give the Redis nodes back the roles that they began with: {0}")]
    Roles(HarnessError),
    /// PostgreSQL did not do it.
    #[error("{doing}: {why}")]
    Postgres {
        /// What was being done.
        doing: String,
        /// PostgreSQL's answer.
        why: String,
    },
    /// The Redis Cluster that was named holds somebody's data. Nothing was written there.
    #[error("{}", not_empty(*node, address, *keys, example, *of_the_lab))]
    NotEmpty {
        /// The node.
        node: RedisNode,
        /// Where it is.
        address: Address,
        /// How many keys it holds.
        keys: u64,
        /// The name of one.
        example: String,
        /// Whether that one is named as the lab's own are.
        of_the_lab: bool,
    },
    /// The database that was named has a schema of our name. Nothing was written there.
    #[error("{}", taken(database, *of_the_lab))]
    Taken {
        /// The database.
        database: String,
        /// Whether another run of the lab made it.
        of_the_lab: bool,
    },
    /// Another run of the lab is there.
    #[error("{}", occupied(who))]
    Occupied {
        /// What it says of itself.
        who: String,
    },
    /// A Redis node does not let the lab do what a run, or its end, needs. Nothing was written there.
    #[error(
        "{node} of --redis ({address}) refuses {command}, which a run, or cleaning up after it, needs: {source}; \
         allow it, {ELSEWHERE}"
    )]
    Refuses {
        /// The node.
        node: RedisNode,
        /// Where it is.
        address: Address,
        /// What was tried, on a key that is not there.
        command: &'static str,
        /// Redis' answer.
        source: RedisError,
    },
    /// The user may not make a schema. Nothing was written there.
    #[error(
        "the user {user:?} of --postgres may not make a schema in the database {database:?}: GRANT CREATE ON \
         DATABASE to it, {ELSEWHERE}"
    )]
    NoRight {
        /// The user.
        user: String,
        /// The database.
        database: String,
    },
    /// Between the lab and PostgreSQL is a pooler that hands out sessions by the transaction.
    #[error(
        "{0} of --postgres is behind a pooler that gives each transaction another session (as PgBouncer does with \
         pool_mode = transaction), and the lab prepares its statements in sessions of its own: name PostgreSQL's own \
         address, or a pool with pool_mode = session, {ELSEWHERE}"
    )]
    Pooler(PostgresNode),
    /// A server gave no answer, and the time for it is over.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// A mistake of the lab's own, or a thread that it could not get.
    #[error("the lab failed: {0}")]
    Panicked(String),
    /// A master without slots: nothing of the lab's would ever come there.
    #[error("{0} of --redis holds no slots: name a cluster whose masters all do")]
    NoSlot(RedisNode),
    /// A server that was named has too few connections left for the run, which has not begun.
    #[error(
        "{server}: the run needs {needs} connections there at once, and {left} are left ({limit}); raise that limit or \
         end other clients, {ELSEWHERE}"
    )]
    NoRoom {
        /// The server.
        server: String,
        /// The connections that the run needs there.
        needs: u32,
        /// Those that can still be had.
        left: i64,
        /// What limits them.
        limit: String,
    },
    /// A replica does not follow.
    #[error(
        "{0} has not replayed a row within {REPLAYED_WITHIN:?}: is its replay paused, or does it follow another primary?"
    )]
    Lagging(PostgresNode),
}

fn no_verdict(disturbances: &[Disturbance], ended: Option<&RunError>) -> String {
    let told = disturbance::told(disturbances);
    ended.map_or(told.clone(), |ended| format!("{told}\n(the run itself ended with: {ended})"))
}

/// What to do where the named servers have no room.
const ELSEWHERE: &str = "or leave --redis and --postgres out, and the lab starts servers of its own";

fn not_empty(node: RedisNode, address: &Address, keys: u64, example: &str, of_the_lab: bool) -> String {
    let noun = if keys == 1 { "key" } else { "keys" };
    let found = format!("{node} of --redis ({address}) holds {keys} {noun}, {example:?} for one");
    if of_the_lab {
        return format!(
            "{found}, of another run of the lab: wait until that run is over (the keys of one that was killed \
             expire by themselves), name another Redis Cluster, {ELSEWHERE}"
        );
    }
    format!(
        "{found}: the lab runs on an empty Redis Cluster only, so that no data can be lost, and has written \
         nothing there; name an empty one, {ELSEWHERE}"
    )
}

fn occupied(who: &str) -> String {
    format!(
        "another run of the lab is on the Redis Cluster of --redis ({who:?}): wait until it is over (the claim of one \
         that was killed goes by itself within half a minute), name another Redis Cluster, {ELSEWHERE}"
    )
}

fn taken(database: &str, of_the_lab: bool) -> String {
    if of_the_lab {
        return format!(
            "the database {database:?} of --postgres has the schema cache_lab of another run of the lab: wait until \
             that run is over (one that was killed leaves it: DROP TABLE {TABLES}; DROP SCHEMA cache_lab), name another database, {ELSEWHERE}"
        );
    }
    format!(
        "the database {database:?} of --postgres has a schema called cache_lab that the lab did not make, and has \
         not touched: name another database, {ELSEWHERE}"
    )
}

impl StoresError {
    /// Wraps an answer of Redis with what was being done.
    pub(super) fn redis(doing: impl Into<String>) -> impl FnOnce(RedisError) -> Self {
        let doing = doing.into();
        move |source| Self::Redis { doing, source }
    }

    /// Wraps an answer of PostgreSQL, or its silence, with what was being done.
    pub(super) fn postgres(doing: impl Into<String>) -> impl FnOnce(OperatorError) -> Self {
        let doing = doing.into();
        move |error| Self::Postgres { doing, why: error.to_string() }
    }
}
