//! Servers that somebody else runs, named by `--redis` and `--postgres`: finds their nodes and roles. Starts and
//! breaks nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, RedisResult, Value, cmd};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::endpoints::{Address, PostgresEndpoint, RedisEndpoint};
use super::error::HarnessError;
use super::operator::{Operator, OperatorError, describe};
use super::place::{PostgresNode, RedisNode};

/// A connection to a Redis node with its start-up, and then each answer.
const REDIS_WITHIN: Duration = Duration::from_secs(3);

/// The slots of every cluster.
const SLOTS: usize = 16384;

/// One line of CLUSTER SLOTS: a range, and the nodes that hold it, the master first.
type Range = (RangeInclusive<u16>, Vec<Address>);

/// The nodes of the cluster that the first reachable URL belongs to, and how to log in.
pub(crate) async fn redis(
    urls: &[String],
) -> Result<(Vec<RedisEndpoint>, RedisConnectionInfo), HarnessError> {
    let mut failure = HarnessError::named("--redis", "it names no node");
    for url in urls {
        // The URL itself is not shown: it may hold a password.
        let client = Client::open(url.as_str()).map_err(|error| {
            HarnessError::named("--redis", format!("this is no address like redis://host:port ({error})"))
        })?;
        let node = format!("the Redis node at {}", client.get_connection_info().addr());
        match cluster_slots(&client).await {
            Ok((ranges, settings)) => {
                check_covered(&node, &ranges)?;
                return Ok((redis_endpoints(ranges), settings));
            }
            Err(error) if error.to_string().contains("cluster support disabled") => {
                failure = HarnessError::named(node, "it is no part of a cluster (cluster-enabled is off)");
            }
            Err(error) if error.is_timeout() => {
                let why = format!(
                    "it did not answer within {REDIS_WITHIN:?}: does something other than Redis listen there, or \
                     has the node stopped?"
                );
                failure = HarnessError::named(node, why);
            }
            Err(error) => failure = HarnessError::named(node, error.to_string()),
        }
    }
    Err(failure)
}

/// A cluster that is being built, or has lost a shard, would refuse some of the keys.
fn check_covered(node: &str, ranges: &[Range]) -> Result<(), HarnessError> {
    let covered: usize = ranges.iter().map(|(range, _)| range.len()).sum();
    if covered == SLOTS {
        return Ok(());
    }
    Err(HarnessError::named(node, format!("its cluster has nodes for {covered} of its {SLOTS} slots only")))
}

async fn cluster_slots(client: &Client) -> RedisResult<(Vec<Range>, RedisConnectionInfo)> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_WITHIN))
        .set_response_timeout(Some(REDIS_WITHIN));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let lines: Vec<(u16, u16, Vec<Value>)> =
        slot_lines(cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?)?;
    let info = client.get_connection_info();
    let asked = info.addr().to_string();
    let host = asked.rsplit_once(':').map_or(asked.as_str(), |(host, _)| host);
    let mut ranges = Vec::new();
    for (first, last, nodes) in lines {
        let nodes = nodes.into_iter().map(|node| address(node, host)).collect::<RedisResult<_>>()?;
        ranges.push((first..=last, nodes));
    }
    Ok((ranges, info.redis_settings().clone()))
}

fn slot_lines(lines: Vec<Vec<Value>>) -> RedisResult<Vec<(u16, u16, Vec<Value>)>> {
    let mut read = Vec::new();
    for line in lines {
        let mut words = line.into_iter();
        let (first, last) = (words.next().unwrap_or(Value::Nil), words.next().unwrap_or(Value::Nil));
        read.push((redis::from_redis_value(first)?, redis::from_redis_value(last)?, words.collect()));
    }
    Ok(read)
}

/// A node in CLUSTER SLOTS: its preferred host, port, id and more. No host means the one that was asked.
fn address(node: Value, asked: &str) -> RedisResult<Address> {
    let words: Vec<Value> = redis::from_redis_value(node)?;
    let mut words = words.into_iter();
    let host: Option<String> = redis::from_redis_value(words.next().unwrap_or(Value::Nil))?;
    let port = redis::from_redis_value(words.next().unwrap_or(Value::Nil))?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.to_owned());
    Ok(Address { host, port })
}

/// Shards are named in the order of their first slots. The lab shows one replica of each shard: others are left
/// out.
fn redis_endpoints(mut ranges: Vec<Range>) -> Vec<RedisEndpoint> {
    ranges.sort_by_key(|(range, _)| *range.start());
    let mut shards: BTreeMap<u16, (Vec<RangeInclusive<u16>>, Vec<Address>)> = BTreeMap::new();
    for (range, nodes) in ranges {
        match shards.values_mut().find(|(_, known)| known.first() == nodes.first()) {
            Some((slots, _)) => slots.push(range),
            None => drop(shards.insert(*range.start(), (vec![range], nodes))),
        }
    }
    let endpoint = |node, slots: &[RangeInclusive<u16>], address: &Address| RedisEndpoint {
        node,
        slots: slots.to_vec(),
        advertised: address.clone(),
        data: address.clone(),
        bus: address.clone(),
    };
    let (mut masters, mut replicas) = (Vec::new(), Vec::new());
    for (shard, (slots, nodes)) in (0..).zip(shards.values()) {
        masters.extend(nodes.first().map(|address| endpoint(RedisNode::Master(shard), slots, address)));
        replicas.extend(nodes.get(1).map(|address| endpoint(RedisNode::Replica(shard), slots, address)));
    }
    masters.append(&mut replicas);
    masters
}

/// The nodes of a PostgreSQL URL, the primary first.
pub(crate) async fn postgres(url: &str) -> Result<Vec<PostgresEndpoint>, HarnessError> {
    let whole: Config = url.parse().map_err(|error| {
        let why =
            format!("this is no address like postgresql://user@host:port/database ({})", describe(&error));
        HarnessError::named("--postgres", why)
    })?;
    if whole.get_ssl_mode() == SslMode::Require {
        return Err(HarnessError::named(
            "--postgres",
            "it wants TLS (sslmode=require), which the lab cannot do",
        ));
    }
    let (mut primaries, mut replicas) = (Vec::new(), Vec::new());
    for (index, host) in whole.get_hosts().iter().enumerate() {
        let config = single_host(&whole, host, index);
        let is_replica = is_replica(&config).await.map_err(|error| {
            HarnessError::named(format!("the PostgreSQL at {}", address_of(&config)), error.to_string())
        })?;
        if is_replica {
            replicas.push(config);
        } else {
            primaries.push(config);
        }
    }
    let [primary] = <[Config; 1]>::try_from(primaries).map_err(|primaries| {
        let why = format!("one of its hosts must be a primary, and {} are", primaries.len());
        HarnessError::named("--postgres", why)
    })?;
    let replicas = (1..).map(PostgresNode::Replica).zip(replicas);
    let nodes = std::iter::once((PostgresNode::Primary, primary)).chain(replicas);
    Ok(nodes.map(|(node, config)| PostgresEndpoint { node, config }).collect())
}

async fn is_replica(config: &Config) -> Result<bool, OperatorError> {
    let operator = Operator::connect(config).await?;
    Ok(operator.query_one("SELECT pg_is_in_recovery()", &[]).await?.get(0))
}

/// Where a configuration for one host leads.
fn address_of(config: &Config) -> String {
    let port = config.get_ports().first().unwrap_or(&5432);
    match config.get_hosts().first() {
        Some(Host::Tcp(name)) => format!("{name}:{port}"),
        Some(Host::Unix(directory)) => format!("{} (port {port})", directory.display()),
        None => "nowhere".to_owned(),
    }
}

/// The same settings for one host only, so that the roles stay apart.
fn single_host(whole: &Config, host: &Host, index: usize) -> Config {
    let mut config = Config::new();
    match host {
        Host::Tcp(name) => config.host(name),
        Host::Unix(directory) => config.host_path(directory),
    };
    // One port for all hosts, or one each.
    let ports = whole.get_ports();
    if let Some(port) = ports.get(index).or_else(|| ports.first()) {
        config.port(*port);
    }
    if let Some(user) = whole.get_user() {
        config.user(user);
    }
    if let Some(password) = whole.get_password() {
        config.password(password);
    }
    if let Some(database) = whole.get_dbname() {
        config.dbname(database);
    }
    if let Some(within) = whole.get_connect_timeout() {
        config.connect_timeout(*within);
    }
    config
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::TcpListener;

    use super::*;

    /// Longer than any limit, shorter than for ever.
    const SOON: Duration = Duration::from_secs(20);

    /// Takes every connection, and never says a word.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        (listener, address)
    }

    async fn refused<T>(asking: impl Future<Output = Result<T, HarnessError>>) -> String {
        let begun = Instant::now();
        let answer = tokio::time::timeout(SOON, asking).await;
        let answer = answer.unwrap_or_else(|_| panic!("nothing after {:?}", begun.elapsed()));
        answer.err().expect("nobody is there").to_string()
    }

    #[tokio::test]
    async fn a_silent_postgresql_is_told_and_not_waited_for() {
        let (_listener, address) = silent().await;
        let url = format!("postgresql://lab@{address}/lab?connect_timeout=1");
        let said = refused(postgres(&url)).await;
        assert!(said.contains(&address) && said.contains("within 6s"), "{said}");
        assert!(said.contains("something other than PostgreSQL"), "{said}");
    }

    #[tokio::test]
    async fn a_silent_redis_is_told_and_not_waited_for() {
        let (_listener, address) = silent().await;
        let said = refused(redis(&[format!("redis://{address}")])).await;
        assert!(said.contains(&address) && said.contains("within 3s"), "{said}");
        assert!(said.contains("something other than Redis"), "{said}");
    }
}
