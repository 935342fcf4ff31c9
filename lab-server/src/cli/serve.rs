//! `lab serve`: the API and the built lab.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, output, stores};
use crate::api::guard::Hosts;
use crate::api::runs::{Runs, Source};
use crate::api::{self, Api};

/// Where `trunk build` puts the lab.
const DIST: &str = "dist";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen; other machines can reach the lab only if you say so
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The built lab [default: dist, if it is there]
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,
    /// Another name that browsers may call this server by, or that a page which uses it is at (several times, if need
    /// be)
    #[arg(long, value_name = "NAME[:PORT]")]
    allow_host: Vec<String>,
    #[command(flatten)]
    named: NamedServers,
}

pub(super) fn run(options: Options) -> Result<Held, CliError> {
    let dist = options.dist.clone().or_else(|| Some(PathBuf::from(DIST)).filter(|dist| dist.is_dir()));
    if let Some(dist) = dist.as_ref().filter(|dist| !dist.join("index.html").is_file()) {
        let why = format!("{} has no index.html: build the lab first (`trunk build`)", dist.display());
        return Err(CliError::Usage(why));
    }
    super::runtime()?.block_on(serve(options, dist))?;
    Ok(Held::Yes)
}

async fn serve(options: Options, dist: Option<PathBuf>) -> Result<(), CliError> {
    let listening = |error| cannot_listen(options.listen, error);
    let interrupt = Interrupt::listen()?;
    // Whoever starts it is there now to read what is wrong with them; the first run may come hours later.
    let named = interrupt.or(stores::reach(&options.named)).await?;
    let listener = TcpListener::bind(options.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let (redis, postgres) = named.map_or_else(Default::default, |named| (named.redis, Some(named.postgres)));
    let (runs, worker) = Runs::new(Source { redis, postgres });
    let page = if dist.is_some() { "the lab" } else { "the API (the lab itself is not built)" };
    say!("{page}: http://{address} (Ctrl-C ends it)");
    output::check()?;
    let app = api::app(Api { hosts: Hosts::new(address, options.allow_host), runs, dist });
    let (stop, stopped) = watch::channel(false);
    // A task of its own: whatever a run does, requests are answered.
    let working = tokio::spawn(worker.work(stopped));
    // Whoever follows a run would keep the server for ever: it ends without waiting for them.
    let served = tokio::select! {
        served = axum::serve(listener, app).into_future() => {
            served.map_err(|error| CliError::Io("serve".to_owned(), error))
        }
        () = interrupt.asked() => Ok(()),
    };
    // It cleans up after the run that it makes. If it has panicked, that was told on standard error.
    stop.send_replace(true);
    let _ = working.await;
    served
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> CliError {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program does, perhaps another `lab serve`: end it, or take another port with --listen"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are root's: take another with --listen",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: give --listen one that it has",
        _ => "give --listen another address",
    };
    CliError::Io(format!("listen on {address} ({advice})"), error)
}
