//! Servers that somebody else runs, named by `--redis` and `--postgres`: finds their nodes and roles. Starts and
//! breaks nothing. A node that others must not miss is an error with the server's own reason; a replica is only looked
//! at, so one that does not answer is told and left out.
//!
//! * `redis_url`, `postgres_url`: what the URLs say, word by word; `passwords`: those that stand elsewhere
//! * `voice`: who listens there instead

mod passwords;
mod postgres_url;
mod redis_url;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::future::join_all;
use lab_core::cluster::SLOTS;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, RedisError, RedisResult, Value, cmd};
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

use super::endpoints::{Address, PostgresEndpoint, RedisEndpoint, ToldBy};
use super::error::HarnessError;
use super::notices::Notices;
use super::operator::{Operator, OperatorError};
use super::place::{PostgresNode, RedisNode};
pub(crate) use passwords::Passwords;
pub(crate) use postgres_url::{NamedHost, hosts as postgres_hosts};
pub(crate) use redis_url::{NamedNode, nodes as redis_nodes};

/// A connection to a Redis node with its start-up, and then each answer.
const REDIS_WITHIN: Duration = Duration::from_secs(3);

/// What a password does to a URL that it is a part of: where a piece of it is taken for the host, that piece would be
/// looked up and shown.
const ENCODE: &str =
    "in a password, @ is written %40, / %2F, a comma %2C, ? %3F, # %23, & %26, : %3A and % itself %25";

/// What to do where TLS is wanted.
const TUNNEL: &str =
    "the lab speaks no TLS: let a tunnel do it (stunnel, or `ssh -L`), and name the tunnel's own end";

/// Whether a `%` is there that encodes nothing: a raw one of a password, which would be read as something else.
fn has_stray_percent(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let digits = after.as_bytes();
        digits.len() < 2 || !digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

/// One line of CLUSTER SLOTS: a range, and the nodes that hold it, the master first.
type Range = (RangeInclusive<u16>, Vec<Address>);

/// The nodes of the cluster that the first reachable node belongs to, and how to log in.
pub(crate) async fn redis(
    named: &[NamedNode],
    notices: &Notices,
) -> Result<(Vec<RedisEndpoint>, RedisConnectionInfo), HarnessError> {
    let mut failures = Vec::new();
    for node in named {
        match cluster_slots(node).await {
            Ok(ranges) => {
                check_covered(node, &ranges)?;
                let settings = node.client.get_connection_info().redis_settings().clone();
                let endpoints = reachable(ranges, named, node, &settings, notices).await?;
                for failure in failures {
                    notices.add(format!("{failure}; another node that you named told of its cluster"));
                }
                return Ok((endpoints, settings));
            }
            Err(error) => {
                let why = why_not_redis(&error, &node.address).await;
                failures.push(format!("the Redis node at {}, which you named: {why}", node.address));
            }
        }
    }
    let mut failures = failures.into_iter();
    let first = failures.next().unwrap_or_else(|| "--redis: it names no node".to_owned());
    let (what, why) = first.split_once(": ").unwrap_or((&first, ""));
    let others = failures.len();
    let others =
        if others == 0 { String::new() } else { format!(" (nor does any of the {others} others answer)") };
    Err(HarnessError::named(what, format!("{why}{others}")))
}

/// A cluster that is being built, or has lost a shard, would refuse some of the keys.
fn check_covered(node: &NamedNode, ranges: &[Range]) -> Result<(), HarnessError> {
    let covered: usize = ranges.iter().map(|(range, _)| range.len()).sum();
    if covered == usize::from(SLOTS) {
        return Ok(());
    }
    let what = format!("the Redis node at {}, which you named", node.address);
    Err(HarnessError::named(what, format!("its cluster has nodes for {covered} of its {SLOTS} slots only")))
}

async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_WITHIN))
        .set_response_timeout(Some(REDIS_WITHIN));
    client.get_multiplexed_async_connection_with_config(&config).await
}

async fn cluster_slots(node: &NamedNode) -> RedisResult<Vec<Range>> {
    let mut connection = connect(&node.client).await?;
    let lines: Vec<(u16, u16, Vec<Value>)> =
        slot_lines(cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?)?;
    let mut ranges = Vec::new();
    for (first, last, nodes) in lines {
        let nodes =
            nodes.into_iter().map(|told| address(told, &node.address.host)).collect::<RedisResult<_>>()?;
        ranges.push((first..=last, nodes));
    }
    Ok(ranges)
}

/// The nodes that hold slots, as a node sees it; `asked` is that node's own host.
pub(crate) async fn masters(
    connection: &mut MultiplexedConnection,
    asked: &str,
) -> RedisResult<Vec<Address>> {
    let lines = slot_lines(cmd("CLUSTER").arg("SLOTS").query_async(connection).await?)?;
    let masters = lines.into_iter().filter_map(|(_, _, nodes)| nodes.into_iter().next());
    masters.map(|node| address(node, asked)).collect()
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

/// Why a node could not be asked, in its own words where it has said some.
async fn why_not_redis(error: &RedisError, address: &Address) -> String {
    // redis-rs gives a refusal's first word a name of its own.
    let said = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    };
    if said.contains("cluster support disabled") {
        return "it is no part of a cluster (cluster-enabled is off)".to_owned();
    }
    if said.contains("NOAUTH") || error.kind() == redis::ErrorKind::AuthenticationFailed {
        return format!(
            "{said}; write redis://:password@host or redis://user:password@host, or give the password in \
                        REDISCLI_AUTH; {ENCODE}"
        );
    }
    if said.contains("NOPERM") {
        return format!("{said}; its user needs the right to this command (ACL SETUSER)");
    }
    // What the server itself refused needs no other voice.
    let is_answer = error.code().is_some();
    let instead = if is_answer { None } else { voice::hear(address).await.instead_of_redis() };
    match instead {
        Some(instead) => instead,
        None if error.is_timeout() => format!(
            "it did not answer within {REDIS_WITHIN:?} (does something other than Redis listen there, or has the \
             node stopped?)"
        ),
        None => said,
    }
}

/// The endpoints of a cluster whose masters all answer, with one replica of each shard that does.
async fn reachable(
    ranges: Vec<Range>,
    named: &[NamedNode],
    asked: &NamedNode,
    settings: &RedisConnectionInfo,
    notices: &Notices,
) -> Result<Vec<RedisEndpoint>, HarnessError> {
    let shards = shards(ranges);
    let told_by = |address: &Address| {
        if named.iter().any(|node| node.address == *address) {
            ToldBy::You
        } else {
            ToldBy::Cluster(asked.address.clone())
        }
    };
    let addresses: BTreeSet<&Address> = shards.iter().flat_map(|(_, nodes)| nodes).collect();
    let looks = addresses.into_iter().map(async |address| (address, look(address, settings).await));
    let mut failures: BTreeMap<&Address, String> = BTreeMap::new();
    for (address, looked) in join_all(looks).await {
        if let Err(why) = looked {
            failures.insert(address, why);
        }
    }
    let (mut masters, mut replicas) = (Vec::new(), Vec::new());
    for (shard, (slots, nodes)) in (0..).zip(&shards) {
        let endpoint = |node, address: &Address| RedisEndpoint {
            node,
            told_by: told_by(address),
            slots: slots.clone(),
            advertised: address.clone(),
            data: address.clone(),
            bus: address.clone(),
        };
        let Some((master, others)) = nodes.split_first() else { continue };
        let master = endpoint(RedisNode::Master(shard), master);
        if let Some(why) = failures.get(&master.data) {
            return Err(HarnessError::named(master.to_string(), format!("{why}{}", master.told_by.advice())));
        }
        masters.push(master);
        // The lab shows one replica of each shard: others are left out.
        let mut replica = None;
        for other in others {
            let other = endpoint(RedisNode::Replica(shard), other);
            match failures.get(&other.data) {
                None => replica = replica.or(Some(other)),
                Some(why) => notices.add(format!("{other} is left out, since it is only looked at: {why}")),
            }
        }
        replicas.extend(replica);
    }
    masters.append(&mut replicas);
    Ok(masters)
}

/// Whether a node takes a connection and can serve.
async fn look(address: &Address, settings: &RedisConnectionInfo) -> Result<(), String> {
    let asking = async {
        let info = redis::ConnectionAddr::Tcp(address.host.clone(), address.port);
        let info = redis::IntoConnectionInfo::into_connection_info(info)?;
        let mut connection = connect(&Client::open(info.set_redis_settings(settings.clone()))?).await?;
        cmd("CLUSTER").arg("INFO").query_async::<String>(&mut connection).await
    };
    match asking.await {
        Ok(info) if info.contains("cluster_state:fail") => {
            Err("its cluster is down (cluster_state:fail): see `redis-cli --cluster check`".to_owned())
        }
        Ok(_) => Ok(()),
        // It is there, and may do all that the lab needs without that command.
        Err(error) if error.code().is_some_and(|code| ["NOPERM", "ERR"].contains(&code)) => Ok(()),
        Err(error) => Err(why_not_redis(&error, address).await),
    }
}

/// Each shard's slots and nodes, in the order of their first slots.
fn shards(mut ranges: Vec<Range>) -> Vec<(Vec<RangeInclusive<u16>>, Vec<Address>)> {
    ranges.sort_by_key(|(range, _)| *range.start());
    let mut shards: Vec<(Vec<RangeInclusive<u16>>, Vec<Address>)> = Vec::new();
    for (range, nodes) in ranges {
        match shards.iter_mut().find(|(_, known)| known.first() == nodes.first()) {
            Some((slots, _)) => slots.push(range),
            None => shards.push((vec![range], nodes)),
        }
    }
    shards
}

/// The nodes of that PostgreSQL, the primary first.
pub(crate) async fn postgres(
    hosts: &[NamedHost],
    notices: &Notices,
) -> Result<Vec<PostgresEndpoint>, HarnessError> {
    let (mut primaries, mut replicas, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (host, role) in hosts.iter().zip(join_all(hosts.iter().map(is_replica)).await) {
        match role {
            Ok(true) => replicas.push(host.config.clone()),
            Ok(false) => primaries.push(host.config.clone()),
            Err(why) => failures
                .push((format!("the PostgreSQL at {}, which you named", address_of(&host.config)), why)),
        }
    }
    let primary = match (<[Config; 1]>::try_from(primaries), failures.is_empty()) {
        (Ok([primary]), _) => primary,
        // The primary may be among those that did not answer.
        (Err(none), false) if none.is_empty() => {
            let (what, why) = failures.swap_remove(0);
            return Err(HarnessError::named(what, why));
        }
        (Err(primaries), _) => {
            let why = format!("one of its hosts must be a primary, and {} are", primaries.len());
            return Err(HarnessError::named("--postgres", why));
        }
    };
    for (what, why) in failures {
        notices.add(format!("{what}, is left out, since the primary answers: {why}"));
    }
    let replicas = (1..).map(PostgresNode::Replica).zip(replicas);
    let nodes = std::iter::once((PostgresNode::Primary, primary)).chain(replicas);
    let endpoint = |(node, config)| PostgresEndpoint { node, told_by: ToldBy::You, config };
    Ok(nodes.map(endpoint).collect())
}

async fn is_replica(host: &NamedHost) -> Result<bool, String> {
    let asking = async {
        let operator = Operator::connect(&host.config).await?;
        Ok(operator.query_one("SELECT pg_is_in_recovery()", &[]).await?.get(0))
    };
    match asking.await {
        Ok(is_replica) => Ok(is_replica),
        Err(error) => Err(why_not_postgres(&error, host).await),
    }
}

/// Why a host could not be asked, in its own words where it has said some.
async fn why_not_postgres(error: &OperatorError, host: &NamedHost) -> String {
    let said = error.to_string();
    if let Some(code) = error.code() {
        return match *code {
            SqlState::INVALID_PASSWORD => format!("{said}; {}; {ENCODE}", host.password),
            _ if said.contains("no encryption") => format!("{said}; where that asks for TLS: {TUNNEL}"),
            _ => said,
        };
    }
    if said.contains("password missing") {
        return format!(
            "it wants a password, and none was given: give it in PGPASSWORD, in a password file (PGPASSFILE, or \
             ~/.pgpass), or in the URL; {ENCODE}"
        );
    }
    let instead = match tcp_address(&host.config) {
        Some(address) => voice::hear(&address).await.instead_of_postgres(),
        None => None,
    };
    instead.unwrap_or(said)
}

fn tcp_address(config: &Config) -> Option<Address> {
    match config.get_hosts().first()? {
        Host::Tcp(name) => {
            Some(Address { host: name.clone(), port: config.get_ports().first().copied().unwrap_or(5432) })
        }
        Host::Unix(_) => None,
    }
}

/// Where a configuration for one host leads.
pub(crate) fn address_of(config: &Config) -> String {
    let port = config.get_ports().first().unwrap_or(&5432);
    match (tcp_address(config), config.get_hosts().first()) {
        (Some(address), _) => address.to_string(),
        (None, Some(Host::Unix(directory))) => format!("{} (port {port})", directory.display()),
        (None, _) => "nowhere".to_owned(),
    }
}

#[cfg(test)]
mod tests;
