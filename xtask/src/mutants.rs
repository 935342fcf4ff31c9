//! The mutation table: each protection of lab-core is left out, and some property must turn red.
//!
//! The table itself is `lab-core/tests/mutants/`; here its build is chosen.

use std::process::Command;

use crate::{command, workspace::Workspace};

pub(crate) const AFTER_HELP: &str = "\
At the place of each protection stands its name, kept!(\"…\"). The table tells which property saw first that it was left
out, and the median number of seeds until it did. It fails where nothing sees it and no sentence says why that changes
nothing. The tests ask only whether each is seen at all.";

/// What to leave out.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these protections, by their names
    names: Vec<String>,
    /// Ask only whether it is seen at all, by the quickest properties first, as the tests do
    #[arg(long)]
    quick: bool,
}

/// Goes through the table; fails where a protection can be left out unseen.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut table = table(workspace);
    if options.quick {
        table.arg("--quick");
    }
    command::run(table.args(&options.names))
}

/// The command that goes through the table.
pub(crate) fn table(workspace: &Workspace) -> Command {
    let table =
        ["test", "--quiet", "--package", "lab-core", "--features", "mutants", "--test", "mutants", "--"];
    workspace.cargo(table)
}
