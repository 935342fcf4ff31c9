//! `lab up`: real servers to look at.

use lab_core::scenario::ScenarioId;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, output, stores};
use crate::harness::{Casualty, RedisNode};
use crate::real::stores::Stores;

pub(super) fn run() -> Result<Held, CliError> {
    super::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let stores = stores::open(&NamedServers::default(), &interrupt).await?;
        tell(&stores);
        output::check()?;
        tokio::select! {
            biased;
            () = interrupt.asked() => Ok(Held::Yes),
            casualties = stores.harness().casualty() => {
                mourn(&casualties);
                interrupt.asked().await;
                Err(CliError::Incomplete("not every server lived to the end".to_owned()))
            }
        }
    })
}

/// Tells of servers that ended by themselves, and what can be done.
fn mourn(casualties: &[Casualty]) {
    for casualty in casualties {
        note!("{casualty}");
    }
    note!(
        "the other servers are left running, to be looked at; Ctrl-C ends them, and `lab up` starts all anew"
    );
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
    let mut addresses = Vec::new();
    for endpoint in &reach.postgres {
        let config = &endpoint.config;
        let hosts = config.get_hosts().iter().zip(config.get_ports());
        for (host, port) in hosts {
            if let Host::Tcp(host) = host {
                say!("{:<17} psql {}", endpoint.node.to_string(), url(config, &format!("{host}:{port}")));
                addresses.push(format!("{host}:{port}"));
            }
        }
    }
    let first = reach.redis.iter().find(|endpoint| endpoint.node == RedisNode::Master(0));
    let primary = reach.postgres.first();
    if let (Some(redis), Some(primary)) = (first, primary) {
        let (scenario, postgres) = (ScenarioId::StampedeLock, url(&primary.config, &addresses.join(",")));
        say!("\nA scenario on these servers (those that need faults start their own):");
        say!("  lab run {scenario} --world real --redis redis://{} --postgres {postgres}", redis.data);
    }
    say!("\nready; Ctrl-C ends them");
}

/// The URL of one address, or of several with commas.
fn url(config: &Config, addresses: &str) -> String {
    let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    format!("postgresql://{user}@{addresses}/{database}")
}
