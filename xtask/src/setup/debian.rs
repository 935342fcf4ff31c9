//! Programs that come as Debian packages: the browser, the servers and the fonts.
//!
//! A thing is judged by what it provides, not by its package: a Redis from elsewhere on PATH serves as well.

use std::{env, fs, io::IsTerminal as _, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::{command, workspace::Workspace};

/// A Debian package and what it is for.
pub(super) struct Package {
    /// The name that apt-get knows.
    pub(super) name: &'static str,
    /// Why the lab needs it.
    pub(super) reason: &'static str,
    /// Whether this machine has what the package would bring.
    provided: fn(&Workspace) -> bool,
    /// The service that the package starts by itself when it is installed. The lab starts its own servers on
    /// its own ports and has no use for this one.
    service: Option<&'static str>,
}

impl Package {
    /// Whether this machine has what the package would bring.
    pub(super) fn is_provided(&self, workspace: &Workspace) -> bool {
        (self.provided)(workspace)
    }
}

/// What a real run needs.
pub(super) const SERVERS: [Package; 2] = [
    Package {
        name: "redis-server",
        reason: "the Redis Cluster of real runs",
        provided: |workspace| workspace.find_program("redis-server").is_some(),
        service: Some("redis-server"),
    },
    Package {
        name: "postgresql",
        reason: "the PostgreSQL primary and replicas of real runs",
        provided: has_postgres,
        service: Some("postgresql"),
    },
];

/// What the tests of real servers need besides.
pub(super) const TESTS: [Package; 1] = [Package {
    name: "pgbouncer",
    reason: "the pooler that the tests put before PostgreSQL",
    provided: |workspace| {
        workspace.find_program("pgbouncer").is_some() || Path::new("/usr/sbin/pgbouncer").is_file()
    },
    service: Some("pgbouncer"),
}];

/// What the tests in a browser need besides.
pub(super) const BROWSER: [Package; 4] = [
    Package {
        name: "chromium",
        reason: "the browser of the tests",
        provided: |workspace| browser(workspace).is_some(),
        service: None,
    },
    Package {
        name: "chromium-driver",
        reason: "drives it for wasm-pack test",
        provided: |workspace| workspace.find_program("chromedriver").is_some(),
        service: None,
    },
    Package {
        name: "fonts-noto-cjk",
        reason: "the lesson's Japanese in screenshots",
        provided: |workspace| has_font(workspace, ":lang=ja"),
        service: None,
    },
    Package {
        name: "fonts-liberation",
        reason: "the other letters in screenshots",
        provided: |workspace| has_font(workspace, "Liberation Sans"),
        service: None,
    },
];

/// The Chromium that the end-to-end test drives.
pub(crate) fn browser(workspace: &Workspace) -> Option<std::path::PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(|name| workspace.find_program(name))
}

/// Installs these packages with apt-get, and stops the services that the installation started.
pub(super) fn install(workspace: &Workspace, packages: &[&Package]) -> anyhow::Result<()> {
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    if workspace.find_program("apt-get").is_none() {
        bail!(
            "there is no apt-get here: install these with this system's own package manager: {}",
            names.join(" ")
        );
    }
    command::run(as_root(workspace, &names)?.args(["apt-get", "update", "--quiet"]))?;
    command::run(
        as_root(workspace, &names)?
            .args(["apt-get", "install", "--quiet", "--yes", "--no-install-recommends"])
            .args(&names),
    )
    .context("apt-get could not install what is missing")?;
    for service in packages.iter().filter_map(|package| package.service) {
        stop_service(workspace, service, &names)?;
    }
    Ok(())
}

/// A command prefix that runs what follows as root.
fn as_root(workspace: &Workspace, names: &[&str]) -> anyhow::Result<Command> {
    let mut prefix = if is_root() {
        workspace.command("env")
    } else if workspace.find_program("sudo").is_some() {
        let mut sudo = workspace.command("sudo");
        if !std::io::stdin().is_terminal() {
            // Nobody is there to type a password: fail instead of waiting for one.
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("root is needed; run as root: apt-get update && apt-get install {}", names.join(" "));
    };
    prefix.arg("DEBIAN_FRONTEND=noninteractive");
    Ok(prefix)
}

fn is_root() -> bool {
    command::ask(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// Stops a service that the installation may have started, and keeps it from starting at boot.
///
/// Where no service was started (a container) the commands fail, and that is fine.
fn stop_service(workspace: &Workspace, service: &str, names: &[&str]) -> anyhow::Result<()> {
    let mut stop = as_root(workspace, names)?;
    if Path::new("/run/systemd/system").is_dir() {
        stop.args(["systemctl", "disable", "--now", service]);
    } else {
        stop.args(["service", service, "stop"]);
    }
    println!("$ {}", command::command_line(&stop));
    let _ = command::ask(&mut stop);
    Ok(())
}

/// Debian keeps the server program in a directory of its version, which is rarely on PATH.
fn has_postgres(workspace: &Workspace) -> bool {
    let by_pg_config = command::ask(workspace.command("pg_config").arg("--bindir"))
        .is_some_and(|bindir| Path::new(bindir.trim()).join("postgres").is_file());
    let by_debian = || {
        fs::read_dir("/usr/lib/postgresql").is_ok_and(|versions| {
            versions.filter_map(Result::ok).any(|version| version.path().join("bin/postgres").is_file())
        })
    };
    by_pg_config || by_debian()
}

/// Whether fontconfig knows a font that fits the pattern.
fn has_font(workspace: &Workspace, pattern: &str) -> bool {
    // A desktop other than Linux brings its fonts without fontconfig.
    env::consts::OS != "linux"
        || command::ask(workspace.command("fc-list").arg(pattern))
            .is_some_and(|fonts| !fonts.trim().is_empty())
}
