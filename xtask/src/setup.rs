//! Set-up: what this machine lacks, shown first and then installed.
//!
//! Each thing is judged by asking it (does the program run, and in which version?), never by a note that it was
//! once installed. When nothing is missing, set-up takes well under a second and does not use the network.

pub(crate) mod debian;
mod npm;
mod rust;
mod tools;

use crate::workspace::Workspace;

use self::{debian::Package, rust::Part, tools::Tool};

/// How far a set-up must reach.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Build the lab, serve it, and run scenarios on real servers.
    Serve,
    /// All of it, with what the tests need besides.
    Everything,
}

/// Installs what is missing for the purpose; a dry run only shows it.
pub(crate) fn run(workspace: &Workspace, purpose: Purpose, dry_run: bool) -> anyhow::Result<()> {
    let missing = Missing::find(workspace, purpose);
    if missing.is_empty() {
        println!("set-up: nothing is missing");
    } else {
        println!("set-up: {}\n{missing}", if dry_run { "missing" } else { "installing what is missing" });
        if !dry_run {
            missing.install(workspace)?;
            let still = Missing::find(workspace, purpose);
            anyhow::ensure!(still.is_empty(), "installed, and yet not found:\n{still}");
            println!("set-up: done");
        }
    }
    if purpose == Purpose::Everything {
        println!(
            "To use the tools without xtask: export PATH=\"{}:$PATH\"",
            workspace.path(".tools/bin").display()
        );
    }
    Ok(())
}

/// What this machine lacks.
struct Missing {
    packages: Vec<&'static Package>,
    parts: Vec<Part>,
    tools: Vec<&'static Tool>,
    npm: bool,
}

impl Missing {
    fn find(workspace: &Workspace, purpose: Purpose) -> Self {
        let (packages, parts, tools): (Vec<&Package>, &[Part], &[&Tool]) = match purpose {
            Purpose::Serve => {
                (debian::SERVERS.iter().collect(), &[Part::Wasm32], &[&tools::WASM_BINDGEN, &tools::TRUNK])
            }
            Purpose::Everything => (
                debian::SERVERS.iter().chain(&debian::TESTS).chain(&debian::BROWSER).collect(),
                &[Part::Wasm32, Part::Clippy, Part::Rustfmt],
                &[&tools::WASM_BINDGEN, &tools::WASM_PACK, &tools::TRUNK],
            ),
        };
        Self {
            packages: packages.into_iter().filter(|package| !package.is_provided(workspace)).collect(),
            parts: parts.iter().copied().filter(|part| !part.is_installed(workspace)).collect(),
            tools: tools.iter().copied().filter(|tool| !tool.is_installed(workspace)).collect(),
            npm: !npm::is_installed(workspace),
        }
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.parts.is_empty() && self.tools.is_empty() && !self.npm
    }

    /// The quick ones first: a machine without npm says so before trunk has been compiled.
    fn install(&self, workspace: &Workspace) -> anyhow::Result<()> {
        if !self.packages.is_empty() {
            debian::install(workspace, &self.packages)?;
        }
        for part in &self.parts {
            part.install(workspace)?;
        }
        if self.npm {
            npm::install(workspace)?;
        }
        for tool in &self.tools {
            tool.install(workspace)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for package in &self.packages {
            writeln!(f, "  apt-get  {:<18} {}", package.name, package.reason)?;
        }
        for part in &self.parts {
            writeln!(f, "  rustup   {}", part.rustup_arguments().join(" "))?;
        }
        if self.npm {
            writeln!(f, "  npm      wasm-opt and the driver of the end-to-end test, into e2e/node_modules")?;
        }
        for tool in &self.tools {
            let how =
                if tool.is_kept() { "copied from the cache directory" } else { "compiled, some minutes" };
            writeln!(
                f,
                "  cargo    {:<18} into .tools/bin ({how})",
                format!("{} {}", tool.krate, tool.version)
            )?;
        }
        Ok(())
    }
}
