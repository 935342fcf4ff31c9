//! PostgreSQL: rows with a version, on a primary and its replicas.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::{FutureExt, future};
use lab_core::ports::{Clock, Committed, Database, DatabaseError, ReadFrom, Row, Settled, Unpublished};
use lab_core::trace::{self, Actor, Kind, Note};
use lab_core::value::{Instant, Key, ServerId, Value, Version, WriteId};
use tokio_postgres::error::DbError;
use tokio_postgres::types::{FromSql, PgLsn, ToSql};
use tokio_postgres::{Config, Statement};

use super::ConnectError;
use super::observer::Recorder;
use super::pool::{NodePool, answered};
use super::time::RunClock;
use crate::harness::{PostgresNode, Reach, describe};

/// The tables of the lab, in a schema of their own, which must not be there yet: `data` holds the rows; `members` says
/// who is live, by the database's own clock; `outbox` holds the names of writes (a refused one has no version), and since
/// when nobody has taken those that are to be published. Their commit is waited for, as [`UPSERT`]'s is.
pub(crate) const SCHEMA: &str = "
    SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off';
    CREATE SCHEMA cache_lab;
    CREATE TABLE cache_lab.data (
        key text PRIMARY KEY, value text NOT NULL, version bigint NOT NULL
    );
    CREATE TABLE cache_lab.members (
        server smallint PRIMARY KEY, incarnation bigint NOT NULL, lease_until timestamptz NOT NULL,
        barred boolean NOT NULL DEFAULT false
    );
    CREATE TABLE cache_lab.outbox (
        id uuid PRIMARY KEY, key text, version bigint, untaken timestamptz,
        since timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE INDEX untaken ON cache_lab.outbox (untaken) WHERE untaken IS NOT NULL;";

/// Every table of [`SCHEMA`].
pub(crate) const TABLES: &str = "cache_lab.data, cache_lab.members, cache_lab.outbox";

/// Inserts a row as version 1, or gives it the next version. Where commits are not waited for (`synchronous_commit` is
/// off, which a role or a database may have set), this one is: [`POSITION`] would else lie before it. The setting ends
/// with the statement's own transaction, and costs no round trip. What nobody selects from is not executed, so the row
/// that it answers mentions it.
pub(crate) const UPSERT: &str = "
    WITH flushed AS (
        SELECT set_config('synchronous_commit', 'local', true)
        WHERE current_setting('synchronous_commit') = 'off'
    )
    INSERT INTO cache_lab.data AS held (key, value, version) VALUES ($1, $2, 1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = held.version + 1
    RETURNING version, (SELECT count(*) FROM flushed)";

/// The same, and the write's name goes into the outbox. Where it stands there already the statement fails, and so nothing is
/// written.
const UPSERT_NAMED: &str = "
    WITH flushed AS (
        SELECT set_config('synchronous_commit', 'local', true)
        WHERE current_setting('synchronous_commit') = 'off'
    ), written AS (
        INSERT INTO cache_lab.data AS held (key, value, version) VALUES ($1, $2, 1)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = held.version + 1
        RETURNING key, version
    )
    INSERT INTO cache_lab.outbox (id, key, version, untaken)
    SELECT $3::text::uuid, key, version, clock_timestamp() FROM written
    RETURNING version, (SELECT count(*) FROM flushed)";

/// The name of the outbox's unique index, as an error tells it.
const OUTBOX_NAMES: &str = "outbox_pkey";

/// Puts a name into the outbox as refused, or finds the write that stands there: a write under way is waited for. The update
/// changes nothing, but what it answers is the row as it is committed.
const SETTLE: &str = "
    WITH flushed AS (
        SELECT set_config('synchronous_commit', 'local', true)
        WHERE current_setting('synchronous_commit') = 'off'
    )
    INSERT INTO cache_lab.outbox AS held (id) VALUES ($1::text::uuid)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING version, (SELECT count(*) FROM flushed)";

/// Takes the oldest that nobody has taken for so many seconds, and throws away the names that nobody can ask for any more:
/// TCP gives a segment up after a quarter of an hour.
const TAKE_UNPUBLISHED: &str = "
    WITH forgotten AS (
        DELETE FROM cache_lab.outbox WHERE untaken IS NULL AND since < clock_timestamp() - interval '1 hour'
    )
    UPDATE cache_lab.outbox SET untaken = clock_timestamp() WHERE id IN (
        SELECT id FROM cache_lab.outbox WHERE untaken <= clock_timestamp() - $1 * interval '1 second'
        ORDER BY untaken LIMIT 32 FOR UPDATE SKIP LOCKED
    )
    RETURNING id::text, key, version";

const PUBLISHED: &str =
    "UPDATE cache_lab.outbox SET untaken = NULL, since = clock_timestamp() WHERE id = $1::text::uuid";

const FORGET: &str = "DELETE FROM cache_lab.outbox WHERE id = $1::text::uuid";

const READ: &str = "SELECT value, version FROM cache_lab.data WHERE key = $1";

/// The row is read first and the statement sleeps then: the answer is as old as the statement.
const SLOW_READ: &str = "
    WITH found AS MATERIALIZED (SELECT value, version FROM cache_lab.data WHERE key = $1)
    SELECT found.value, found.version, pg_sleep($2)
    FROM (VALUES (1)) AS always LEFT JOIN found ON true";

/// How far the write-ahead log is on disk: after [`UPSERT`] its commit is in there. The position up to which records are
/// inserted may stand behind the header of a page to come, where no replica is before the next record.
pub(crate) const POSITION: &str = "SELECT pg_current_wal_flush_lsn()";

/// How long ago, in seconds, the newest transaction was committed that this replica has replayed.
const REPLAYED: &str = "
    SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8";

/// A server's pools of connections to the primary and the replicas.
pub struct PostgresDatabase {
    server: ServerId,
    recorder: Arc<Recorder>,
    clock: RunClock,
    query_time: Duration,
    primary: NodePool,
    /// By number, the first is replica 1.
    replicas: Vec<NodePool>,
}

impl PostgresDatabase {
    /// Opens the pool to the primary; those to the replicas open when they are read from.
    pub(super) async fn connect(
        server: ServerId,
        reach: &Reach,
        connections: u32,
        query_time: Duration,
        recorder: Arc<Recorder>,
    ) -> Result<Self, ConnectError> {
        let pool = |config| NodePool::new(server, config, connections, Arc::clone(&recorder));
        let primary = pool(primary(server, reach)?)?;
        primary.warm(server, &[READ, SLOW_READ, UPSERT, UPSERT_NAMED, POSITION]).await?;
        let is_replica = |node| matches!(node, PostgresNode::Replica(_));
        let replicas = reach.postgres.iter().filter(|endpoint| is_replica(endpoint.node));
        let replicas = replicas.map(|endpoint| pool(&endpoint.config));
        let replicas = replicas.collect::<Result<_, _>>()?;
        Ok(Self { server, clock: recorder.clock(), recorder, query_time, primary, replicas })
    }

    /// Takes a connection to the primary, and notes it where that means to wait: nobody else sees the queue.
    async fn take_primary(&self, statement: &str) -> Result<(Object, Statement), DatabaseError> {
        if let Some(ahead) = self.primary.queue() {
            // The call is the newest event of whoever is polled now.
            let message = trace::cause().and_then(|called| self.recorder.message_of(called));
            let queued = Note::new(Kind::Queued { ahead }).message(message);
            self.recorder.note(Actor::Server(self.server), queued);
        }
        self.primary.get(statement).await
    }

    async fn read_primary(&self, key: &Key) -> Result<Row, DatabaseError> {
        let text = if self.query_time.is_zero() { READ } else { SLOW_READ };
        let (connection, statement) = self.take_primary(text).await?;
        let seconds = self.query_time.as_secs_f64();
        let key = key.as_str();
        let parameters: &[&(dyn ToSql + Sync)] =
            if self.query_time.is_zero() { &[&key] } else { &[&key, &seconds] };
        let as_of = self.clock.now();
        let answer = answered(self.query_time, connection.query_opt(&statement, parameters)).await;
        row(self.primary.settle(connection, answer)?.as_ref(), as_of)
    }

    /// Asks how far the replica is, and then for the row, in one go: what it has replayed before the second statement
    /// began is in the row.
    async fn read_replica(&self, pool: &NodePool, key: &Key) -> Result<Row, DatabaseError> {
        let (connection, read) = pool.get(READ).await?;
        let replayed = pool.prepare(&connection, REPLAYED).await?;
        let key = key.as_str();
        let asked = self.clock.now();
        let row_of: [&(dyn ToSql + Sync); 1] = [&key];
        let answer =
            future::try_join(connection.query_one(&replayed, &[]), connection.query_opt(&read, &row_of));
        let answer = answered(Duration::ZERO, answer).await;
        let (replayed, found) = pool.settle(connection, answer)?;
        // No transaction was replayed yet: nothing is known of the replica's age.
        let behind: Option<f64> = column(&replayed, 0)?;
        let behind = behind.map_or(Duration::MAX, |seconds| Duration::from_secs_f64(seconds.max(0.0)));
        let nanos = u64::try_from(behind.as_nanos()).unwrap_or(u64::MAX);
        row(found.as_ref(), Instant(asked.0.saturating_sub(nanos)))
    }
}

impl Database for PostgresDatabase {
    async fn read(&self, key: &Key, from: ReadFrom) -> Result<Row, DatabaseError> {
        match from {
            ReadFrom::Primary => self.read_primary(key).await,
            ReadFrom::Replica(number) => {
                let pool = usize::from(number).checked_sub(1).and_then(|index| self.replicas.get(index));
                let none = || DatabaseError::Failed(format!("there is no replica {number}"));
                self.read_replica(pool.ok_or_else(none)?, key).await
            }
        }
    }

    async fn update(
        &self,
        key: &Key,
        value: &Value,
        id: Option<WriteId>,
    ) -> Result<Committed, DatabaseError> {
        let text = if id.is_some() { UPSERT_NAMED } else { UPSERT };
        let (connection, upsert) = self.take_primary(text).await?;
        let position = self.primary.prepare(&connection, POSITION).await?;
        let (key, value) = (key.as_str(), value.as_str());
        let as_of = self.clock.now();
        // Both statements go out together, so that the position costs no round trip; each is a transaction of its
        // own, so the position is read after the commit.
        let name = id.map(|id| id.to_string());
        let written: [&(dyn ToSql + Sync); 3] = [&key, &value, &name];
        let written = if name.is_some() { &written[..] } else { &written[..2] };
        let answer =
            future::join(connection.query_one(&upsert, written), connection.query_one(&position, &[]));
        let answer = answered(Duration::ZERO, answer.map(Ok)).await;
        let (committed, position) = self.primary.settle(connection, answer)?;
        let committed =
            committed.map_err(|error| match error.as_db_error().and_then(DbError::constraint) {
                // Whoever asked what became of it had no answer, and made sure that there is nothing to ask for.
                Some(OUTBOX_NAMES) => {
                    DatabaseError::Failed("somebody has settled that it is not done".to_owned())
                }
                _ => self.primary.refused(&error),
            })?;
        // Whoever asks only for the position may be refused; the row is committed all the same.
        let position = position.map_err(|error| {
            self.primary.refused(&error);
            DatabaseError::Unknown
        })?;
        let position: PgLsn = column(&position, 0)?;
        Ok(Committed { version: version(&committed, 0)?, lsn: position.into(), as_of })
    }

    async fn settle(&self, id: WriteId) -> Result<Settled, DatabaseError> {
        let (connection, statement) = self.take_primary(SETTLE).await?;
        let id = id.to_string();
        let answer = answered(Duration::ZERO, connection.query_one(&statement, &[&id])).await;
        let settled = self.primary.settle(connection, answer)?;
        let committed: Option<i64> = column(&settled, 0)?;
        Ok(committed.map_or(Settled::Refused, |version| Settled::Committed(Version(version.unsigned_abs()))))
    }

    async fn unpublished(&self, after: Duration) -> Result<Vec<Unpublished>, DatabaseError> {
        let (connection, statement) = self.primary.get(TAKE_UNPUBLISHED).await?;
        let seconds = after.as_secs_f64();
        let answer = answered(Duration::ZERO, connection.query(&statement, &[&seconds])).await;
        self.primary.settle(connection, answer)?.iter().map(unpublished).collect()
    }

    async fn published(&self, id: WriteId, forget: bool) -> Result<(), DatabaseError> {
        let text = if forget { FORGET } else { PUBLISHED };
        let (connection, statement) = self.primary.get(text).await?;
        let id = id.to_string();
        let answer = answered(Duration::ZERO, connection.execute(&statement, &[&id])).await;
        self.primary.settle(connection, answer).map(drop)
    }
}

fn unpublished(row: &tokio_postgres::Row) -> Result<Unpublished, DatabaseError> {
    let (id, key): (&str, &str) = (column(row, 0)?, column(row, 1)?);
    let number = u128::from_str_radix(&id.replace('-', ""), 16);
    let number =
        number.map_err(|error| DatabaseError::Failed(format!("{id:?} is no name of a write: {error}")))?;
    Ok(Unpublished { id: WriteId(number), key: Key::new(key), version: version(row, 2)? })
}

fn row(found: Option<&tokio_postgres::Row>, as_of: Instant) -> Result<Row, DatabaseError> {
    let absent = Row { value: None, version: Version(0), as_of };
    let Some(found) = found else { return Ok(absent) };
    // The slow statement answers a row of nulls where there is none.
    let value: Option<&str> = column(found, 0)?;
    match value {
        Some(value) => Ok(Row { value: Some(Value::new(value)), version: version(found, 1)?, as_of }),
        None => Ok(absent),
    }
}

fn version(row: &tokio_postgres::Row, index: usize) -> Result<Version, DatabaseError> {
    let version: i64 = column(row, index)?;
    Ok(Version(u64::try_from(version).unwrap_or_default()))
}

fn column<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, index: usize) -> Result<T, DatabaseError> {
    row.try_get(index).map_err(|error| DatabaseError::Failed(describe(&error)))
}

/// How to connect to the primary.
pub(super) fn primary(server: ServerId, reach: &Reach) -> Result<&Config, ConnectError> {
    let found = reach.postgres.iter().find(|endpoint| endpoint.node == PostgresNode::Primary);
    let none = || ConnectError::Postgres(server, "there is no primary among the nodes".to_owned());
    Ok(&found.ok_or_else(none)?.config)
}
