//! The account that the servers run as. PostgreSQL refuses to run as root, and Redis has no business there: where the
//! lab is root, both run as the account that PostgreSQL's package made.

use std::process::Command;

use nix::unistd::{Uid, User};
use rustix::process::geteuid;

use super::error::HarnessError;
use super::process::Account;

/// Made by PostgreSQL's package.
const NAME: &str = "postgres";

impl Account {
    /// Lets `setpriv` become this account. Only root can ask for it.
    pub(crate) fn become_by(&self, setpriv: &mut Command) {
        setpriv.arg(format!("--reuid={}", self.user_id)).arg(format!("--regid={}", self.group_id));
        setpriv.arg("--init-groups");
    }
}

/// Another account than ours, where ours will not do.
pub(crate) fn of_servers() -> Result<Option<Account>, HarnessError> {
    let own = geteuid();
    if own.is_root() {
        return named(NAME).map(Some);
    }
    match User::from_uid(Uid::from_raw(own.as_raw())) {
        Ok(Some(_)) => Ok(None),
        Ok(None) => Err(HarnessError::Nameless { user_id: own.as_raw() }),
        Err(error) => Err(HarnessError::io("look up this process's user")(error.into())),
    }
}

fn named(name: &str) -> Result<Account, HarnessError> {
    let found = User::from_name(name).map_err(|error| {
        let doing = format!("look up the account {name}");
        HarnessError::io(doing)(error.into())
    })?;
    let missing = || HarnessError::MissingBinary {
        program: format!("PostgreSQL's own account ({name})"),
        package: "postgresql",
    };
    let user = found.ok_or_else(missing)?;
    Ok(Account { user_id: user.uid.as_raw(), group_id: user.gid.as_raw() })
}
