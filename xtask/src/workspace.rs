//! Where things are in this repository, and the environment in which xtask runs every command.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// The release profile without its slow last steps, for programs that run briefly or wait most of the time.
pub(crate) const QUICK_RELEASE: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")];

/// The repository that this xtask was built from.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the repository by the place of this crate, which works from any current directory.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the xtask crate stands in a directory of the workspace")?
            .to_path_buf();
        anyhow::ensure!(
            root.join("Trunk.toml").is_file(),
            "{} has no Trunk.toml: the repository has moved since xtask was built; run it as `cargo xtask`",
            root.display()
        );
        Ok(Self { root })
    }

    /// A path inside the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_dir(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |dir| self.root.join(dir))
    }

    /// A command that runs at the top of the repository and finds the tools of `.tools/bin` first.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        // `cargo run` describes xtask to its child in these; a nested cargo that saw them would believe that
        // the environment of some build scripts had changed, and build their crates anew.
        for (name, _) in env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(name);
            }
        }
        // Trunk reads NO_COLOR as a boolean of its own and refuses the usual `NO_COLOR=1`.
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            command.env("NO_COLOR", "true");
        }
        command
    }

    /// `cargo` with these arguments.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// The first program of this name that a command of this workspace would find.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.search_path())
            .map(|directory| directory.join(name))
            .find(|candidate| candidate.is_file())
    }

    /// The caller's PATH, with the repository's own tools before it.
    fn search_path(&self) -> std::ffi::OsString {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let own = [self.path(".tools/bin"), self.path("e2e/node_modules/.bin")];
        env::join_paths(own.into_iter().chain(env::split_paths(&inherited))).unwrap_or(inherited)
    }
}
