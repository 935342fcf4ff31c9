//! Who must acknowledge: leases in a table of the primary, by its clock.

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::{DatabaseError, Member, Membership};
use lab_core::value::ServerId;

use super::ConnectError;
use super::database::primary;
use super::observer::Recorder;
use super::pool::{NodePool, answered};
use crate::harness::{Reach, describe};

/// The lease counts from inside the statement, a little before its commit; the server itself counts from when it sent
/// the statement, which is earlier still.
const RENEW: &str = "
    INSERT INTO cache_lab.members (server, incarnation, lease_until)
    VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
    ON CONFLICT (server) DO UPDATE SET incarnation = excluded.incarnation, lease_until = excluded.lease_until";

const LIVE: &str = "
    SELECT server, incarnation FROM cache_lab.members WHERE lease_until > clock_timestamp() ORDER BY server";

/// A server's seat in the table. It has a connection of its own: behind a herd of queries in the pool a renewal would
/// come too late, and the whole fleet would stop serving from memory just when it matters.
pub struct PostgresMembership {
    server: ServerId,
    incarnation: u64,
    connection: NodePool,
}

impl PostgresMembership {
    pub(super) async fn connect(
        server: ServerId,
        incarnation: u64,
        reach: &Reach,
        recorder: Arc<Recorder>,
    ) -> Result<Self, ConnectError> {
        let connection = NodePool::new(server, primary(server, reach)?, 1, recorder)?;
        connection.warm(server, &[RENEW, LIVE]).await?;
        Ok(Self { server, incarnation, connection })
    }
}

impl Membership for PostgresMembership {
    async fn renew(&self, lease: Duration) -> Result<(), DatabaseError> {
        let (connection, statement) = self.connection.get(RENEW).await?;
        let (server, incarnation) = (i16::from(self.server.0), self.incarnation.cast_signed());
        let seconds = lease.as_secs_f64();
        let answer =
            answered(Duration::ZERO, connection.execute(&statement, &[&server, &incarnation, &seconds]))
                .await;
        self.connection.settle(connection, answer).map(drop)
    }

    async fn live(&self) -> Result<Vec<Member>, DatabaseError> {
        let (connection, statement) = self.connection.get(LIVE).await?;
        let answer = answered(Duration::ZERO, connection.query(&statement, &[])).await;
        self.connection.settle(connection, answer)?.iter().map(member).collect()
    }
}

fn member(row: &tokio_postgres::Row) -> Result<Member, DatabaseError> {
    let failed = |error: tokio_postgres::Error| DatabaseError::Failed(describe(&error));
    let (server, incarnation): (i16, i64) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    let number = u8::try_from(server).map_err(|_| DatabaseError::Failed(format!("no server {server}")))?;
    Ok(Member { server: ServerId(number), incarnation: incarnation.cast_unsigned() })
}
