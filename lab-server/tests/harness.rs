//! The harness on real servers. One harness at a time: every test that needs servers takes its turn.

use std::time::{Duration, Instant};

use lab_server::harness::{Harness, HarnessSpec};

/// Servers are started once a test; two sets at a time would make a small machine miss deadlines.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn everything_starts_within_ten_seconds() {
    let _turn = TURN.lock().await;
    let begun = Instant::now();
    let harness = Harness::start(HarnessSpec::default())
        .await
        .expect("the servers start");
    let took = begun.elapsed();
    println!("ready after {took:?}");
    assert_eq!(harness.redis_servers().expect("our own").len(), 6);
    assert_eq!(harness.postgres_servers().expect("our own").len(), 3);
    let begun = Instant::now();
    drop(harness);
    println!("ended within {:?}", begun.elapsed());
    assert!(took < Duration::from_secs(10), "ready after {took:?}");
}
