//! What comes from npm: wasm-opt (the package `binaryen`), and the driver of the end-to-end test with axe.
//!
//! Debian's wasm-opt cannot read what today's compiler writes, hence npm's. `e2e/package-lock.json` pins both.

use std::{fs, os::unix::fs::symlink};

use anyhow::{Context as _, bail};

use crate::{command, workspace::Workspace};

const LOCK: &str = "e2e/package-lock.json";
/// A copy of the lock file that stood when npm last finished; it goes when npm begins anew.
const STAMP: &str = "e2e/node_modules/.installed-lock.json";
/// Puts npm's wasm-opt beside the other tools, so that one directory on PATH is enough for `trunk build`.
const WASM_OPT_LINK: (&str, &str) = (".tools/bin/wasm-opt", "../../e2e/node_modules/.bin/wasm-opt");

/// Whether `e2e/node_modules` is what the lock file asks for, and wasm-opt is linked.
pub(super) fn is_installed(workspace: &Workspace) -> bool {
    let wanted = fs::read(workspace.path(LOCK)).ok();
    wanted.is_some()
        && wanted == fs::read(workspace.path(STAMP)).ok()
        && fs::read_link(workspace.path(WASM_OPT_LINK.0))
            .is_ok_and(|link| link.as_os_str() == WASM_OPT_LINK.1)
}

/// Installs what the lock file names.
pub(super) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    if workspace.find_program("npm").is_none() {
        bail!("there is no npm here: install Node 20 or newer (https://nodejs.org) and run this again");
    }
    command::run(
        workspace.command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(workspace.path("e2e")),
    )?;
    fs::copy(workspace.path(LOCK), workspace.path(STAMP)).context("could not note what npm has installed")?;

    let (link, target) = (workspace.path(WASM_OPT_LINK.0), WASM_OPT_LINK.1);
    fs::create_dir_all(workspace.path(".tools/bin")).context("could not create .tools/bin")?;
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link).with_context(|| format!("could not replace {}", link.display()))?;
    }
    symlink(target, &link).with_context(|| format!("could not link {}", link.display()))
}
