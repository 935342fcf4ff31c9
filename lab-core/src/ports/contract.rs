//! The contract suite: each port's behaviour, stated once and run over every adapter.
//!
//! It is how we know that the simulator tells the truth: whatever holds here of the simulated Redis and PostgreSQL
//! holds of the real ones, because the same bodies ran over both. Every clause uses keys of its own, so clauses may
//! run in any order on one cluster. The clauses of L2 stand beside its commands ([`l2`]).

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::join;

use super::{
    Arrival, Audience, Body, Bus, Clock, Database, DatabaseError, Entropy, Member, Membership, Notice, Ports,
    ReadFrom, Renewal, Settled, Subscription, Unpublished, l2,
};
use crate::value::{Entry, Instant, Key, Stamp, Value, Version, WriteId};

/// How long a value lives that shall not run out meanwhile.
pub(super) const LONG: Duration = Duration::from_mins(1);
/// How long a value lives that shall run out, and how long to wait for that.
pub(super) const SHORT: Duration = Duration::from_millis(100);
pub(super) const PAST_SHORT: Duration = Duration::from_millis(400);
/// How long a lease runs that shall run out, but not while a few questions are asked.
const BRIEF: Duration = Duration::from_secs(3);
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

/// Whether a clause is kept; else what was seen instead.
pub(super) type Kept = Result<(), String>;

/// Runs every clause over the ports of two servers of one cluster.
///
/// # Errors
/// The first clause that is broken.
pub async fn suite<P: Ports>(one: &P, other: &P) -> Result<(), Violation> {
    let clause = |clause: &'static str| move |what: String| Violation { clause, what };
    l2::contract(one, other).await?;
    rows(one).await.map_err(clause("a commit gives the next version and a later log position"))?;
    no_row(one).await.map_err(clause("a row that does not exist reads as absent, version 0"))?;
    replicas(one).await.map_err(clause("a replica follows the primary"))?;
    settling(one, other)
        .await
        .map_err(clause("of a write and its refusal one happens, whoever comes first"))?;
    settling_race(one, other).await.map_err(clause("a write under way is committed or refused, not both"))?;
    unpublished(one, other)
        .await
        .map_err(clause("a write lies in the outbox until it is published, and is given to one at a time"))?;
    broadcast(one, other).await.map_err(clause("a broadcast reaches every subscriber, in order"))?;
    addressed(one, other).await.map_err(clause("a notice for one server reaches no other"))?;
    members(one, other).await.map_err(clause("a member is live until its lease runs out"))?;
    barring(one, other).await.map_err(clause("who is barred comes back when its lease has run out"))?;
    leaving(one, other).await.map_err(clause("who has left is no member"))?;
    Ok(())
}

pub(super) fn key(name: &str) -> Key {
    Key::new(format!("contract:{name}"))
}

pub(super) fn entry(version: u64) -> Entry {
    let stamp = Stamp { version: Version(version), as_of: Instant(version) };
    Entry { value: Some(Value::new(format!("\"{version}\" \u{20ac}"))), stamp }
}

/// An answer that must be this one.
pub(super) fn same<T: PartialEq + Debug, E: Debug>(saw: Result<T, E>, wanted: &T) -> Kept {
    match saw {
        Ok(saw) if saw == *wanted => Ok(()),
        other => Err(format!("wanted {wanted:?}, saw {other:?}")),
    }
}

/// An answer that must come, whatever it is.
pub(super) fn must<T, E: Debug>(saw: Result<T, E>) -> Result<T, String> {
    saw.map_err(|error| format!("failed: {error:?}"))
}

async fn rows(ports: &impl Ports) -> Kept {
    let (database, key) = (ports.database(), key("rows"));
    let first = must(database.update(&key, &Value::new("50"), None).await)?;
    let sent = ports.clock().now();
    let second = must(database.update(&key, &Value::new("100"), None).await)?;
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
    let wanted = must(database.update(&key, &Value::new("here"), None).await)?.version;
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

/// A name that no other write of this clause has, nor one of another run over the same stores.
fn name(ports: &impl Ports) -> WriteId {
    WriteId(u128::from(ports.entropy().draw()) << 64 | u128::from(ports.entropy().draw()))
}

async fn settling(one: &impl Ports, other: &impl Ports) -> Kept {
    let (key, value) = (key("settling"), Value::new("50"));
    let (done, refused) = (name(one), name(one));
    let version = must(one.database().update(&key, &value, Some(done)).await)?.version;
    same(other.database().settle(done).await, &Settled::Committed(version))?;
    same(other.database().settle(refused).await, &Settled::Refused)?;
    let late = one.database().update(&key, &Value::new("100"), Some(refused)).await;
    if !matches!(late, Err(DatabaseError::Failed(_))) {
        return Err(format!("it was refused before, and answers {late:?}"));
    }
    same(other.database().settle(refused).await, &Settled::Refused)?;
    let row = must(other.database().read(&key, ReadFrom::Primary).await)?;
    must(one.database().published(done, true).await)?;
    same::<_, ()>(Ok((row.value, row.version)), &(Some(value), version))
}

async fn settling_race(one: &impl Ports, other: &impl Ports) -> Kept {
    let (key, value) = (key("settling-race"), Value::new("50"));
    let mut wanted = Version(0);
    for _ in 0..50 {
        let id = name(one);
        let written = one.database().update(&key, &value, Some(id));
        match join(written, other.database().settle(id)).await {
            (Ok(committed), Ok(Settled::Committed(version))) if committed.version == version => {
                wanted = version;
                // None is left for a later clause to take.
                must(one.database().published(id, true).await)?;
            }
            (Err(DatabaseError::Failed(_)), Ok(Settled::Refused)) => {}
            answers => return Err(format!("the write and the settling answer {answers:?}")),
        }
        let row = must(one.database().read(&key, ReadFrom::Primary).await)?;
        same::<_, ()>(Ok(row.version), &wanted)?;
    }
    Ok(())
}

async fn unpublished(one: &impl Ports, other: &impl Ports) -> Kept {
    let (key, id) = (key("unpublished"), name(one));
    let version = must(one.database().update(&key, &Value::new("50"), Some(id)).await)?.version;
    let mine = |taken: Vec<Unpublished>| taken.into_iter().find(|write| write.id == id);
    same(other.database().unpublished(LONG).await.map(mine), &None)?;
    one.clock().sleep(PAST_SHORT).await;
    let write = Unpublished { id, key, version };
    same(other.database().unpublished(SHORT).await.map(mine), &Some(write.clone()))?;
    same(one.database().unpublished(SHORT).await.map(mine), &None)?;
    one.clock().sleep(PAST_SHORT).await;
    same(one.database().unpublished(SHORT).await.map(mine), &Some(write))?;
    must(one.database().published(id, false).await)?;
    one.clock().sleep(PAST_SHORT).await;
    same(other.database().unpublished(SHORT).await.map(mine), &None)?;
    // It is published; that it happened can still be asked.
    same(other.database().settle(id).await, &Settled::Committed(version))?;
    must(one.database().published(id, true).await)?;
    same(other.database().settle(id).await, &Settled::Refused)
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

fn member(ports: &impl Ports) -> Member {
    Member { server: ports.server(), incarnation: ports.incarnation() }
}

async fn members(one: &impl Ports, other: &impl Ports) -> Kept {
    must(one.membership().renew(LONG).await)?;
    let both = Renewal::Member(vec![member(one), member(other)]);
    same(other.membership().renew(SHORT).await, &both)?;
    one.clock().sleep(PAST_SHORT).await;
    let live = must(one.membership().live().await)?;
    same::<_, ()>(Ok((live.contains(&member(one)), live.contains(&member(other)))), &(true, false))
}

async fn barring(one: &impl Ports, other: &impl Ports) -> Kept {
    must(one.membership().renew(LONG).await)?;
    must(other.membership().renew(BRIEF).await)?;
    // Another life of the same server is not meant.
    let dead = Member { incarnation: other.incarnation().wrapping_add(1), ..member(other) };
    must(one.membership().bar(vec![dead]).await)?;
    let both = vec![member(one), member(other)];
    same(other.membership().renew(BRIEF).await, &Renewal::Member(both.clone()))?;
    must(one.membership().bar(vec![member(other)]).await)?;
    same(other.membership().renew(LONG).await, &Renewal::Barred)?;
    // It is waited for as long as its lease runs.
    same(one.membership().live().await, &both)?;
    one.clock().sleep(BRIEF + PAST_SHORT).await;
    same(one.membership().live().await, &vec![member(one)])?;
    same(other.membership().renew(LONG).await, &Renewal::Member(both.clone()))?;
    same(other.membership().renew(LONG).await, &Renewal::Member(both))
}

async fn leaving(one: &impl Ports, other: &impl Ports) -> Kept {
    must(one.membership().renew(LONG).await)?;
    must(other.membership().renew(LONG).await)?;
    must(other.membership().leave().await)?;
    same(one.membership().live().await, &vec![member(one)])?;
    must(other.membership().leave().await)
}
