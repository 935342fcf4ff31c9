//! The lab's keys on somebody else's Redis nodes: what must be allowed there before the first is written, and how they
//! are taken away.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use futures_util::future;
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, cmd, pipe};

use lab_core::value::Key;

use super::{claim, guarded};
use crate::adapters::bus::CHANNEL;
use crate::adapters::keyspace::{self, Keyspace};
use crate::harness::{Address, RedisEndpoint, masters};
use crate::real::error::StoresError;
use crate::real::remains::{Remains, quoted, redis_cli};
use crate::real::stores::Stores;

/// What was still on its way from a server that died comes after the first sweep.
const SWEEPS_MIN: u8 = 2;

/// A node on which keys keep appearing is not swept for ever in one try.
const SWEEPS_MAX: u8 = 10;

/// Keys that a node is asked for at once.
const SCAN_COUNT: u32 = 1000;

/// Names that are tried for one that falls to a node: a node with a single slot is hit by one in 16384.
const NAMES_MAX: u32 = 400_000;

/// How a try to clear a node ended.
enum Cleared {
    /// No key of the run is there.
    Clean,
    /// It is a replica, whose keys go when its master's do.
    Replica,
}

/// Makes sure that a master is empty and does what a run and its end need. Nothing is written.
pub(super) async fn secure(
    stores: &Stores,
    master: &RedisEndpoint,
    keyspace: &Keyspace,
) -> Result<MultiplexedConnection, StoresError> {
    let mut connection = stores.redis(master).await?;
    expect_empty(master, &mut connection).await?;
    let key = key_at(master, keyspace).ok_or_else(|| StoresError::NoSlot(master.node))?;
    for (command, trial) in trials(&key, keyspace) {
        let answer: RedisResult<redis::Value> = trial.query_async(&mut connection).await;
        match answer {
            // It would run a script that it knows.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
            Err(source) => {
                let (node, address) = (master.node, master.data.clone());
                return Err(StoresError::Refuses { node, address, command, source });
            }
            Ok(_) => {}
        }
    }
    Ok(connection)
}

/// What a run and its end need, so put that none of it changes anything: the key is not there.
fn trials(key: &str, keyspace: &Keyspace) -> Vec<(&'static str, Cmd)> {
    let trial = |name: &'static str, words: &[&str]| (name, cmd(name).arg(words).clone());
    vec![
        trial("SCAN", &["0", "MATCH", &keyspace.pattern(), "COUNT", "1"]),
        trial("DEL", &[key]),
        trial("GET", &[key]),
        trial("SET", &[key, "", "XX", "PX", "1"]),
        trial("EVAL", &["return redis.call('GET', KEYS[1])", "1", key]),
        trial("EVALSHA", &["0000000000000000000000000000000000000000", "1", key]),
        trial("PUBLISH", &[CHANNEL, ""]),
        trial("WAIT", &["0", "1"]),
    ]
}

/// A name in the keyspace whose slot the node holds.
fn key_at(master: &RedisEndpoint, keyspace: &Keyspace) -> Option<String> {
    let slots: HashSet<Slot> = master.slots.iter().cloned().flatten().filter_map(Slot::new).collect();
    let names = (0..NAMES_MAX).map(|number| keyspace.stored(&Key::new(format!("trial:{number}"))));
    { names }.find(|name| slots.contains(&Slot::for_key(name)))
}

async fn expect_empty(
    master: &RedisEndpoint,
    connection: &mut MultiplexedConnection,
) -> Result<(), StoresError> {
    let doing = || StoresError::redis(format!("count the keys of {}", master.node));
    let keys: u64 = cmd("DBSIZE").query_async(connection).await.map_err(doing())?;
    if keys == 0 {
        return Ok(());
    }
    // Keys whose time is over are counted until they are looked at.
    let example: Option<Vec<u8>> = cmd("RANDOMKEY").query_async(connection).await.map_err(doing())?;
    let Some(example) = example else {
        return Ok(());
    };
    let example = String::from_utf8_lossy(&example).into_owned();
    let of_the_lab = keyspace::is_the_labs(&example);
    Err(StoresError::NotEmpty { node: master.node, address: master.data.clone(), keys, example, of_the_lab })
}

/// One try on every node of `left` at once; those that are clean go out of it, and those that are not stay with the
/// reason. `kept` are connections that may still serve.
pub(super) async fn clear(
    stores: &Stores,
    keyspace: &Keyspace,
    kept: &mut BTreeMap<Address, MultiplexedConnection>,
    left: &mut BTreeMap<Address, String>,
    until: Instant,
) {
    let tries = left.keys().cloned().map(|address| {
        let held = kept.remove(&address);
        async move { (guarded(clear_node(stores, keyspace, &address, held), until).await, address) }
    });
    for (cleared, address) in future::join_all(tries).await {
        match cleared {
            Ok((Cleared::Clean, connection)) => {
                kept.insert(address.clone(), connection);
                left.remove(&address);
            }
            Ok((Cleared::Replica, connection)) => {
                kept.insert(address.clone(), connection);
                left.insert(address, "it has become a replica".to_owned());
            }
            Err(error) => drop(left.insert(address, error.to_string())),
        }
    }
    if !left.is_empty()
        && let Some(masters) = ask_for_masters(kept).await
    {
        replace(left, &masters);
    }
}

/// Whoever has lost its slots to another node has lost its keys too, and gets the other's when it comes back.
fn replace(left: &mut BTreeMap<Address, String>, masters: &[Address]) {
    let before = left.len();
    left.retain(|address, _| masters.contains(address));
    if left.len() < before {
        for master in masters {
            left.entry(master.clone()).or_insert_with(|| "it has taken over another's slots".to_owned());
        }
    }
}

async fn ask_for_masters(kept: &mut BTreeMap<Address, MultiplexedConnection>) -> Option<Vec<Address>> {
    for (address, connection) in kept {
        if let Ok(masters) = masters(connection, &address.host).await {
            return Some(masters);
        }
    }
    None
}

async fn clear_node(
    stores: &Stores,
    keyspace: &Keyspace,
    address: &Address,
    held: Option<MultiplexedConnection>,
) -> Result<(Cleared, MultiplexedConnection), StoresError> {
    let mut connection = match held {
        Some(connection) => connection,
        None => stores.redis_at(address).await?,
    };
    match sweep(&mut connection, keyspace).await {
        Ok(()) => Ok((Cleared::Clean, connection)),
        Err(error) if moved(&error) => Ok((Cleared::Replica, connection)),
        Err(error) => Err(StoresError::redis("take away the lab's keys")(error)),
    }
}

fn moved(error: &redis::RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::ReadOnly))
}

/// Sweeps until a sweep finds nothing.
async fn sweep(connection: &mut MultiplexedConnection, keyspace: &Keyspace) -> RedisResult<()> {
    for sweep in 1..=SWEEPS_MAX {
        let found = sweep_once(connection, keyspace).await?;
        if found == 0 && sweep >= SWEEPS_MIN {
            return Ok(());
        }
    }
    Err((ErrorKind::Client, "keys of the run keep appearing").into())
}

/// Deletes every key of the run once; how many there were.
async fn sweep_once(connection: &mut MultiplexedConnection, keyspace: &Keyspace) -> RedisResult<usize> {
    let (mut cursor, mut found) = (0, 0);
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(keyspace.pattern()).arg("COUNT").arg(SCAN_COUNT);
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
        // Each by itself: a cluster's node refuses a command with keys of several slots.
        let mut deletes = pipe();
        for key in &keys {
            deletes.cmd("DEL").arg(key).ignore();
        }
        if !keys.is_empty() {
            deletes.query_async::<()>(connection).await?;
        }
        found += keys.len();
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

/// The keys on a node, as something that remains.
pub(super) fn remains(stores: &Stores, keyspace: &Keyspace, address: &Address, why: String) -> Remains {
    let direct = stores.harness().endpoints().direct();
    let cli = redis_cli(address, &direct.redis_settings);
    let pattern = keyspace.pattern();
    let named = direct.redis.iter().find(|endpoint| endpoint.data == *address);
    Remains {
        at: named.map_or_else(|| format!("Redis ({address})"), |node| format!("{} ({address})", node.node)),
        what: format!("the run's keys, {pattern} (each goes by itself when its time is over),"),
        why,
        command: format!("{cli} --scan --pattern {} | xargs -r -n 1 {cli} DEL", quoted(&pattern)),
    }
}

/// The claim, as something that remains.
pub(super) fn claim_remains(stores: &Stores, master: &RedisEndpoint, mark: &str, why: String) -> Remains {
    let cli = redis_cli(&master.data, &stores.harness().endpoints().direct().redis_settings);
    Remains {
        at: format!("{} ({})", master.node, master.data),
        what: format!("the key {} (it goes by itself within {:?})", claim::KEY, claim::HELD_FOR),
        why,
        command: format!("{cli} EVAL {} 1 {} {}", quoted(claim::RELEASE), quoted(claim::KEY), quoted(mark)),
    }
}
