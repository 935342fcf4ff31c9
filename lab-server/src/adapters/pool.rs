//! Connections to one PostgreSQL node: a bounded pool, first come, first served.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime,
};
use lab_core::ports::DatabaseError;
use lab_core::value::ServerId;
use lab_core::world::deadline;
use tokio::time::error::Elapsed;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::{Config, Error, NoTls, Statement};

use super::ConnectError;
use super::observer::Recorder;
use super::refusals::{self, Store};
use crate::harness::{address_of, describe};

/// To reach the server with the wish that it stop a statement.
const CALL_OFF_WITHIN: Duration = Duration::from_secs(1);

/// A pool of connections to one node.
pub(super) struct NodePool {
    pool: Pool,
    /// Where refusals are counted.
    recorder: Arc<Recorder>,
    /// Where the node is, for whoever cannot connect.
    address: String,
}

impl NodePool {
    /// A pool that opens its connections when they are wanted.
    pub(super) fn new(
        server: ServerId,
        config: &Config,
        size: u32,
        recorder: Arc<Recorder>,
    ) -> Result<Self, ConnectError> {
        let (mut config, address) = (config.clone(), address_of(config));
        // What somebody's sessions are called tells theirs from everybody else's.
        let prefix = config.get_application_name().map(|name| format!("{name}, ")).unwrap_or_default();
        config.application_name(format!("{prefix}{server}"));
        // A connection is checked for being closed only: a test query would double every read's round trips.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(usize::try_from(size.max(1)).unwrap_or(1))
            .queue_mode(QueueMode::Fifo)
            .wait_timeout(Some(deadline::POOL))
            .create_timeout(Some(deadline::OPEN))
            .recycle_timeout(Some(deadline::OPEN))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| ConnectError::Postgres(server, format!("{address}: {error}")))?;
        Ok(Self { pool, recorder, address })
    }

    /// Opens every connection and prepares `statements` on it, so that the first requests do not pay for it.
    pub(super) async fn warm(&self, server: ServerId, statements: &[&str]) -> Result<(), ConnectError> {
        let postgres = |error: String| ConnectError::Postgres(server, format!("{}: {error}", self.address));
        let mut connections = Vec::new();
        for _ in 0..self.pool.status().max_size {
            let connection = self.pool.get().await.map_err(|error| postgres(describe(&error)))?;
            for statement in statements {
                let prepared = connection.prepare_cached(statement).await;
                prepared.map_err(|error| postgres(describe(&error)))?;
            }
            connections.push(connection);
        }
        Ok(())
    }

    /// How many calls wait before one that would come now; `None` if it would not wait.
    pub(super) fn queue(&self) -> Option<u32> {
        let status = self.pool.status();
        let is_full = status.size >= status.max_size && status.available == 0;
        is_full.then(|| u32::try_from(status.waiting).unwrap_or(u32::MAX))
    }

    /// A connection, when it is this call's turn, and its prepared statement. Nothing that changes a row was sent
    /// yet: an error means "not done".
    pub(super) async fn get(&self, statement: &str) -> Result<(Object, Statement), DatabaseError> {
        let connection = self.pool.get().await.map_err(|error| self.no_connection(&error))?;
        match self.prepare(&connection, statement).await {
            Ok(statement) => Ok((connection, statement)),
            Err(error) => {
                // It may have given no answer at all: nobody shall wait behind it.
                drop(Object::take(connection));
                Err(error)
            }
        }
    }

    /// A prepared statement of a connection: sent once a connection, then remembered.
    pub(super) async fn prepare(
        &self,
        connection: &Object,
        statement: &str,
    ) -> Result<Statement, DatabaseError> {
        let prepared = tokio::time::timeout(deadline::STATEMENT, connection.prepare_cached(statement)).await;
        let slow =
            |_| DatabaseError::Failed(format!("no answer to PREPARE within {:?}", deadline::STATEMENT));
        prepared.map_err(slow)?.map_err(|error| {
            self.refused(&error);
            // It changes no row, so whatever became of it nothing was done.
            DatabaseError::Failed(describe(&error))
        })
    }

    /// Gives a connection back with its answer. One whose answer did not come is thrown away, since the next statement
    /// would wait behind it; and what it waits for is called off.
    pub(super) fn settle<T>(
        &self,
        connection: Object,
        answered: Result<Result<T, Error>, Elapsed>,
    ) -> Result<T, DatabaseError> {
        if let Ok(answer) = answered {
            return answer.map_err(|error| self.refused(&error));
        }
        let token = connection.cancel_token();
        drop(Object::take(connection));
        // Where the server is out of reach it hears nothing of this either.
        tokio::spawn(tokio::time::timeout(CALL_OFF_WITHIN, async move { token.cancel_query(NoTls).await }));
        Err(DatabaseError::Unknown)
    }

    /// Counts a refusal, and says what became of the statement that got it.
    pub(super) fn refused(&self, error: &Error) -> DatabaseError {
        let (answer, words) = refusals::of_postgres(error);
        self.recorder.refused(Store::Postgres, answer, &words);
        classify(error)
    }

    /// No connection could be had. To wait for long is no refusal: others were there first.
    fn no_connection(&self, error: &PoolError) -> DatabaseError {
        if let PoolError::Backend(error) = error {
            self.refused(error);
        }
        DatabaseError::Failed(format!("{}: {}", self.address, describe(error)))
    }
}

/// Waits for the answer of a statement that was told to take `expected`.
pub(super) async fn answered<T>(
    expected: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, Elapsed> {
    tokio::time::timeout(expected + deadline::STATEMENT, answer).await
}

/// What the server refused was not done. A connection that broke leaves it open, and so does a server that ends the
/// connection: a backend that is told to end may have committed already.
fn classify(error: &Error) -> DatabaseError {
    match error.as_db_error() {
        Some(refusal) if !leaves_it_open(refusal) => DatabaseError::Failed(describe(error)),
        _ => DatabaseError::Unknown,
    }
}

fn leaves_it_open(refusal: &DbError) -> bool {
    let code = refusal.code();
    let fatal = matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    fatal || code.code().starts_with("08") || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
}
