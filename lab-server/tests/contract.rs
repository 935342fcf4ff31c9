//! The port contract suite over the real adapters: what holds of the simulator's Redis, PostgreSQL and bus holds of
//! real ones. And what the suite cannot see: that the position after a commit is one that the commit has reached, and
//! that every replica will.

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::{Database, Ports, contract};
use lab_core::value::{Key, ServerId, Value};
use lab_server::adapters::keyspace::Keyspace;
use lab_server::adapters::observer::Recorder;
use lab_server::adapters::{Connect, RealPorts};
use lab_server::harness::{AppServer, PostgresNode};
use lab_server::real::stores::Stores;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

/// A page of the write-ahead log, in bytes.
const PAGE: u64 = 8192;

/// Something else may be logged meanwhile: a commit is put at the end of a page again, so many times at most.
const TRIES: u32 = 100;

async fn ports(stores: &Stores, server: u8, recorder: &Arc<Recorder>) -> RealPorts {
    let reach = stores.harness().endpoints().server(AppServer(server)).expect("the harness has this server");
    let connect = Connect {
        server: ServerId(server),
        reach: reach.clone(),
        connections: 5,
        query_time: Duration::ZERO,
        keyspace: Keyspace::default(),
        recorder: Arc::clone(recorder),
    };
    RealPorts::connect(connect).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Up to where records are inserted.
async fn inserted(client: &Client) -> u64 {
    let row = client.query_one("SELECT pg_current_wal_insert_lsn()", &[]).await.expect("a position");
    row.get::<_, PgLsn>(0).into()
}

/// Logs a record of nothing, with so many bytes in it.
async fn pad(client: &Client, bytes: u64) {
    let bytes = i32::try_from(bytes).expect("less than a page");
    let emit = "SELECT pg_logical_emit_message(false, '', repeat('x', $1))";
    client.query_one(emit, &[&bytes]).await.expect("a record");
}

/// A commit that ends just where a page of the log does: the next record begins behind the next page's header, but
/// there is no next record, and no replica gets there.
async fn a_position_at_the_end_of_a_page_is_reached(stores: &Stores) {
    let primary = stores.harness().postgres(PostgresNode::Primary).expect("the primary is ours");
    let client = primary.connect().await.expect("a connection");
    let (key, value) = (Key::new("position:page"), Value::new("x"));
    for _ in 0..TRIES {
        // What a record of nothing and what a write take, at the beginning of a page.
        pad(&client, PAGE - inserted(&client).await % PAGE).await;
        let begun = inserted(&client).await;
        pad(&client, 800).await;
        let padded = inserted(&client).await;
        stores.insert(&key, &value).await.expect("a row");
        let written = inserted(&client).await;
        let (record, write) = (padded - begun - 800, written - padded);
        let left = PAGE - written % PAGE;
        if let Some(bytes) = left.checked_sub(write + record) {
            pad(&client, bytes).await;
            let row = stores.insert(&key, &value).await.expect("a row");
            if inserted(&client).await % PAGE < PAGE / 100 {
                let reached = stores.await_replicas(row.lsn).await;
                return reached.unwrap_or_else(|error| panic!("{error} ({} of its page)", row.lsn % PAGE));
            }
        }
    }
    panic!("no commit ended with its page in {TRIES} tries");
}

/// Where commits are not waited for, the log on disk is behind them.
async fn a_commit_has_reached_its_position(stores: &Stores, recorder: &Arc<Recorder>) {
    let primary = stores.harness().postgres(PostgresNode::Primary).expect("the primary is ours");
    let client = primary.connect().await.expect("a connection");
    let hurried = client.batch_execute("ALTER DATABASE lab SET synchronous_commit = off").await;
    hurried.expect("it is the lab's own");
    let (ports, key) = (ports(stores, 3, recorder).await, Key::new("position:hurried"));
    for _ in 0..20 {
        let before = inserted(&client).await;
        let committed = ports.database().update(&key, &Value::new("x"), None).await.expect("a row");
        assert!(committed.lsn > before, "committed after {before}, and it says {}", committed.lsn);
        let before = inserted(&client).await;
        let row = stores.insert(&key, &Value::new("y")).await.expect("a row");
        assert!(row.lsn > before, "inserted after {before}, and it says {}", row.lsn);
    }
}

#[tokio::test]
async fn the_real_adapters_keep_the_port_contract() {
    let stores = Stores::start().await.unwrap_or_else(|error| panic!("{error}"));
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let recorder = Recorder::start();
    a_position_at_the_end_of_a_page_is_reached(&stores).await;
    let (one, other) = (ports(&stores, 1, &recorder).await, ports(&stores, 2, &recorder).await);
    contract::suite(&one, &other).await.unwrap_or_else(|violation| panic!("{violation}"));
    a_commit_has_reached_its_position(&stores, &recorder).await;
    assert!(recorder.refusals().is_empty(), "{:?}", recorder.refusals());
}
