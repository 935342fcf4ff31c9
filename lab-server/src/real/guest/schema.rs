//! The lab's schema on somebody else's PostgreSQL: how it comes and how it goes.

use tokio_postgres::error::SqlState;

use super::MARK;
use crate::adapters::database::SCHEMA;
use crate::harness::{Operator, OperatorError, PostgresEndpoint, PostgresNode};
use crate::real::error::StoresError;
use crate::real::remains::{Remains, psql};
use crate::real::stores::Stores;

/// The comment on the schema, if there is one.
const FIND_MARK: &str =
    "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'cache_lab'";

/// Without CASCADE: what somebody else has put there meanwhile keeps the schema.
const DROP: &str =
    "DROP TABLE IF EXISTS cache_lab.data, cache_lab.members, cache_lab.outbox; DROP SCHEMA cache_lab;";

/// Who the session is for the server, and what it may.
const RIGHTS: &str = "
    SELECT current_user::text, current_database()::text,
           has_database_privilege(current_database(), 'CREATE'), pg_backend_pid()";

const PROCESS: &str = "SELECT pg_backend_pid()";

/// Opens the connection that is kept for leaving, and makes sure that the schema can come and go. Nothing is written.
pub(super) async fn secure(stores: &Stores) -> Result<Operator, StoresError> {
    let primary = stores.primary()?;
    let client = stores.postgres(primary).await?;
    let rights = client.query_one(RIGHTS, &[]).await;
    let rights = rights.map_err(StoresError::postgres("ask PostgreSQL what the lab may do there"))?;
    if !rights.get::<_, bool>(2) {
        return Err(StoresError::NoRight { user: rights.get(0), database: rights.get(1) });
    }
    if let Some(mark) = found(&client).await.map_err(StoresError::postgres("look for a schema cache_lab"))? {
        return Err(taken(rights.get(1), mark.as_deref()));
    }
    expect_sessions(stores, primary, &client, rights.get(3)).await?;
    for replica in stores.replicas() {
        match expect_sessions_of(stores, replica).await {
            Err(error @ StoresError::Postgres { .. }) => stores.lose(replica, &error),
            whole => whole?,
        }
    }
    Ok(client)
}

/// The same of a replica, which nothing was asked yet.
async fn expect_sessions_of(stores: &Stores, replica: &PostgresEndpoint) -> Result<(), StoresError> {
    let client = stores.postgres(replica).await?;
    let process = process(&client).await.map_err(StoresError::postgres("ask for a session"))?;
    expect_sessions(stores, replica, &client, process).await
}

/// What one connection prepares must be there when it is used. A pooler that hands sessions out by the transaction gives
/// two connections the same one, or one connection two.
async fn expect_sessions(
    stores: &Stores,
    endpoint: &PostgresEndpoint,
    client: &Operator,
    process_before: i32,
) -> Result<(), StoresError> {
    let other = stores.postgres(endpoint).await?;
    let shared = async {
        other.batch_execute("BEGIN").await?;
        // With a single session in the pool, the question to the first connection would wait for the second's end.
        let shared = process(&other).await? == process_before || process(client).await? != process_before;
        other.roll_back().await?;
        Ok(shared)
    };
    match shared.await {
        Ok(false) => Ok(()),
        Ok(true) => Err(StoresError::Pooler(endpoint.node)),
        Err(error) => Err(StoresError::postgres(format!("open two sessions at {}", endpoint.node))(error)),
    }
}

async fn process(client: &Operator) -> Result<i32, OperatorError> {
    Ok(client.query_one(PROCESS, &[]).await?.get(0))
}

/// The schema's comment, if the schema is there.
async fn found(client: &Operator) -> Result<Option<Option<String>>, OperatorError> {
    Ok(client.query_opt(FIND_MARK).await?.map(|row| row.get(0)))
}

fn taken(database: String, mark: Option<&str>) -> StoresError {
    StoresError::Taken { database, of_the_lab: mark.is_some_and(|mark| mark.starts_with(MARK)) }
}

/// Makes the schema with its mark, up to the commit. If somebody else is making one too, the server gives up.
pub(super) async fn make(client: &Operator, mark: &str) -> Result<(), StoresError> {
    let made = client.begin(&format!("{SCHEMA} COMMENT ON SCHEMA cache_lab IS '{mark}';")).await;
    let Err(error) = made else { return Ok(()) };
    match error.code() {
        // The second where two make it at the same time.
        Some(&(SqlState::DUPLICATE_SCHEMA | SqlState::UNIQUE_VIOLATION)) => {
            let asked = async {
                let rights = client.query_one(RIGHTS, &[]).await?;
                Ok((rights.get(1), found(client).await?.flatten()))
            };
            let asked: Result<(String, Option<String>), OperatorError> = asked.await;
            let (database, mark) =
                asked.map_err(StoresError::postgres("ask whose the schema cache_lab is"))?;
            Err(taken(database, mark.as_deref()))
        }
        _ => Err(StoresError::postgres("make the lab's tables")(error)),
    }
}

/// One try to take the schema away, if it bears the mark; why it stays, where another try would end alike. `kept` is a
/// connection that may still serve; one that serves is kept again.
pub(super) async fn take_away(
    stores: &Stores,
    kept: &mut Option<Operator>,
    mark: &str,
) -> Result<Option<String>, StoresError> {
    let client = match kept.take() {
        Some(client) => client,
        None => primary_now(stores).await?,
    };
    let gone = drop_marked(&client, mark).await;
    let refused = gone.as_ref().err().and_then(OperatorError::code).cloned();
    // Where the server answers, the connection is good.
    if gone.is_ok() || refused.is_some() {
        *kept = Some(client);
    }
    let gone = gone.map_err(StoresError::postgres("take away the schema cache_lab"));
    match (gone, refused) {
        // Somebody has put something of theirs there, or has taken the rights away.
        (Err(error), Some(SqlState::DEPENDENT_OBJECTS_STILL_EXIST | SqlState::INSUFFICIENT_PRIVILEGE)) => {
            Ok(Some(error.to_string()))
        }
        (gone, _) => gone.map(|()| None),
    }
}

async fn drop_marked(client: &Operator, mark: &str) -> Result<(), OperatorError> {
    client.call_off().await;
    client.roll_back().await?;
    let Some(Some(held)) = found(client).await? else {
        return Ok(());
    };
    if held != mark {
        return Ok(());
    }
    end_sessions(client, mark).await?;
    client.begin(DROP).await?;
    client.commit().await
}

/// Sessions of servers that are dead may still be at their last statement (a commit that waits for a standby never ends
/// by itself), and hold the tables. They are told by the mark in their name and by what they do.
async fn end_sessions(client: &Operator, mark: &str) -> Result<(), OperatorError> {
    let question = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name LIKE '{mark}%' AND pid <> pg_backend_pid()
           AND state <> 'idle' AND query LIKE '%cache\\_lab.%'"
    );
    client.query(&question).await.map(drop)
}

/// The node that takes writes: another may do so by now.
async fn primary_now(stores: &Stores) -> Result<Operator, StoresError> {
    let client = match stores.postgres(stores.primary()?).await {
        Ok(client) => client,
        Err(error) => {
            for replica in stores.replicas() {
                if let Ok(client) = stores.postgres(replica).await
                    && let Ok(row) = client.query_one("SELECT pg_is_in_recovery()", &[]).await
                    && !row.get::<_, bool>(0)
                {
                    return Ok(client);
                }
            }
            return Err(error);
        }
    };
    Ok(client)
}

/// The schema, as something that remains.
pub(super) fn remains(stores: &Stores, mark: &str, why: String) -> Remains {
    let nodes = &stores.harness().endpoints().direct().postgres;
    let primary = nodes.iter().find(|endpoint| endpoint.node == PostgresNode::Primary);
    // Which schema goes is decided where it is: it may be another's by then.
    let statements = format!(
        "DO $$ BEGIN IF obj_description(to_regnamespace('cache_lab'), 'pg_namespace') = '{mark}' THEN {DROP} \
         END IF; END $$"
    );
    Remains {
        at: primary.map_or_else(|| "PostgreSQL".to_owned(), PostgresEndpoint::to_string),
        what: "the schema cache_lab".to_owned(),
        why,
        command: primary.map_or_else(String::new, |primary| psql(&primary.config, &statements)),
    }
}
