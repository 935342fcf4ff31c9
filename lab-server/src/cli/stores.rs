//! Real servers for a command: started by the lab, or named by the user.

use std::sync::Arc;

use super::{CliError, NamedServers, text};
use crate::real::stores::Stores;

pub(super) async fn open(named: &NamedServers) -> Result<Arc<Stores>, CliError> {
    if let Some(postgres) = &named.postgres {
        return Ok(Arc::new(Stores::connect_to(&named.redis, postgres).await?));
    }
    let spinner = text::spinner("starting a Redis Cluster and PostgreSQL".to_owned());
    let started = Stores::start().await;
    spinner.finish_and_clear();
    Ok(Arc::new(started?))
}
