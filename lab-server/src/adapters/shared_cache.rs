//! L2 on a real Redis Cluster.

use std::time::Duration;

use lab_core::ports::{Leased, Locked, Replaced, SharedCache, SharedError, Stored, Unlocked};
use lab_core::trace::Actor;
use lab_core::value::{Entry, Key, Lookup, Token};
use redis::{Cmd, ErrorKind, ServerErrorKind, Value, cmd};

use super::cluster::{CallError, Cluster};
use super::keyspace::Keyspace;
use super::scripts::{Conditional, FILL, GET_OR_LEASE, REPLACE_OLDER, SET_IF_NEWER, UNLOCK};

/// The longest time to live that is sent: Redis refuses what would pass the end of its clock.
const TTL_MAX_MS: u64 = 1 << 50;

/// A server's view of the Redis Cluster.
pub struct RedisCache {
    cluster: Cluster,
    keyspace: Keyspace,
}

impl RedisCache {
    pub(super) fn new(cluster: Cluster, keyspace: Keyspace) -> Self {
        Self { cluster, keyspace }
    }

    fn stored(&self, key: &Key) -> String {
        self.keyspace.stored(key)
    }

    /// Runs a script by its hash; where the node does not know it, by its text.
    async fn run<T: redis::FromRedisValue>(
        &self,
        script: &Conditional,
        key: &Key,
        arguments: &[String],
    ) -> Result<T, SharedError> {
        let name = self.stored(key);
        let invoke =
            |how: &str, what: &str| -> Cmd { cmd(how).arg(what).arg(1).arg(&name).arg(arguments).clone() };
        match self.cluster.ask(&invoke("EVALSHA", script.hash())).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                Ok(self.cluster.call(&invoke("EVAL", script.text)).await?)
            }
            answer => Ok(answer.map_err(|error| self.cluster.failed(&error))?),
        }
    }

    async fn store(
        &self,
        script: &Conditional,
        key: &Key,
        arguments: &[String],
    ) -> Result<Stored, SharedError> {
        let stored: bool = self.run(script, key, arguments).await?;
        Ok(if stored { Stored::Stored } else { Stored::Refused })
    }
}

impl SharedCache for RedisCache {
    fn home(&self, key: &Key) -> Actor {
        self.cluster.home(&self.stored(key))
    }

    async fn get(&self, key: &Key) -> Result<Lookup, SharedError> {
        let held: Option<String> = self.cluster.call(cmd("GET").arg(self.stored(key))).await?;
        let value = held.filter(|held| is_value(held)).as_deref().map(entry).transpose()?;
        Ok(Lookup::from(value))
    }

    async fn set(&self, key: &Key, entry: &Entry, ttl: Duration) -> Result<(), SharedError> {
        let mut command = cmd("SET");
        command.arg(self.stored(key)).arg(text(entry)?).arg("PX").arg(millis(ttl));
        Ok(self.cluster.call(&command).await?)
    }

    async fn set_if_newer(&self, key: &Key, entry: &Entry, ttl: Duration) -> Result<Stored, SharedError> {
        let arguments = [text(entry)?, entry.stamp.version.0.to_string(), millis(ttl).to_string()];
        self.store(&SET_IF_NEWER, key, &arguments).await
    }

    async fn replace_older(&self, key: &Key, entry: &Entry, ttl: Duration) -> Result<Replaced, SharedError> {
        let arguments = [text(entry)?, entry.stamp.version.0.to_string(), millis(ttl).to_string()];
        Ok(match self.run::<u8>(&REPLACE_OLDER, key, &arguments).await? {
            0 => Replaced::Refused,
            1 => Replaced::Stored,
            _ => Replaced::Voided,
        })
    }

    async fn delete(&self, key: &Key) -> Result<(), SharedError> {
        Ok(self.cluster.call(cmd("DEL").arg(self.stored(key))).await?)
    }

    async fn get_or_lease(&self, key: &Key, token: Token, ttl: Duration) -> Result<Leased, SharedError> {
        let arguments = [text_of(token), millis(ttl).to_string()];
        match self.run(&GET_OR_LEASE, key, &arguments).await? {
            Value::Int(1) => Ok(Leased::Granted),
            Value::Int(_) => Ok(Leased::Held),
            value => {
                let held: String = redis::from_redis_value(value).map_err(|error| not_ours(&error))?;
                Ok(Leased::Found(entry(&held)?))
            }
        }
    }

    async fn fill(
        &self,
        key: &Key,
        token: Token,
        entry: &Entry,
        ttl: Duration,
    ) -> Result<Stored, SharedError> {
        let arguments = [text_of(token), text(entry)?, millis(ttl).to_string()];
        self.store(&FILL, key, &arguments).await
    }

    async fn lock(&self, name: &Key, token: Token, ttl: Duration) -> Result<Locked, SharedError> {
        let mut command = cmd("SET");
        command.arg(self.stored(name)).arg(text_of(token)).arg("NX").arg("PX").arg(millis(ttl));
        let granted: bool = self.cluster.call(&command).await?;
        Ok(if granted { Locked::Granted } else { Locked::Held })
    }

    async fn unlock(&self, name: &Key, token: Token) -> Result<Unlocked, SharedError> {
        let released: bool = self.run(&UNLOCK, name, &[text_of(token)]).await?;
        Ok(if released { Unlocked::Released } else { Unlocked::NotHeld })
    }
}

/// A lease's and a lock's token look the same, so that either is given back in the same way.
fn text_of(token: Token) -> String {
    format!("T{token}")
}

fn is_value(held: &str) -> bool {
    held.starts_with('{')
}

fn text(entry: &Entry) -> Result<String, SharedError> {
    serde_json::to_string(entry)
        .map_err(|error| SharedError::Failed(format!("the entry has no JSON: {error}")))
}

fn entry(held: &str) -> Result<Entry, SharedError> {
    serde_json::from_str(held).map_err(|error| not_ours(&error))
}

fn not_ours(error: &dyn std::error::Error) -> SharedError {
    SharedError::Failed(format!("the slot holds what the lab did not store: {error}"))
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, TTL_MAX_MS)
}

impl From<CallError> for SharedError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failed(why) => Self::Failed(why),
            CallError::Unknown => Self::Unknown,
        }
    }
}
