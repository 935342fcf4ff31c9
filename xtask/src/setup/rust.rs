//! Parts of the Rust toolchain that rustup adds: the wasm32 target, clippy and rustfmt.

use std::path::Path;

use anyhow::bail;

use crate::{command, workspace::Workspace};

/// A part of the toolchain.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// The compilation target of the browser.
    Wasm32,
    /// The linter.
    Clippy,
    /// The formatter.
    Rustfmt,
}

impl Part {
    /// The arguments with which rustup adds it.
    pub(super) fn rustup_arguments(self) -> [&'static str; 3] {
        match self {
            Self::Wasm32 => ["target", "add", "wasm32-unknown-unknown"],
            Self::Clippy => ["component", "add", "clippy"],
            Self::Rustfmt => ["component", "add", "rustfmt"],
        }
    }

    /// Whether the toolchain in use has it.
    pub(super) fn is_installed(self, workspace: &Workspace) -> bool {
        match self {
            Self::Wasm32 => command::ask(workspace.command("rustc").args(["--print", "sysroot"]))
                .is_some_and(|sysroot| {
                    Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown").is_dir()
                }),
            Self::Clippy => command::ask(&mut workspace.cargo(["clippy", "--version"])).is_some(),
            Self::Rustfmt => command::ask(&mut workspace.cargo(["fmt", "--version"])).is_some(),
        }
    }

    /// Adds it.
    pub(super) fn install(self, workspace: &Workspace) -> anyhow::Result<()> {
        let arguments = self.rustup_arguments();
        if workspace.find_program("rustup").is_none() {
            bail!(
                "this Rust toolchain lacks `{}` and there is no rustup to add it (https://rustup.rs)",
                arguments[2]
            );
        }
        command::run(workspace.command("rustup").args(arguments))
    }
}
