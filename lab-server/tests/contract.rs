//! The port contract suite over the real adapters: what holds of the simulator's Redis, PostgreSQL and bus holds of
//! real ones.

use std::sync::Arc;
use std::time::Duration;

use lab_core::ports::contract;
use lab_core::value::ServerId;
use lab_server::adapters::observer::Recorder;
use lab_server::adapters::{Connect, RealPorts};
use lab_server::harness::AppServer;
use lab_server::real::stores::Stores;

async fn ports(stores: &Stores, server: u8, recorder: &Arc<Recorder>) -> RealPorts {
    let reach = stores.harness().endpoints().server(AppServer(server)).expect("the harness has this server");
    let connect = Connect {
        server: ServerId(server),
        reach: reach.clone(),
        connections: 5,
        query_time: Duration::ZERO,
        recorder: Arc::clone(recorder),
    };
    RealPorts::connect(connect).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn the_real_adapters_keep_the_port_contract() {
    let stores = Stores::start().await.unwrap_or_else(|error| panic!("{error}"));
    stores.prepare().await.unwrap_or_else(|error| panic!("{error}"));
    let recorder = Recorder::start();
    let (one, other) = (ports(&stores, 1, &recorder).await, ports(&stores, 2, &recorder).await);
    contract::suite(&one, &other).await.unwrap_or_else(|violation| panic!("{violation}"));
}
