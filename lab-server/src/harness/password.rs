//! Passwords that are drawn for one start. Every local user can connect to the loopback, so the servers ask for them.
//! They travel in files of mode 0600 and in the protocols, never in an argument: the process list is open to all.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use postgres_protocol::password;

use super::error::HarnessError;
use super::{postgres, private};

/// What is drawn of the operating system's entropy for each: nobody guesses 128 bits.
const BYTES: usize = 16;

/// A drawn password: hexadecimal digits, which mean the same in a URL, in a shell and in a server's file.
#[derive(Clone)]
pub(crate) struct Password(String);

impl Password {
    fn draw() -> Result<Self, HarnessError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(io::Error::from)
            .map_err(HarnessError::io("draw a password from the system's entropy"))?;
        Ok(Self(format!("{:032x}", u128::from_ne_bytes(bytes))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What PostgreSQL keeps of it: a statement with the password itself could come into a log.
    pub(crate) fn verifier(&self) -> String {
        password::scram_sha_256(self.0.as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The passwords of one start.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// Of every Redis node, for clients.
    pub(crate) redis: Password,
    /// Of the user that Redis' replicas log in as.
    pub(crate) redis_replication: Password,
    /// Of PostgreSQL's superuser: the harness's own, and an operator's.
    pub(crate) operator: Password,
    /// Of the role that the app servers use.
    pub(crate) app: Password,
    /// Of the role that replicas stream with.
    pub(crate) replication: Password,
}

impl Passwords {
    pub(crate) fn draw() -> Result<Self, HarnessError> {
        Ok(Self {
            redis: Password::draw()?,
            redis_replication: Password::draw()?,
            operator: Password::draw()?,
            app: Password::draw()?,
            replication: Password::draw()?,
        })
    }
}

/// The files in which whoever runs the lab finds the passwords, and nobody else. They go with the servers.
#[derive(Clone, Debug)]
pub struct PasswordFiles {
    /// One line, for `REDISCLI_AUTH="$(cat …)"`.
    pub redis: PathBuf,
    /// For `PGPASSFILE`: the lines of the app servers' role and of the superuser.
    pub postgres: PathBuf,
}

impl PasswordFiles {
    pub(crate) fn write(directory: &Path, passwords: &Passwords) -> Result<Self, HarnessError> {
        let files = Self { redis: directory.join("redis.password"), postgres: directory.join("pgpass") };
        let line = |role, password: &Password| format!("*:*:*:{role}:{}\n", password.as_str());
        let lines = line(postgres::APP, &passwords.app) + &line(postgres::OPERATOR, &passwords.operator);
        private::write(&files.postgres, &lines, None)?;
        private::write(&files.redis, &format!("{}\n", passwords.redis.as_str()), None)?;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_none_is_shown() {
        let drawn = Passwords::draw().expect("entropy");
        let shown = format!("{drawn:?}");
        let all = [&drawn.redis, &drawn.redis_replication, &drawn.operator, &drawn.app, &drawn.replication];
        let all = all.map(Password::as_str);
        for (index, password) in all.iter().enumerate() {
            assert!(password.len() == 2 * BYTES && password.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(!all[..index].contains(password));
            assert!(!shown.contains(password), "{shown}");
        }
        assert!(drawn.app.verifier().starts_with("SCRAM-SHA-256$"));
        assert!(!drawn.app.verifier().contains(drawn.app.as_str()));
    }
}
