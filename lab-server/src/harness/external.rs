//! Servers that somebody else runs, named by `--redis` and `--postgres`: finds their nodes and roles. Starts and
//! breaks nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, RedisResult, Value, cmd};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::endpoints::{Address, PostgresEndpoint, RedisEndpoint};
use super::error::HarnessError;
use super::place::{PostgresNode, RedisNode};
use super::postgres::connect;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// One line of CLUSTER SLOTS: a range, and the nodes that hold it, the master first.
type Range = (RangeInclusive<u16>, Vec<Address>);

/// The nodes of the cluster that the first reachable URL belongs to, and how to log in.
pub(crate) async fn redis(
    urls: &[String],
) -> Result<(Vec<RedisEndpoint>, RedisConnectionInfo), HarnessError> {
    let mut failure = HarnessError::Spec("--redis names no node".to_owned());
    for url in urls {
        match cluster_slots(url).await {
            Ok((ranges, settings)) => return Ok((redis_endpoints(ranges), settings)),
            Err(error) => failure = HarnessError::redis("ask the nodes of --redis for CLUSTER SLOTS")(error),
        }
    }
    Err(failure)
}

async fn cluster_slots(url: &str) -> RedisResult<(Vec<Range>, RedisConnectionInfo)> {
    let client = Client::open(url)?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(CONNECT_WITHIN));
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
    let whole: Config = url.parse().map_err(HarnessError::postgres("read --postgres"))?;
    let (mut primaries, mut replicas) = (Vec::new(), Vec::new());
    for (index, host) in whole.get_hosts().iter().enumerate() {
        let config = single_host(&whole, host, index);
        let doing = || HarnessError::postgres("ask a host of --postgres for its role");
        let client = connect(&config).await.map_err(doing())?;
        let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await.map_err(doing())?;
        if row.get(0) {
            replicas.push(config);
        } else {
            primaries.push(config);
        }
    }
    let [primary] = <[Config; 1]>::try_from(primaries).map_err(|primaries| {
        HarnessError::Spec(format!("--postgres must name one primary, its hosts have {}", primaries.len()))
    })?;
    let replicas = (1..).map(PostgresNode::Replica).zip(replicas);
    let nodes = std::iter::once((PostgresNode::Primary, primary)).chain(replicas);
    Ok(nodes.map(|(node, config)| PostgresEndpoint { node, config }).collect())
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
    config.connect_timeout(whole.get_connect_timeout().copied().unwrap_or(CONNECT_WITHIN));
    config
}
