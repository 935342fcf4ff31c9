//! An operator's connection to one PostgreSQL node, past every fault. What listens at an address that somebody named
//! may never say a word, so every answer is waited for with a limit. App servers have limits of their own, in
//! `adapters`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row};

/// A connection of TCP, unless the configuration says otherwise (`connect_timeout`).
const TCP_WITHIN: Duration = Duration::from_secs(3);
/// One answer: to the start-up of a connection, or to a query.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A batch of statements, which may wait for locks.
const BATCH_WITHIN: Duration = Duration::from_secs(10);

/// A transaction of the guest's, which gives up by itself a little earlier: see [`LIMITS`].
const TRANSACTION_WITHIN: Duration = Duration::from_secs(6);
/// To reach the server with the wish that it stop a statement.
const CALL_OFF_WITHIN: Duration = Duration::from_secs(1);

/// For one transaction, so that a session which a pooler hands on keeps none of it. A lock that somebody holds, or a
/// standby that is not there, must hold up nobody for ever, least of all when the lab has gone meanwhile.
const LIMITS: &str = "
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SET LOCAL synchronous_commit = local;";

/// In a list of sessions it is told from everybody else's.
const COMMIT: &str = "COMMIT /* cache_lab. */";

/// A connection. Its task ends with it. It leaves no prepared statement and no setting in the session, which may be a
/// pooler's.
pub(crate) struct Operator {
    client: Client,
    /// Whether something was sent whose answer nobody has heard.
    unanswered: AtomicBool,
}

/// Why an operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The server refused, or the connection broke.
    #[error("{}", describe(.0))]
    Refused(Error),
    /// There was no connection, or no answer to its start-up.
    #[error(
        "it did not answer the start-up of a connection within {0:?} (does something other than PostgreSQL listen \
         there, or has the server stopped?)"
    )]
    NoStart(Duration),
    /// The statement was sent. Whether it is done is not known.
    #[error(
        "it did not answer within {0:?} (has the server stopped, is it very busy, or does another session hold a \
         lock? see pg_stat_activity)"
    )]
    NoAnswer(Duration),
}

impl Operator {
    /// Connects, with the connection's own task on the current runtime.
    pub(crate) async fn connect(config: &Config) -> Result<Self, OperatorError> {
        // The crate's own limit ends with the connection of TCP: who accepts it may still be silent.
        let tcp = config.get_connect_timeout().copied().unwrap_or(TCP_WITHIN);
        let within = tcp.saturating_add(ANSWER_WITHIN);
        let mut config = config.clone();
        let connecting = config.connect_timeout(tcp).connect(NoTls);
        let connected = tokio::time::timeout(within, connecting).await;
        let (client, connection) =
            connected.map_err(|_| OperatorError::NoStart(within))?.map_err(OperatorError::Refused)?;
        tokio::spawn(async move {
            // The client's calls report what went wrong here.
            let _ = connection.await;
        });
        Ok(Self { client, unanswered: AtomicBool::new(false) })
    }

    /// Executes statements, in one transaction if they do not say otherwise.
    pub(crate) async fn batch_execute(&self, statements: &str) -> Result<(), OperatorError> {
        self.answered(BATCH_WITHIN, self.client.batch_execute(statements)).await
    }

    /// Executes statements in a transaction with limits of its own, up to its commit: see [`Operator::commit`]. If
    /// nobody waits for them any more, the server rolls them back, however late it gets to them.
    pub(crate) async fn begin(&self, statements: &str) -> Result<(), OperatorError> {
        let begun = format!("BEGIN; {LIMITS} {statements}");
        let done = self.answered(TRANSACTION_WITHIN, self.client.batch_execute(&begun)).await;
        if done.is_err() {
            // The first error is the one to tell; where there is no answer to this either, the connection is lost.
            let _ = self.roll_back().await;
        }
        done
    }

    /// Makes it last. Without an answer nobody knows whether it does.
    pub(crate) async fn commit(&self) -> Result<(), OperatorError> {
        self.answered(TRANSACTION_WITHIN, self.client.batch_execute(COMMIT)).await
    }

    /// Ends a transaction that was left open.
    pub(crate) async fn roll_back(&self) -> Result<(), OperatorError> {
        self.answered(CALL_OFF_WITHIN, self.client.batch_execute("ROLLBACK")).await
    }

    /// The one row of a query.
    pub(crate) async fn query_one(
        &self,
        query: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Row, OperatorError> {
        self.answered(ANSWER_WITHIN, self.client.query_typed_one(query, parameters)).await
    }

    /// The row of a query, if there is one.
    pub(crate) async fn query_opt(&self, query: &str) -> Result<Option<Row>, OperatorError> {
        self.answered(ANSWER_WITHIN, self.client.query_typed_opt(query, &[])).await
    }

    /// The rows of a query.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Row>, OperatorError> {
        self.answered(ANSWER_WITHIN, self.client.query_typed(query, &[])).await
    }

    /// Asks the server to stop what it has not answered. Its answer may still come.
    pub(crate) async fn call_off(&self) {
        if self.unanswered.swap(false, Ordering::Relaxed) {
            // Where the server cannot be reached, nothing can be called off.
            let token = self.client.cancel_token();
            let _ = tokio::time::timeout(CALL_OFF_WITHIN, token.cancel_query(NoTls)).await;
        }
    }

    /// Waits for an answer. What is not answered in time is called off; what nobody waits for any more (this future was
    /// dropped) can be, later.
    async fn answered<T>(
        &self,
        within: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, OperatorError> {
        self.unanswered.store(true, Ordering::Relaxed);
        if let Ok(answer) = tokio::time::timeout(within, answer).await {
            self.unanswered.store(false, Ordering::Relaxed);
            return answer.map_err(OperatorError::Refused);
        }
        self.call_off().await;
        Err(OperatorError::NoAnswer(within))
    }

    /// The connection without limits.
    pub(crate) fn into_client(self) -> Client {
        self.client
    }
}

impl OperatorError {
    /// The server's code for its refusal.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Refused(error) => error.code(),
            Self::NoStart(_) | Self::NoAnswer(_) => None,
        }
    }
}

/// `tokio_postgres`' own text names only the kind of error; the server's words are in its sources.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
