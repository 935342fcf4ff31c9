//! Who must acknowledge: leases in a table of the primary, by its clock.

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::{DatabaseError, Member, Membership, Renewal};
use lab_core::value::ServerId;

use super::ConnectError;
use super::database::primary;
use super::observer::Recorder;
use super::pool::{NodePool, answered};
use crate::harness::{Reach, describe};

/// The lease counts from inside the statement, a little before its commit; the server itself counts from when it sent
/// the statement, which is earlier still. Answers with who else is live, and with the server itself unless it is barred. An
/// answer without it changed nothing.
const RENEW: &str = "
    WITH renewed AS (
        INSERT INTO cache_lab.members AS held (server, incarnation, lease_until)
        VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
        ON CONFLICT (server) DO UPDATE
        SET incarnation = excluded.incarnation, lease_until = excluded.lease_until, barred = false
        WHERE NOT (held.barred AND held.incarnation = excluded.incarnation AND held.lease_until > clock_timestamp())
        RETURNING server, incarnation
    )
    SELECT server, incarnation FROM renewed
    UNION ALL
    SELECT server, incarnation FROM cache_lab.members WHERE lease_until > clock_timestamp() AND server <> $1
    ORDER BY server";

const LIVE: &str = "
    SELECT server, incarnation FROM cache_lab.members WHERE lease_until > clock_timestamp() ORDER BY server";

const BAR: &str = "
    UPDATE cache_lab.members SET barred = true
    WHERE (server, incarnation) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))";

const LEAVE: &str = "DELETE FROM cache_lab.members WHERE server = $1 AND incarnation = $2";

/// A server's seat in the table. It has connections of its own: behind a herd of queries in the pool a renewal would come too
/// late, and the whole fleet would stop serving from memory just when it matters. Nor does it wait behind the questions of
/// writes.
pub struct PostgresMembership {
    server: ServerId,
    incarnation: u64,
    renewals: NodePool,
    questions: NodePool,
}

impl PostgresMembership {
    pub(super) async fn connect(
        server: ServerId,
        incarnation: u64,
        reach: &Reach,
        recorder: Arc<Recorder>,
    ) -> Result<Self, ConnectError> {
        let primary = primary(server, reach)?;
        let renewals = NodePool::new(server, primary, 1, Arc::clone(&recorder))?;
        renewals.warm(server, &[RENEW]).await?;
        let questions = NodePool::new(server, primary, 1, recorder)?;
        questions.warm(server, &[LIVE]).await?;
        Ok(Self { server, incarnation, renewals, questions })
    }

    /// The server and its incarnation, as the table holds them.
    fn name(&self) -> (i16, i64) {
        (i16::from(self.server.0), self.incarnation.cast_signed())
    }
}

impl Membership for PostgresMembership {
    async fn renew(&self, lease: Duration) -> Result<Renewal, DatabaseError> {
        let (connection, statement) = self.renewals.get(RENEW).await?;
        let ((server, incarnation), seconds) = (self.name(), lease.as_secs_f64());
        let answer =
            answered(Duration::ZERO, connection.query(&statement, &[&server, &incarnation, &seconds])).await;
        let live =
            self.renewals.settle(connection, answer)?.iter().map(member).collect::<Result<Vec<_>, _>>()?;
        let is_member = live.iter().any(|member| member.server == self.server);
        Ok(if is_member { Renewal::Member(live) } else { Renewal::Barred })
    }

    async fn live(&self) -> Result<Vec<Member>, DatabaseError> {
        let (connection, statement) = self.questions.get(LIVE).await?;
        let answer = answered(Duration::ZERO, connection.query(&statement, &[])).await;
        self.questions.settle(connection, answer)?.iter().map(member).collect()
    }

    async fn bar(&self, members: Vec<Member>) -> Result<(), DatabaseError> {
        let (connection, statement) = self.questions.get(BAR).await?;
        let servers: Vec<_> = members.iter().map(|member| i16::from(member.server.0)).collect();
        let incarnations: Vec<_> = members.iter().map(|member| member.incarnation.cast_signed()).collect();
        let answer =
            answered(Duration::ZERO, connection.execute(&statement, &[&servers, &incarnations])).await;
        self.questions.settle(connection, answer).map(drop)
    }

    async fn leave(&self) -> Result<(), DatabaseError> {
        let (connection, statement) = self.questions.get(LEAVE).await?;
        let (server, incarnation) = self.name();
        let answer = answered(Duration::ZERO, connection.execute(&statement, &[&server, &incarnation])).await;
        self.questions.settle(connection, answer).map(drop)
    }
}

fn member(row: &tokio_postgres::Row) -> Result<Member, DatabaseError> {
    let failed = |error: tokio_postgres::Error| DatabaseError::Failed(describe(&error));
    let (server, incarnation): (i16, i64) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    let number = u8::try_from(server).map_err(|_| DatabaseError::Failed(format!("no server {server}")))?;
    Ok(Member { server: ServerId(number), incarnation: incarnation.cast_unsigned() })
}
