//! `lab up`: real servers to look at.

use lab_core::scenario::ScenarioId;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, stores};
use crate::harness::{PostgresNode, RedisNode};
use crate::real::stores::Stores;

pub(super) fn run() -> Result<Held, CliError> {
    super::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let stores = stores::open(&NamedServers::default(), &interrupt).await?;
        tell(&stores);
        interrupt.asked().await;
        Ok(Held::Yes)
    })
}

/// How to reach the servers, with commands to copy.
fn tell(stores: &Stores) {
    let reach = stores.harness().endpoints().direct();
    for endpoint in &reach.redis {
        say!(
            "{:<17} redis-cli -c -h {} -p {}",
            endpoint.node.to_string(),
            endpoint.data.host,
            endpoint.data.port
        );
    }
    let mut postgres = String::new();
    for endpoint in &reach.postgres {
        let config = &endpoint.config;
        let hosts = config.get_hosts().iter().zip(config.get_ports());
        for (host, port) in hosts {
            let tokio_postgres::config::Host::Tcp(host) = host else {
                continue;
            };
            let (user, database) =
                (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
            say!("{:<17} psql postgresql://{user}@{host}:{port}/{database}", endpoint.node.to_string());
            if endpoint.node == PostgresNode::Primary {
                postgres = format!("postgresql://{user}@{host}:{port}/{database}");
            }
        }
    }
    let first = reach.redis.iter().find(|endpoint| endpoint.node == RedisNode::Master(0));
    if let Some(redis) = first {
        let scenario = ScenarioId::StampedeLock;
        say!("\nA scenario on these servers:");
        say!("  lab run {scenario} --world real --redis redis://{} --postgres {postgres}", redis.data);
    }
    say!("\nready; Ctrl-C ends them");
}
