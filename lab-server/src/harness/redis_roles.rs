//! Who leads each shard of the Redis Cluster now, and how the nodes get the roles again that they began with: an election
//! changes a node's role, never its name.

use std::time::Duration;

use lab_core::cluster::Role;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, Value, cmd};

use super::Harness;
use super::error::HarnessError;
use super::process::Deadline;
use super::redis_cluster::{RedisCluster, RedisServer};

/// A replica that is up to date takes over in milliseconds.
const RESTORED_WITHIN: Duration = Duration::from_secs(20);

/// What a node says that it is.
struct Said {
    role: Role,
    /// Of a replica: whether it is up to date with its master.
    follows: bool,
}

impl Said {
    fn of(answer: &Value) -> Option<Self> {
        let Value::Array(words) = answer else { return None };
        let text = |place: usize| match words.get(place) {
            Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        };
        let role = match text(0)? {
            "master" => Role::Master,
            "slave" => Role::Replica,
            _ => return None,
        };
        Some(Self { role, follows: text(3) == Some("connected") })
    }
}

impl RedisServer {
    /// The role that it believes to have.
    pub async fn role(&self, connection: &mut MultiplexedConnection) -> Result<Role, HarnessError> {
        Ok(self.says(connection).await?.role)
    }

    async fn says(&self, connection: &mut MultiplexedConnection) -> Result<Said, HarnessError> {
        let answer: Value = self.ask(connection, &["ROLE"]).await?;
        let odd = || (ErrorKind::UnexpectedReturnType, "it is neither a master nor a replica").into();
        Said::of(&answer).ok_or_else(odd).map_err(HarnessError::redis(format!("ROLE on {}", self.name())))
    }

    /// Waits until it leads its shard; where another does, it takes over as soon as it is up to date.
    async fn lead(&self, deadline: Deadline) -> Result<bool, HarnessError> {
        let mut connection = self.connect().await?;
        if self.role(&mut connection).await? == Role::Master {
            return Ok(false);
        }
        let look = || {
            let mut connection = connection.clone();
            async move {
                let said = self.says(&mut connection).await.map_err(|error| error.to_string())?;
                match said {
                    Said { role: Role::Master, .. } => return Ok(()),
                    Said { follows: false, .. } => return Err("it is up to date with its master".to_owned()),
                    // It may be under way already, which is no error.
                    Said { .. } => {
                        let _ = cmd("CLUSTER").arg("FAILOVER").query_async::<()>(&mut connection).await;
                    }
                }
                Err("it leads its shard".to_owned())
            }
        };
        self.process().ready(deadline, look).await?;
        Ok(true)
    }
}

impl RedisCluster {
    /// Gives the nodes the roles again that they began with, and waits until every node sees a whole cluster. Where nobody
    /// was elected there is nothing to do.
    async fn restore_roles(&self, deadline: Deadline) -> Result<(), HarnessError> {
        let mut restored = false;
        for node in self.nodes.iter().filter(|node| node.slots().is_some()) {
            restored |= node.lead(deadline).await?;
        }
        if restored {
            for node in &self.nodes {
                self.complete(node, deadline).await?;
            }
        }
        Ok(())
    }
}

impl Harness {
    /// Gives the Redis nodes of our own the roles again that they began with.
    pub async fn restore_redis_roles(&self) -> Result<(), HarnessError> {
        let own = self.own("a Redis node's role")?;
        own.redis.restore_roles(Deadline::after(RESTORED_WITHIN)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Option<(Role, bool)> {
        let words = words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec()));
        Said::of(&Value::Array(words.collect())).map(|said| (said.role, said.follows))
    }

    #[test]
    fn a_node_says_its_role_and_whether_it_is_up_to_date() {
        assert_eq!(said(&["master", "120"]), Some((Role::Master, false)));
        assert_eq!(said(&["slave", "127.0.0.1", "7000", "connected", "120"]), Some((Role::Replica, true)));
        assert_eq!(said(&["slave", "127.0.0.1", "7000", "sync", "0"]), Some((Role::Replica, false)));
        assert_eq!(said(&["sentinel"]), None);
        assert_eq!(said(&[]), None);
    }
}
