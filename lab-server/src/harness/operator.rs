//! An operator's connection to one PostgreSQL node, past every fault. What listens at an address that somebody named
//! may never say a word, so every answer is waited for with a limit. App servers have limits of their own, in
//! `adapters`.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, Statement, ToStatement};

/// A connection of TCP, unless the configuration says otherwise (`connect_timeout`).
const TCP_WITHIN: Duration = Duration::from_secs(3);
/// One answer: to the start-up of a connection, or to a query.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A batch of statements. It may wait for locks: those of the lab give up at a `lock_timeout` of ten seconds each, three
/// at most, and the server's own word is better than our impatience.
const BATCH_WITHIN: Duration = Duration::from_secs(35);

/// A connection. Its task ends with it.
pub(crate) struct Operator(Client);

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
        Ok(Self(client))
    }

    /// Executes statements, in one transaction if they do not say otherwise.
    pub(crate) async fn batch_execute(&self, statements: &str) -> Result<(), OperatorError> {
        answered(BATCH_WITHIN, self.0.batch_execute(statements)).await
    }

    /// The one row of a query.
    pub(crate) async fn query_one(
        &self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, OperatorError> {
        answered(ANSWER_WITHIN, self.0.query_one(query, parameters)).await
    }

    /// The row of a query, if there is one.
    pub(crate) async fn query_opt(&self, query: &str) -> Result<Option<Row>, OperatorError> {
        answered(ANSWER_WITHIN, self.0.query_opt(query, &[])).await
    }

    /// The rows of a query.
    pub(crate) async fn query<T: ToStatement + ?Sized>(&self, query: &T) -> Result<Vec<Row>, OperatorError> {
        answered(ANSWER_WITHIN, self.0.query(query, &[])).await
    }

    /// A query to be asked several times.
    pub(crate) async fn prepare(&self, query: &str) -> Result<Statement, OperatorError> {
        answered(ANSWER_WITHIN, self.0.prepare(query)).await
    }

    /// The connection without limits.
    pub(crate) fn into_client(self) -> Client {
        self.0
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

async fn answered<T>(
    within: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, OperatorError> {
    let answer = tokio::time::timeout(within, answer).await;
    answer.map_err(|_| OperatorError::NoAnswer(within))?.map_err(OperatorError::Refused)
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
