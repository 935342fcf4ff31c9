//! Which servers that somebody else runs a command was given: by options, or in the environment, where no list of
//! processes shows them.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::CliError;
use crate::real::stores::LEAVE_WITHIN;

/// Where the URLs may stand instead of the options.
const REDIS_VARIABLE: &str = "LAB_REDIS";
const POSTGRES_VARIABLE: &str = "LAB_POSTGRES";

/// Where their passwords may stand.
const PASSWORD_VARIABLES: [&str; 2] = ["REDISCLI_AUTH", "PGPASSWORD"];

/// Seconds that somebody may let the lab try to leave.
const LEAVE_WITHIN_MAX: u64 = 3_600;

/// Real servers that somebody else runs. No faults can be injected there, and no data there is touched.
#[derive(Clone, Default, Args)]
pub(super) struct NamedServers {
    /// Nodes of an empty Redis Cluster that already runs (`redis://host:port`, several with commas); needs --postgres.
    /// Its password may stand in `REDISCLI_AUTH`, and all of this in `LAB_REDIS`: other users of this machine can see what
    /// a command was started with, and not its environment
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    redis: Vec<String>,
    /// A PostgreSQL that already runs (`postgresql://user@host,replica/database`), where the lab makes a schema
    /// `cache_lab` and takes it away again; needs --redis. Its password may stand in PGPASSWORD or in a file (PGPASSFILE,
    /// ~/.pgpass), and all of this in `LAB_POSTGRES`
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// For how long the lab tries to leave named servers clean. It says that it is there with a key in Redis
    /// (`cache-lab:{claim}`), which keeps other labs out; when it leaves it takes away all that it brought, on every
    /// server at once, again and again for so long. What a silent server keeps then is told, with the command that
    /// removes it and nothing else [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = leave_within)]
    leave_within: Option<Duration>,
}

fn leave_within(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LEAVE_WITHIN_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("expected whole seconds from 1 to {LEAVE_WITHIN_MAX}"))?;
    Ok(Duration::from_secs(seconds))
}

/// The servers that a command is to use.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) redis: Vec<String>,
    pub(super) postgres: String,
    pub(super) leave_within: Duration,
}

impl NamedServers {
    /// Refuses them where only the simulator is asked for. What stands in the environment is not meant for it.
    pub(super) fn expect_none(&self) -> Result<(), CliError> {
        if self.redis.is_empty() && self.postgres.is_none() {
            return Ok(());
        }
        Err(CliError::Usage("--redis and --postgres name real servers: add --world real".to_owned()))
    }

    /// The servers to use, if any are named.
    pub(super) fn servers(&self) -> Result<Option<Named>, CliError> {
        self.servers_in(|name| env::var_os(name))
    }

    fn servers_in(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Named>, CliError> {
        let text = |name| {
            variable(name).filter(|value| !value.is_empty()).map(|value| text(name, value)).transpose()
        };
        let mut redis = self.redis.clone();
        if redis.is_empty() {
            redis.extend(text(REDIS_VARIABLE)?.iter().flat_map(|urls| urls.split(',')).map(str::to_owned));
        }
        let postgres = match &self.postgres {
            Some(postgres) => Some(postgres.clone()),
            None => text(POSTGRES_VARIABLE)?,
        };
        if !redis.is_empty() && postgres.is_some() {
            for password in PASSWORD_VARIABLES {
                text(password)?;
            }
        }
        match (redis.is_empty(), postgres) {
            (true, None) => Ok(None),
            (false, Some(postgres)) => {
                let leave_within = self.leave_within.unwrap_or(LEAVE_WITHIN);
                Ok(Some(Named { redis, postgres, leave_within }))
            }
            (true, Some(_)) => Err(alone(("--postgres", POSTGRES_VARIABLE), ("--redis", REDIS_VARIABLE))),
            (false, None) => Err(alone(("--redis", REDIS_VARIABLE), ("--postgres", POSTGRES_VARIABLE))),
        }
    }
}

/// What a variable says. Its value may hold a password, and is not shown.
fn text(name: &str, value: OsString) -> Result<String, CliError> {
    value
        .into_string()
        .map_err(|_| CliError::Usage(format!("{name} is no text in UTF-8: correct it, or unset it")))
}

fn alone(named: (&str, &str), missing: (&str, &str)) -> CliError {
    CliError::Usage(format!(
        "{} (or {}) is given without {} (or {}): name both, or neither, and the lab starts its own servers",
        named.0, named.1, missing.0, missing.1
    ))
}

impl std::fmt::Debug for NamedServers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs may hold passwords.
        f.debug_struct("NamedServers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn options_come_before_the_environment_and_neither_store_stands_alone() {
        let named = |redis: &[&str], postgres: Option<&str>| NamedServers {
            redis: redis.iter().map(|&url| url.to_owned()).collect(),
            postgres: postgres.map(str::to_owned),
            leave_within: None,
        };
        let environment = |name: &str| match name {
            REDIS_VARIABLE => Some("redis://a,redis://b".into()),
            POSTGRES_VARIABLE => Some("postgresql://c/lab".into()),
            _ => None,
        };
        let nothing = |_: &str| None;
        let of = |servers: Result<Option<Named>, CliError>| {
            servers.map(|named| named.map(|named| (named.redis.join(" "), named.postgres)))
        };
        let both = |redis: &str, postgres: &str| Some((redis.to_owned(), postgres.to_owned()));

        assert_eq!(of(named(&[], None).servers_in(nothing)).expect("none"), None);
        let found = of(named(&[], None).servers_in(environment)).expect("both");
        assert_eq!(found, both("redis://a redis://b", "postgresql://c/lab"));
        let found = of(named(&["redis://d"], None).servers_in(environment)).expect("one of each");
        assert_eq!(found, both("redis://d", "postgresql://c/lab"));
        for (alone, missing) in
            [(named(&["redis://d"], None), "--postgres"), (named(&[], Some("x")), "--redis")]
        {
            assert!(alone.expect_none().is_err(), "the simulator has no use for it");
            let said = alone.servers_in(nothing).err().expect("the other is missing").to_string();
            assert!(said.contains(&format!("without {missing}")), "{said}");
        }
        named(&[], None).expect_none().expect("the environment is not meant for the simulator");
    }

    #[test]
    fn a_variable_that_is_no_text_is_refused_by_its_name() {
        let none = NamedServers::default();
        for bad in [REDIS_VARIABLE, POSTGRES_VARIABLE, "REDISCLI_AUTH", "PGPASSWORD"] {
            let environment = |name: &str| match name {
                name if name == bad => Some(OsString::from_vec(b"geheim\xff".to_vec())),
                REDIS_VARIABLE => Some("redis://a".into()),
                POSTGRES_VARIABLE => Some("postgresql://c/lab".into()),
                _ => None,
            };
            let said = none.servers_in(environment).err().expect("it cannot be read").to_string();
            assert!(said.starts_with(bad) && !said.contains("geheim"), "{said}");
        }
    }

    #[test]
    fn nothing_that_is_shown_holds_a_password() {
        let named = NamedServers { redis: vec!["redis://:geheim@a".to_owned()], ..NamedServers::default() };
        assert!(!format!("{named:?}").contains("geheim"));
    }
}
