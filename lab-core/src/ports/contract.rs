//! The contract suite: each port's behaviour, stated once and run over every adapter.
//!
//! It is how we know that the simulator tells the truth: whatever holds here of the simulated Redis and PostgreSQL
//! holds of the real ones, because the same bodies ran over both. Every clause uses keys of its own, so clauses may
//! run in any order on one cluster.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::join_all;

use super::{
    Arrival, Audience, Body, Bus, Clock, Database, Leased, Locked, Member, Membership, Notice, Ports,
    ReadFrom, Replaced, SharedCache, Stored, Subscription, Unlocked,
};
use crate::value::{Entry, Instant, Key, Lookup, Stamp, Token, Value, Version};

/// How long a value lives that shall not run out meanwhile.
const LONG: Duration = Duration::from_mins(1);
/// How long a value lives that shall run out, and how long to wait for that.
const SHORT: Duration = Duration::from_millis(100);
const PAST_SHORT: Duration = Duration::from_millis(400);
/// After so long without what must come, it will not come.
const DEADLINE: Duration = Duration::from_secs(5);

/// A clause that an adapter breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{clause}: {what}")]
pub struct Violation {
    /// The clause, in words.
    pub clause: &'static str,
    /// What was seen instead.
    pub what: String,
}

type Kept = Result<(), String>;

/// Runs every clause over the ports of two servers of one cluster.
///
/// # Errors
/// The first clause that is broken.
pub async fn suite<P: Ports>(one: &P, other: &P) -> Result<(), Violation> {
    let clause = |clause: &'static str| move |what: String| Violation { clause, what };
    let shared = one.shared();
    absent(shared).await.map_err(clause("what was never stored is a miss"))?;
    stored(shared).await.map_err(clause("what is stored is found, with its stamp"))?;
    negative(shared).await.map_err(clause("a row known to be absent is an answer, not a miss"))?;
    expiring(one).await.map_err(clause("a value is gone after its time to live"))?;
    versions(shared).await.map_err(clause("an older version does not replace a newer one"))?;
    replacing(shared)
        .await
        .map_err(clause("a value is replaced by a newer one, and an empty slot stays empty"))?;
    deleting(shared).await.map_err(clause("deleting empties the slot, and nothing there is no error"))?;
    leasing(shared).await.map_err(clause("one reader gets the lease, and its fill is found"))?;
    voiding(shared).await.map_err(clause("a write voids a lease: the late fill is refused"))?;
    lease_runs_out(one).await.map_err(clause("a lease runs out, and then the late fill is refused"))?;
    lease_given_back(one, other).await.map_err(clause("a lease that is given back is free for the next"))?;
    locking(one, other).await.map_err(clause("only its owner frees a lock"))?;
    lock_runs_out(one).await.map_err(clause("a lock runs out by itself"))?;
    lock_race(one, other).await.map_err(clause("of many who try at once, one gets the lock"))?;
    rows(one).await.map_err(clause("a commit gives the next version and a later log position"))?;
    no_row(one).await.map_err(clause("a row that does not exist reads as absent, version 0"))?;
    replicas(one).await.map_err(clause("a replica follows the primary"))?;
    broadcast(one, other).await.map_err(clause("a broadcast reaches every subscriber, in order"))?;
    addressed(one, other).await.map_err(clause("a notice for one server reaches no other"))?;
    members(one, other).await.map_err(clause("a member is live until its lease runs out"))?;
    Ok(())
}

fn key(name: &str) -> Key {
    Key::new(format!("contract:{name}"))
}

fn entry(version: u64) -> Entry {
    let stamp = Stamp { version: Version(version), as_of: Instant(version) };
    Entry { value: Some(Value::new(format!("\"{version}\" \u{20ac}"))), stamp }
}

/// An answer that must be this one.
fn same<T: PartialEq + Debug, E: Debug>(saw: Result<T, E>, wanted: &T) -> Kept {
    match saw {
        Ok(saw) if saw == *wanted => Ok(()),
        other => Err(format!("wanted {wanted:?}, saw {other:?}")),
    }
}

/// An answer that must come, whatever it is.
fn must<T, E: Debug>(saw: Result<T, E>) -> Result<T, String> {
    saw.map_err(|error| format!("failed: {error:?}"))
}

async fn absent(shared: &impl SharedCache) -> Kept {
    same(shared.get(&key("absent")).await, &Lookup::Miss)
}

async fn stored(shared: &impl SharedCache) -> Kept {
    let key = key("stored");
    must(shared.set(&key, &entry(3), LONG).await)?;
    same(shared.get(&key).await, &Lookup::Hit(entry(3)))
}

async fn negative(shared: &impl SharedCache) -> Kept {
    let key = key("negative");
    let none = Entry { value: None, ..entry(0) };
    must(shared.set(&key, &none, LONG).await)?;
    same(shared.get(&key).await, &Lookup::Negative(none.stamp))
}

async fn expiring(ports: &impl Ports) -> Kept {
    let (shared, key) = (ports.shared(), key("expiring"));
    must(shared.set(&key, &entry(1), SHORT).await)?;
    ports.clock().sleep(PAST_SHORT).await;
    same(shared.get(&key).await, &Lookup::Miss)
}

async fn versions(shared: &impl SharedCache) -> Kept {
    let key = key("versions");
    same(shared.set_if_newer(&key, &entry(9), LONG).await, &Stored::Stored)?;
    same(shared.set_if_newer(&key, &entry(8), LONG).await, &Stored::Refused)?;
    same(shared.get(&key).await, &Lookup::Hit(entry(9)))?;
    same(shared.set_if_newer(&key, &entry(9), LONG).await, &Stored::Stored)?;
    // Versions are numbers, not texts: 10 is more than 9.
    same(shared.set_if_newer(&key, &entry(10), LONG).await, &Stored::Stored)?;
    same(shared.get(&key).await, &Lookup::Hit(entry(10)))
}

async fn replacing(shared: &impl SharedCache) -> Kept {
    let key = key("replacing");
    // What an empty slot held before nobody knows: maybe something newer.
    same(shared.replace_older(&key, &entry(9), LONG).await, &Replaced::Voided)?;
    same(shared.get(&key).await, &Lookup::Miss)?;
    must(shared.set(&key, &entry(9), LONG).await)?;
    same(shared.replace_older(&key, &entry(8), LONG).await, &Replaced::Refused)?;
    same(shared.get(&key).await, &Lookup::Hit(entry(9)))?;
    // Versions are numbers, not texts: 10 is more than 9.
    same(shared.replace_older(&key, &entry(10), LONG).await, &Replaced::Stored)?;
    same(shared.get(&key).await, &Lookup::Hit(entry(10)))
}

async fn deleting(shared: &impl SharedCache) -> Kept {
    let key = key("deleting");
    must(shared.set(&key, &entry(1), LONG).await)?;
    same(shared.delete(&key).await, &())?;
    same(shared.get(&key).await, &Lookup::Miss)?;
    same(shared.delete(&key).await, &())
}

async fn leasing(shared: &impl SharedCache) -> Kept {
    let key = key("leasing");
    let (mine, theirs) = (Token(u64::MAX), Token(2));
    same(shared.get_or_lease(&key, mine, LONG).await, &Leased::Granted)?;
    same(shared.get_or_lease(&key, theirs, LONG).await, &Leased::Held)?;
    same(shared.get(&key).await, &Lookup::Miss)?;
    same(shared.fill(&key, theirs, &entry(1), LONG).await, &Stored::Refused)?;
    same(shared.fill(&key, mine, &entry(1), LONG).await, &Stored::Stored)?;
    same(shared.get_or_lease(&key, theirs, LONG).await, &Leased::Found(entry(1)))
}

async fn voiding(shared: &impl SharedCache) -> Kept {
    for (name, write) in
        [("voided-by-delete", 0), ("voided-by-set", 1), ("voided-by-newer", 2), ("voided-by-replacing", 3)]
    {
        let key = key(name);
        same(shared.get_or_lease(&key, Token(5), LONG).await, &Leased::Granted)?;
        match write {
            0 => must(shared.delete(&key).await)?,
            1 => must(shared.set(&key, &entry(2), LONG).await)?,
            2 => must(shared.set_if_newer(&key, &entry(2), LONG).await.map(drop))?,
            _ => same(shared.replace_older(&key, &entry(2), LONG).await, &Replaced::Voided)?,
        }
        same(shared.fill(&key, Token(5), &entry(1), LONG).await, &Stored::Refused)?;
        let left = if write == 0 || write == 3 { Lookup::Miss } else { Lookup::Hit(entry(2)) };
        same(shared.get(&key).await, &left)?;
    }
    Ok(())
}

async fn lease_runs_out(ports: &impl Ports) -> Kept {
    let (shared, key) = (ports.shared(), key("lease-runs-out"));
    same(shared.get_or_lease(&key, Token(1), SHORT).await, &Leased::Granted)?;
    ports.clock().sleep(PAST_SHORT).await;
    same(shared.get_or_lease(&key, Token(2), LONG).await, &Leased::Granted)?;
    same(shared.fill(&key, Token(1), &entry(1), LONG).await, &Stored::Refused)?;
    same(shared.fill(&key, Token(2), &entry(2), LONG).await, &Stored::Stored)
}

async fn lease_given_back(one: &impl Ports, other: &impl Ports) -> Kept {
    let key = key("lease-given-back");
    let (mine, theirs) = (Token(1), Token(2));
    same(one.shared().get_or_lease(&key, mine, LONG).await, &Leased::Granted)?;
    same(other.shared().unlock(&key, theirs).await, &Unlocked::NotHeld)?;
    same(other.shared().get_or_lease(&key, theirs, LONG).await, &Leased::Held)?;
    same(one.shared().unlock(&key, mine).await, &Unlocked::Released)?;
    same(one.shared().unlock(&key, mine).await, &Unlocked::NotHeld)?;
    same(one.shared().fill(&key, mine, &entry(1), LONG).await, &Stored::Refused)?;
    same(other.shared().get_or_lease(&key, theirs, LONG).await, &Leased::Granted)?;
    // What has been filled is no lease any more.
    same(other.shared().fill(&key, theirs, &entry(2), LONG).await, &Stored::Stored)?;
    same(other.shared().unlock(&key, theirs).await, &Unlocked::NotHeld)?;
    same(one.shared().get(&key).await, &Lookup::Hit(entry(2)))
}

async fn locking(one: &impl Ports, other: &impl Ports) -> Kept {
    let name = key("lock:{locking}");
    same(one.shared().lock(&name, Token(1), LONG).await, &Locked::Granted)?;
    same(other.shared().lock(&name, Token(2), LONG).await, &Locked::Held)?;
    same(other.shared().unlock(&name, Token(2)).await, &Unlocked::NotHeld)?;
    same(one.shared().unlock(&name, Token(1)).await, &Unlocked::Released)?;
    same(one.shared().unlock(&name, Token(1)).await, &Unlocked::NotHeld)?;
    same(other.shared().lock(&name, Token(2), LONG).await, &Locked::Granted)
}

async fn lock_runs_out(ports: &impl Ports) -> Kept {
    let (shared, name) = (ports.shared(), key("lock-runs-out"));
    same(shared.lock(&name, Token(1), SHORT).await, &Locked::Granted)?;
    ports.clock().sleep(PAST_SHORT).await;
    same(shared.lock(&name, Token(2), LONG).await, &Locked::Granted)?;
    same(shared.unlock(&name, Token(1)).await, &Unlocked::NotHeld)
}

async fn lock_race(one: &impl Ports, other: &impl Ports) -> Kept {
    let name = key("lock-race");
    let tries = (1..=10).map(|token| {
        let name = &name;
        async move {
            let token = Token(token);
            if token.0.is_multiple_of(2) {
                one.shared().lock(name, token, LONG).await
            } else {
                other.shared().lock(name, token, LONG).await
            }
        }
    });
    let granted = join_all(tries).await.into_iter().filter(|try_| *try_ == Ok(Locked::Granted)).count();
    same::<_, ()>(Ok(granted), &1)
}

async fn rows(ports: &impl Ports) -> Kept {
    let (database, key) = (ports.database(), key("rows"));
    let first = must(database.update(&key, &Value::new("50")).await)?;
    let sent = ports.clock().now();
    let second = must(database.update(&key, &Value::new("100")).await)?;
    let done = ports.clock().now();
    same::<_, ()>(Ok((first.version, second.version)), &(Version(1), Version(2)))?;
    if second.lsn <= first.lsn {
        return Err(format!("the log went from {} to {}", first.lsn, second.lsn));
    }
    if !(sent..=done).contains(&second.as_of) {
        return Err(format!("sent at {:?}, not within {sent:?} and {done:?}", second.as_of));
    }
    let row = must(database.read(&key, ReadFrom::Primary).await)?;
    same::<_, ()>(Ok((row.value, row.version)), &(Some(Value::new("100")), Version(2)))?;
    if row.as_of < done { Err(format!("as of {:?}, before {done:?}", row.as_of)) } else { Ok(()) }
}

async fn no_row(ports: &impl Ports) -> Kept {
    let row = must(ports.database().read(&key("no-row"), ReadFrom::Primary).await)?;
    same::<_, ()>(Ok((row.value, row.version)), &(None, Version(0)))
}

async fn replicas(ports: &impl Ports) -> Kept {
    let (database, key) = (ports.database(), key("replicas"));
    let wanted = must(database.update(&key, &Value::new("here")).await)?.version;
    let deadline = ports.clock().now().after(DEADLINE);
    for replica in 1..=2 {
        loop {
            let row = must(database.read(&key, ReadFrom::Replica(replica)).await)?;
            if row.version == wanted {
                break;
            }
            if ports.clock().now() > deadline {
                return Err(format!("replica {replica} still has {row:?}"));
            }
            ports.clock().sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

fn notice<P: Ports>(from: &P, number: u64, body: Body) -> Notice {
    Notice { from: from.server(), incarnation: from.incarnation(), number, body }
}

/// The next notice that comes from `from`; what others publish meanwhile is passed over.
async fn next_from<P: Ports>(
    subscription: &mut <P::Bus as Bus>::Subscription,
    ports: &P,
    from: &P,
) -> Result<Notice, String> {
    let deadline = std::pin::pin!(ports.clock().sleep(DEADLINE));
    let next = async {
        loop {
            match subscription.next().await {
                Arrival::Notice(notice, _) if notice.from == from.server() => return Ok(notice),
                Arrival::Notice(..) => {}
                Arrival::Closed => return Err("the subscription ended".to_owned()),
            }
        }
    };
    match futures_util::future::select(std::pin::pin!(next), deadline).await {
        futures_util::future::Either::Left((next, _)) => next,
        futures_util::future::Either::Right(_) => Err(format!("nothing came within {DEADLINE:?}")),
    }
}

async fn broadcast<P: Ports>(one: &P, other: &P) -> Kept {
    let mut here = must(one.bus().subscribe().await)?;
    let mut there = must(other.bus().subscribe().await)?;
    let bodies = [
        Body::Invalidate { key: key("broadcast"), version: Some(Version(2)), acknowledge: true },
        Body::Filled { key: key("broadcast") },
        Body::Beat,
    ];
    let notices: Vec<_> = (1..).zip(bodies).map(|(number, body)| notice(one, number, body)).collect();
    for notice in &notices {
        let published = must(one.bus().publish(Audience::All, notice.clone()).await)?;
        if published.receivers < 2 {
            return Err(format!("two have subscribed, and {} were reached", published.receivers));
        }
    }
    for notice in &notices {
        same(next_from(&mut here, one, one).await, notice)?;
        same(next_from(&mut there, other, one).await, notice)?;
    }
    Ok(())
}

async fn addressed<P: Ports>(one: &P, other: &P) -> Kept {
    let mut here = must(one.bus().subscribe().await)?;
    let mut there = must(other.bus().subscribe().await)?;
    let acknowledge =
        |number| notice(one, number, Body::Acknowledge { number, incarnation: 1, key: key("addressed") });
    must(one.bus().publish(Audience::One(other.server()), acknowledge(1)).await)?;
    must(one.bus().publish(Audience::One(one.server()), acknowledge(2)).await)?;
    same(next_from(&mut there, other, one).await, &acknowledge(1))?;
    // What was for the other one would have come first.
    same(next_from(&mut here, one, one).await, &acknowledge(2))
}

async fn members(one: &impl Ports, other: &impl Ports) -> Kept {
    must(one.membership().renew(LONG).await)?;
    must(other.membership().renew(SHORT).await)?;
    one.clock().sleep(PAST_SHORT).await;
    let live = must(one.membership().live().await)?;
    let is_live = |server, incarnation| live.contains(&Member { server, incarnation });
    let here = is_live(one.server(), one.incarnation());
    let there = is_live(other.server(), other.incarnation());
    same::<_, ()>(Ok((here, there)), &(true, false))
}
