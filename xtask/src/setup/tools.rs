//! Tools that cargo compiles, at pinned versions, into `.tools/bin`.
//!
//! The versions are those known to work together; trunk and wasm-pack look for a wasm-bindgen of exactly the
//! version of the crate in `Cargo.lock`, and would otherwise download one. Compiling them takes minutes, so the
//! programs are also kept in the user's cache directory, where another clone on this machine finds them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    command,
    workspace::{QUICK_RELEASE, Workspace},
};

/// A tool that is a crate.
pub(super) struct Tool {
    /// The crate that has the programs.
    pub(super) krate: &'static str,
    /// The only version that will do.
    pub(super) version: &'static str,
    /// The programs that the lab uses; each prints `<name> <version>` when asked.
    programs: &'static [&'static str],
    /// How cargo installs it: what is left out shortens the build.
    arguments: &'static [&'static str],
}

/// Builds and serves lab-web. Its default features only download other tools and look for news of itself.
pub(super) const TRUNK: Tool = Tool {
    krate: "trunk",
    version: "0.21.14",
    programs: &["trunk"],
    arguments: &["--locked", "--no-default-features"],
};

/// Joins wasm and JavaScript, and runs tests in the browser. Its lock file is older than its release.
pub(super) const WASM_BINDGEN: Tool = Tool {
    krate: "wasm-bindgen-cli",
    version: "0.2.130",
    programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
    arguments: &[],
};

/// Runs the tests of a crate in the browser.
pub(super) const WASM_PACK: Tool =
    Tool { krate: "wasm-pack", version: "0.15.1", programs: &["wasm-pack"], arguments: &["--locked"] };

/// Tools run for seconds: what saves minutes of their build is worth more than their speed.
const QUICKER_STILL: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"), ("CARGO_PROFILE_RELEASE_STRIP", "true")];

impl Tool {
    /// Whether a command of this workspace finds all its programs in exactly this version.
    pub(super) fn is_installed(&self, workspace: &Workspace) -> bool {
        self.programs.iter().all(|program| {
            command::ask(workspace.command(program).arg("--version"))
                .is_some_and(|answer| answer.split_whitespace().nth(1) == Some(self.version))
        })
    }

    /// Whether an earlier set-up on this machine kept it.
    pub(super) fn is_kept(&self) -> bool {
        self.kept_in().is_some_and(|kept| self.programs.iter().all(|program| kept.join(program).is_file()))
    }

    /// Puts its programs into `.tools/bin`: those kept on this machine if they run, else newly compiled ones.
    pub(super) fn install(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let bin = workspace.path(".tools/bin");
        if let Some(kept) = self.kept_in().filter(|_| self.is_kept()) {
            println!("$ cp {}/* .tools/bin/", kept.display());
            self.copy_programs(&kept, &bin)?;
            if self.is_installed(workspace) {
                return Ok(());
            }
            println!("the kept {} does not run here: compiling it", self.krate);
        }
        self.compile(workspace)?;
        anyhow::ensure!(
            self.is_installed(workspace),
            "{} {} is compiled, but another version of it is found before .tools/bin",
            self.krate,
            self.version
        );
        self.keep(&bin)
    }

    fn compile(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let mut install =
            workspace.cargo(["install", "--force", "--root", ".tools", "--version", self.version]);
        command::run(install.args(self.arguments).arg(self.krate).envs(QUICK_RELEASE).envs(QUICKER_STILL))
            .with_context(|| format!("could not compile {} {}", self.krate, self.version))
    }

    /// Copies the programs to the place where the next clone looks; they appear there all at once.
    fn keep(&self, bin: &Path) -> anyhow::Result<()> {
        let Some(kept) = self.kept_in() else { return Ok(()) };
        let arriving = kept.with_extension(format!("arriving-{}", std::process::id()));
        self.copy_programs(bin, &arriving)?;
        if kept.exists() {
            fs::remove_dir_all(&kept).with_context(|| format!("could not replace {}", kept.display()))?;
        }
        fs::rename(&arriving, &kept).with_context(|| format!("could not create {}", kept.display()))
    }

    fn copy_programs(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(to).with_context(|| format!("could not create {}", to.display()))?;
        for program in self.programs {
            let (source, copy) = (from.join(program), to.join(program));
            // A program that is running can be replaced but not written over.
            if copy.exists() {
                fs::remove_file(&copy).with_context(|| format!("could not replace {}", copy.display()))?;
            }
            fs::copy(&source, &copy)
                .with_context(|| format!("could not copy {} to {}", source.display(), copy.display()))?;
        }
        Ok(())
    }

    /// The directory outside the repository that keeps this version, when the user has a cache directory.
    fn kept_in(&self) -> Option<PathBuf> {
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")))?;
        Some(cache.join("cache-lab/tools").join(format!("{}-{}", self.krate, self.version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the crate and the program differ, trunk and wasm-pack refuse to work or download another program.
    #[test]
    fn one_version_of_wasm_bindgen_everywhere() {
        let workspace = Workspace::locate().expect("the tests run in the repository");
        let read = |path| fs::read_to_string(workspace.path(path)).expect("the repository has this file");
        let version = WASM_BINDGEN.version;
        let locked = format!("name = \"wasm-bindgen\"\nversion = \"{version}\"\n");
        assert!(read("Cargo.lock").contains(&locked), "Cargo.lock has another wasm-bindgen than {version}");
        let named = format!("wasm_bindgen = \"{version}\"\n");
        assert!(read("Trunk.toml").contains(&named), "Trunk.toml names another wasm-bindgen than {version}");
    }
}
