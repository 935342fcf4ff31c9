//! Links between nodes: an isolated Redis master keeps acknowledging for a while and loses all of it, and a
//! PostgreSQL replica falls behind and catches up. These show that the proxy tells the nodes' links apart.

use std::future::Future;
use std::time::{Duration, Instant};

use lab_server::harness::{Harness, HarnessSpec, Link, PostgresNode, RedisNode, Way};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisResult, cmd};

const LIMIT: Duration = Duration::from_secs(20);

async fn eventually<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let begun = Instant::now();
    while !probe().await {
        assert!(begun.elapsed() < LIMIT, "not seen within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn partitions_strike_the_nodes_they_are_meant_for() {
    let harness = Harness::start(HarnessSpec::default()).await.expect("the servers start");
    a_replica_that_is_cut_off_catches_up(&harness).await;
    an_isolated_master_loses_what_it_acknowledged(&harness).await;
}

async fn a_replica_that_is_cut_off_catches_up(harness: &Harness) {
    let connect = async |node| harness.postgres(node).expect("the node").connect().await.expect("connected");
    let primary = connect(PostgresNode::Primary).await;
    let (near, far) = (&connect(PostgresNode::Replica(1)).await, &connect(PostgresNode::Replica(2)).await);
    let rows = async |client: &tokio_postgres::Client| {
        client.query_one("SELECT count(*) FROM t", &[]).await.map_or(0, |row| row.get::<_, i64>(0))
    };
    primary.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.expect("a row");
    eventually("the first row everywhere", || async { rows(near).await == 1 && rows(far).await == 1 }).await;

    let links = harness.links().expect("our own");
    let wal = Link::Wal(PostgresNode::Replica(2));
    links.cut(wal, Way::Both).expect("the link");
    primary.batch_execute("INSERT INTO t VALUES (2)").await.expect("a row");
    eventually("the second row on the replica that is not cut off", || async { rows(near).await == 2 }).await;
    assert_eq!(rows(far).await, 1);
    links.heal(wal).expect("the link");
    eventually("the second row", || async { rows(far).await == 2 }).await;
}

/// All links of one master to other nodes are cut; a client at its side goes on writing.
async fn an_isolated_master_loses_what_it_acknowledged(harness: &Harness) {
    let links = harness.links().expect("our own");
    let (master, heir) = (RedisNode::Master(0), RedisNode::Replica(0));
    let connect = async |node| harness.redis(node).expect("the node").connect().await.expect("connected");
    let (mut old, new) = (connect(master).await, connect(heir).await);
    let of_master = |link: &Link| match *link {
        Link::Gossip(from, to) | Link::Replication(from, to) => from == master || to == master,
        _ => false,
    };
    for link in links.all().filter(of_master) {
        links.cut(link, Way::Both).expect("the link");
    }

    let cut = Instant::now();
    let (mut acknowledged, mut promoted_after, mut refused_after) = (0, None, None);
    while promoted_after.is_none() || refused_after.is_none() {
        assert!(cut.elapsed() < LIMIT, "promoted {promoted_after:?}, refused {refused_after:?}");
        if refused_after.is_none() {
            match set(&mut old, &format!("{{b}}{acknowledged}")).await {
                Ok(()) => acknowledged += 1,
                Err(_) => refused_after = Some(cut.elapsed()),
            }
        }
        if promoted_after.is_none() && set(&mut new.clone(), "{b}probe").await.is_ok() {
            promoted_after = Some(cut.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    links.heal_all();
    let healed = Instant::now();
    let replicates = || async { role(&mut old.clone()).await.starts_with("role:slave") };
    eventually("the old master is demoted", replicates).await;
    let linked = || async { role(&mut old.clone()).await.contains("master_link_status:up") };
    eventually("the old master follows the new one", linked).await;
    let demoted_after = healed.elapsed();

    let mut lost = 0;
    for number in 0..acknowledged {
        let value: Option<String> = new.clone().get(format!("{{b}}{number}")).await.expect("GET");
        lost += u32::from(value.is_none());
    }
    println!(
        "the master refuses after {refused_after:?}, its replica takes writes after {promoted_after:?}, follows \
         {demoted_after:?} after the heal; {lost} of {acknowledged} acknowledged writes are lost"
    );
    assert!(acknowledged > 0);
    assert_eq!(lost, acknowledged);
}

async fn set(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<()> {
    cmd("SET").arg(key).arg("x").query_async(connection).await
}

async fn role(connection: &mut MultiplexedConnection) -> String {
    let section = cmd("INFO").arg("replication").query_async::<String>(connection).await.unwrap_or_default();
    section.lines().skip(1).collect::<Vec<_>>().join("\n")
}
