//! The claim: one key on somebody else's Redis Cluster that says who is a guest there. Whoever finds it stays out,
//! whatever database they use. It is renewed as long as the guest is there, and goes by itself soon after.

use std::time::Duration;

use futures_util::future;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::Reach;
use crate::real::stores::connect;

/// The claim's name. It bears the prefix of all that is the lab's, and no run's mark.
pub(super) const KEY: &str = "cache-lab:{claim}";

/// How long it stays where its guest is gone without a word.
pub(super) const HELD_FOR: Duration = Duration::from_secs(30);

/// Often enough that a node which is silent for a while costs nobody their claim.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Letters of a claim that are read: it may be anybody's.
const SHOWN_MAX: usize = 300;

/// KEYS: the claim. ARGV: its text, milliseconds. 1 = renewed, 0 = it is not ours.
const RENEW: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                     redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";

/// KEYS: the claim. ARGV: how its text begins. 1 = gone, 0 = it was not ours.
pub(super) const RELEASE: &str = "local held = redis.call(\"GET\", KEYS[1]) \
                                  if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end \
                                  return redis.call(\"DEL\", KEYS[1])";

/// Who is here, if anybody is.
pub(super) async fn held_by(connection: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
    let mut question = cmd("GETRANGE");
    question.arg(KEY).arg(0).arg(SHOWN_MAX);
    let text: Vec<u8> = question.query_async(connection).await?;
    Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()))
}

/// Takes the claim; `false` where somebody has it.
pub(super) async fn take(connection: &mut MultiplexedConnection, text: &str) -> RedisResult<bool> {
    let mut take = cmd("SET");
    take.arg(KEY).arg(text).arg("NX").arg("PX").arg(millis());
    take.query_async(connection).await
}

fn millis() -> u64 {
    u64::try_from(HELD_FOR.as_millis()).unwrap_or(u64::MAX)
}

/// The shard that the claim lives on, and a connection to the node of it that takes writes.
pub(super) struct Shard {
    /// Its nodes as they were found: one of them takes writes, and which one may change.
    reach: Reach,
    number: u8,
    connection: Option<MultiplexedConnection>,
}

impl Shard {
    pub(super) fn new(reach: Reach, number: u8) -> Self {
        Self { reach, number, connection: None }
    }

    /// Gives the claim back, if it bears the mark.
    pub(super) async fn release(&mut self, mark: &str) -> RedisResult<()> {
        self.run(RELEASE, &[mark.to_owned()]).await.map(drop)
    }

    /// Renews the claim, or takes it anew where its time was over; somebody else, where they were quicker.
    async fn renew(&mut self, text: &str) -> RedisResult<Option<String>> {
        if self.run(RENEW, &[text.to_owned(), millis().to_string()]).await? {
            return Ok(None);
        }
        let Some(connection) = &mut self.connection else { return Ok(None) };
        if take(connection, text).await? { Ok(None) } else { held_by(connection).await }
    }

    async fn run(&mut self, script: &str, arguments: &[String]) -> RedisResult<bool> {
        let mut invoke = cmd("EVAL");
        invoke.arg(script).arg(1).arg(KEY).arg(arguments);
        if let Some(mut connection) = self.connection.take()
            && let Ok(answer) = invoke.query_async(&mut connection).await
        {
            self.connection = Some(connection);
            return Ok(answer);
        }
        // All at once: the one that was the master may be silent, and a replica in its place.
        let nodes = self.reach.redis.iter().filter(|endpoint| endpoint.node.shard() == self.number);
        let tries = nodes.map(|endpoint| {
            Box::pin(async {
                let mut connection = connect(&self.reach, &endpoint.data).await?;
                let answer = invoke.query_async(&mut connection).await?;
                RedisResult::Ok((answer, connection))
            })
        });
        let tries: Vec<_> = tries.collect();
        if tries.is_empty() {
            return Err((redis::ErrorKind::Client, "the claim's shard has no nodes").into());
        }
        let ((answer, connection), _) = future::select_ok(tries).await?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Renews a claim until it is dropped.
pub(super) struct Renewal(JoinHandle<()>);

impl Renewal {
    /// Begins, on the current runtime. Who has taken the place meanwhile is told to `displaced`.
    pub(super) fn start(mut shard: Shard, text: String, displaced: watch::Sender<Option<String>>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                // A node that is out of reach for long loses the claim: it is taken anew when the node is back.
                if let Ok(Some(somebody)) = shard.renew(&text).await {
                    displaced.send_replace(Some(somebody));
                    return;
                }
            }
        }))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}
