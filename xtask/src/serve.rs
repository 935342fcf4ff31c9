//! Open the lab on localhost: `lab serve` for real runs, and `trunk serve` for the page, which passes `/api` on
//! to it.
//!
//! Both end with xtask, however it ends, and xtask ends when one of them does.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{
    command,
    setup::{self, Purpose},
    workspace::{QUICK_RELEASE, Workspace},
};

/// Where `lab serve` listens; `Trunk.toml` names the same port.
const API_PORT: u16 = 8787;
/// How often the two programs are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How to open the lab.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The port of the page, on 127.0.0.1 only
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Build without optimisation: quicker to build, slower to run
    #[arg(long)]
    dev: bool,
    /// Open a browser when the lab is ready
    #[arg(long)]
    open: bool,
    /// Leave out `lab serve`: scenarios then run in the simulator only
    #[arg(long)]
    no_api: bool,
}

/// Installs what is missing, builds, and serves until it is interrupted.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    require_free(options.port, "the page", "choose another with --port")?;
    if !options.no_api {
        require_free(
            API_PORT,
            "`lab serve`",
            "end what listens there, or leave real runs out with --no-api",
        )?;
    }
    setup::run(workspace, Purpose::Serve, false)?;

    let mut programs = Vec::new();
    if !options.no_api {
        command::run(&mut build_lab(workspace, options))?;
        programs.push(Program::start("lab serve", lab_serve(workspace, options))?);
    }
    programs.push(Program::start("trunk serve", trunk_serve(workspace, options))?);

    let mut announced = false;
    loop {
        for program in &mut programs {
            program.require_running()?;
        }
        if !announced && page_answers(options.port) {
            announce(options);
            announced = true;
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn announce(options: &Options) {
    let real = if options.no_api { "left out" } else { "ready when you choose the real world in the lab" };
    println!();
    println!("  The lab is open:  http://localhost:{}/", options.port);
    println!("  Real servers:     {real}");
    println!("  End it with Ctrl-C.");
    println!();
}

fn build_lab(workspace: &Workspace, options: &Options) -> Command {
    let mut build = workspace.cargo(["build", "--package", "lab-server", "--bin", "lab"]);
    if !options.dev {
        build.arg("--release").envs(QUICK_RELEASE);
    }
    build
}

fn lab_serve(workspace: &Workspace, options: &Options) -> Command {
    let profile = if options.dev { "debug" } else { "release" };
    let lab = workspace.target_dir().join(profile).join("lab");
    let mut serve = ending_with_xtask(workspace, lab.as_os_str());
    serve.args(["serve", "--listen", &format!("127.0.0.1:{API_PORT}")]);
    // The page is at trunk's port, from where trunk hands `/api` on.
    for name in ["127.0.0.1", "localhost"] {
        serve.args(["--allow-host", &format!("{name}:{}", options.port)]);
    }
    serve
}

fn trunk_serve(workspace: &Workspace, options: &Options) -> Command {
    let mut serve = ending_with_xtask(workspace, "trunk".as_ref());
    serve.args(["serve", "--port", &options.port.to_string()]);
    if !options.dev {
        serve.arg("--release");
    }
    if options.open {
        serve.arg("--open");
    }
    serve
}

/// A command that is told to end when xtask ends, even when xtask is killed.
fn ending_with_xtask(workspace: &Workspace, program: &std::ffi::OsStr) -> Command {
    if workspace.find_program("setpriv").is_none() {
        // Not Linux: an interrupt from the terminal still reaches both programs.
        return workspace.command(program);
    }
    let mut command = workspace.command("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// A program that runs beside xtask and is killed when xtask returns.
struct Program {
    name: &'static str,
    child: Child,
}

impl Program {
    fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        println!("$ {}", command::command_line(&command));
        let child = command.spawn().with_context(|| format!("could not start `{name}`"))?;
        Ok(Self { name, child })
    }

    fn require_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().with_context(|| format!("could not look at `{}`", self.name))? {
            None => Ok(()),
            Some(status) => bail!("`{}` has ended: {status}", self.name),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error here means that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails when something listens on the port already: trunk would say so only after the build.
fn require_free(port: u16, whose: &str, advice: &str) -> anyhow::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .with_context(|| format!("port {port}, for {whose}, cannot be had; {advice}"))
}

/// Whether the page is there: trunk listens only after its first build, and answers 404 if that failed.
fn page_answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(
            format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunk_passes_the_api_on_to_where_lab_serve_listens() {
        let workspace = Workspace::locate().expect("the tests run in the repository");
        let trunk =
            std::fs::read_to_string(workspace.path("Trunk.toml")).expect("the repository has a Trunk.toml");
        let backend = format!("backend = \"http://127.0.0.1:{API_PORT}/api\"");
        assert!(trunk.contains(&backend), "Trunk.toml has no line `{backend}`");
    }
}
