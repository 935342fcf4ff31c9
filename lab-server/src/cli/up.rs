//! `lab up`: real servers to look at.

use lab_core::scenario::ScenarioId;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::interrupt::Interrupt;
use super::{CliError, Held, output, shell, stores};
use crate::harness::{Casualty, PasswordFiles, Reach, RedisNode};

pub(super) fn run() -> Result<Held, CliError> {
    super::runtime::runtime()?.block_on(async {
        let interrupt = Interrupt::listen()?;
        let stores = interrupt.or(stores::start()).await?;
        tell(stores.harness().endpoints().direct(), stores.harness().password_files()?);
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

/// How to reach the servers, with commands to copy. These take the passwords from files: what stands in a command,
/// every user of the machine can read.
fn tell(reach: &Reach, files: &PasswordFiles) {
    let (redis_file, postgres_file) = (shell::word(&files.redis), shell::word(&files.postgres));
    say!("The passwords are drawn for these servers and end with them. Only you can read these files:");
    say!("  {redis_file}\n  {postgres_file}\n");
    for endpoint in &reach.redis {
        let (node, at) = (endpoint.node.to_string(), &endpoint.data);
        say!("{node:<17} REDISCLI_AUTH=\"$(cat {redis_file})\" redis-cli -c -h {} -p {}", at.host, at.port);
    }
    let mut addresses = Vec::new();
    for endpoint in &reach.postgres {
        let config = &endpoint.config;
        let hosts = config.get_hosts().iter().zip(config.get_ports());
        for (host, port) in hosts {
            if let Host::Tcp(host) = host {
                let (node, at) = (endpoint.node.to_string(), format!("{host}:{port}"));
                say!("{node:<17} PGPASSFILE={postgres_file} psql {}", url(config, &at, Shown::No));
                addresses.push(at);
            }
        }
    }
    let first = reach.redis.iter().find(|endpoint| endpoint.node == RedisNode::Master(0));
    if let (Some(redis), Some(primary)) = (first, reach.postgres.first()) {
        let password = reach.redis_settings.password().unwrap_or_default();
        let postgres = |shown| url(&primary.config, &addresses.join(","), shown);
        say!("\nFor the settings of a program of yours:");
        say!("  redis://default:{password}@{}\n  {}", redis.data, postgres(Shown::Yes));
        say!("\nA scenario on these servers (those that need faults start their own):");
        say!(
            "  REDISCLI_AUTH=\"$(cat {redis_file})\" PGPASSFILE={postgres_file} lab run {} --world real --redis \
             redis://{} --postgres {}",
            ScenarioId::StampedeLock,
            redis.data,
            postgres(Shown::No)
        );
    }
    say!("\nready; Ctrl-C ends them");
}

/// Whether a URL shows its password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

/// The URL of one address, or of several with commas.
fn url(config: &Config, addresses: &str, password: Shown) -> String {
    let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    let password = match config.get_password() {
        Some(drawn) if password == Shown::Yes => format!(":{}", String::from_utf8_lossy(drawn)),
        _ => String::new(),
    };
    format!("postgresql://{user}{password}@{addresses}/{database}")
}
