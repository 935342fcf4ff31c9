//! On servers that somebody else runs the lab is a guest. It comes only where there is room, brings one schema with its
//! mark on it and keys under its prefix, and takes away what bears the one or the other, and nothing else.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use tokio_postgres::error::SqlState;

use super::error::StoresError;
use super::stores::Stores;
use crate::adapters::database::SCHEMA;
use crate::adapters::keyspace;
use crate::harness::{Operator, OperatorError, RedisEndpoint};

/// How the comment on every schema of the lab begins.
const MARK: &str = "Cache Lab";

/// The comment on the schema, if there is one.
const FIND_MARK: &str =
    "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'cache_lab'";

/// Without CASCADE: what somebody else has put there meanwhile keeps the schema. A server that dies may hold its lock
/// until its last statement is over.
const DROP: &str = "
    SET lock_timeout = '10s';
    DROP TABLE cache_lab.data, cache_lab.members;
    DROP SCHEMA cache_lab;";

/// What was still on its way from a server that died comes after the first sweep.
const SWEEPS: u8 = 2;

/// Keys that a node is asked for at once.
const SCAN_COUNT: u32 = 1000;

/// A guest with the mark that proves what is its own.
pub(super) struct Guest {
    mark: String,
    /// Whether the schema may exist: set before it is asked for, since the answer may be lost.
    arrived: AtomicBool,
}

impl Guest {
    pub(super) fn new() -> Self {
        let number = RandomState::new().hash_one(process::id());
        Self { mark: format!("{MARK}, run {number:016x}"), arrived: AtomicBool::new(false) }
    }

    /// Makes the schema, where Redis holds no key and PostgreSQL has no such schema.
    pub(super) async fn arrive(&self, stores: &Stores) -> Result<(), StoresError> {
        for master in stores.masters() {
            expect_empty(master, &mut stores.redis(master).await?).await?;
        }
        let client = stores.postgres(stores.primary()?).await?;
        self.arrived.store(true, Ordering::Relaxed);
        // One transaction: the schema is never there without its mark. If somebody else is making one too, the server
        // shall give up and not only we: else it would make ours when we have left.
        let statements =
            format!("SET lock_timeout = '10s'; {SCHEMA} COMMENT ON SCHEMA cache_lab IS '{}';", self.mark);
        match client.batch_execute(&statements).await {
            Ok(()) => Ok(()),
            Err(error) => Err(refusal(error, &client).await),
        }
    }

    /// Takes away the keys and the schema, if the schema is this guest's own.
    pub(super) async fn leave(&self, stores: &Stores) -> Result<(), StoresError> {
        if !self.arrived.load(Ordering::Relaxed) {
            return Ok(());
        }
        let client = stores.postgres(stores.primary()?).await?;
        let found = client.query_opt(FIND_MARK).await;
        let found = found.map_err(StoresError::postgres("look for the lab's schema"))?;
        let mark: Option<String> = found.and_then(|row| row.get(0));
        if mark.as_ref() == Some(&self.mark) {
            let swept = sweep(stores).await;
            let dropped = client.batch_execute(DROP).await;
            let by_hand = "take away the lab's schema (by hand: DROP SCHEMA cache_lab CASCADE)";
            swept.and(dropped.map_err(StoresError::postgres(by_hand)))?;
        }
        self.arrived.store(false, Ordering::Relaxed);
        Ok(())
    }
}

async fn expect_empty(
    master: &RedisEndpoint,
    connection: &mut MultiplexedConnection,
) -> Result<(), StoresError> {
    let doing = || StoresError::redis(format!("count the keys of {}", master.node));
    let keys: u64 = cmd("DBSIZE").query_async(connection).await.map_err(doing())?;
    if keys == 0 {
        return Ok(());
    }
    // Keys whose time is over are counted until they are looked at.
    let example: Option<Vec<u8>> = cmd("RANDOMKEY").query_async(connection).await.map_err(doing())?;
    let Some(example) = example else {
        return Ok(());
    };
    let example = String::from_utf8_lossy(&example).into_owned();
    let of_the_lab = keyspace::key_of(&example).is_some();
    Err(StoresError::NotEmpty { node: master.node, address: master.data.clone(), keys, example, of_the_lab })
}

/// Why the schema could not be made.
async fn refusal(error: OperatorError, client: &Operator) -> StoresError {
    match error.code() {
        // The second where two make it at the same time.
        Some(&(SqlState::DUPLICATE_SCHEMA | SqlState::UNIQUE_VIOLATION)) => match whose(client).await {
            Ok((database, of_the_lab)) => StoresError::Taken { database, of_the_lab },
            Err(error) => StoresError::postgres("ask whose the schema cache_lab is")(error),
        },
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let doing = "make a schema (the user of --postgres needs CREATE on the database)";
            StoresError::postgres(doing)(error)
        }
        _ => StoresError::postgres("make the lab's tables")(error),
    }
}

/// The database, and whether its schema bears a mark of the lab.
async fn whose(client: &Operator) -> Result<(String, bool), OperatorError> {
    let database = client.query_one("SELECT current_database()", &[]).await?.get(0);
    let found = client.query_opt(FIND_MARK).await?;
    let mark: Option<String> = found.and_then(|row| row.get(0));
    Ok((database, mark.is_some_and(|mark| mark.starts_with(MARK))))
}

async fn sweep(stores: &Stores) -> Result<(), StoresError> {
    for master in stores.masters() {
        let mut connection = stores.redis(master).await?;
        for _ in 0..SWEEPS {
            let swept = sweep_node(&mut connection).await;
            swept.map_err(StoresError::redis(format!("take away the lab's keys on {}", master.node)))?;
        }
    }
    Ok(())
}

async fn sweep_node(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut cursor = 0;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(keyspace::PATTERN).arg("COUNT").arg(SCAN_COUNT);
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        // Each by itself: a cluster's node refuses a command with keys of several slots.
        let mut unlinks = pipe();
        for key in &keys {
            unlinks.cmd("UNLINK").arg(key).ignore();
        }
        if !keys.is_empty() {
            unlinks.query_async::<()>(connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
