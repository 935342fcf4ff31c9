//! `lab serve`: the API and the built lab.

use std::path::PathBuf;

use clap::Args;
use tokio::sync::watch;

use super::interrupt::Interrupt;
use super::{CliError, Held, NamedServers, output, stores};
use crate::api::connections::{Limits, Server};
use crate::api::guard::Hosts;
use crate::api::headers::Embedder;
use crate::api::listen::{Listen, Listening};
use crate::api::runs::{Runs, Source};
use crate::api::token::Token;
use crate::api::{self, Api};

/// Where `trunk build` puts the lab.
const DIST: &str = "dist";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen: PORT (on loopback), ADDRESS:PORT or NAME:PORT. Other machines can reach the lab only if you say
    /// so (0.0.0.0:PORT, [::]:PORT or an address of this one), and then it asks for a token, which is in the links that
    /// it prints. The connection is not encrypted: across a network that you do not trust, leave it on loopback and use
    /// a tunnel (`ssh -L`)
    #[arg(long, value_name = "WHERE", default_value = "127.0.0.1:8787")]
    listen: Listen,
    /// Ask for the token on loopback too, where other users of this machine can reach the lab, or what a proxy hands on
    #[arg(long)]
    require_token: bool,
    /// The built lab [default: dist, if it is there]
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,
    /// Another name that browsers may call this server by, or that a page which uses it is at (several times, if need
    /// be)
    #[arg(long, value_name = "NAME[:PORT]")]
    allow_host: Vec<String>,
    /// A site whose pages may show the lab in a frame, as in `https://school.example` (several times, if need be); a
    /// browser keeps the token's cookie from a frame on another site
    #[arg(long, value_name = "SITE")]
    allow_embed: Vec<Embedder>,
    #[command(flatten)]
    named: NamedServers,
}

pub(super) fn run(options: Options) -> Result<Held, CliError> {
    let dist = options.dist.clone().or_else(|| Some(PathBuf::from(DIST)).filter(|dist| dist.is_dir()));
    if let Some(dist) = dist.as_ref().filter(|dist| !dist.join("index.html").is_file()) {
        let why = format!("{} has no index.html: build the lab first (`trunk build`)", dist.display());
        return Err(CliError::Usage(why));
    }
    super::runtime::runtime()?.block_on(serve(options, dist))?;
    Ok(Held::Yes)
}

async fn serve(options: Options, dist: Option<PathBuf>) -> Result<(), CliError> {
    let interrupt = Interrupt::listen()?;
    // Whoever starts it is there now to read what is wrong with them; the first run may come hours later.
    let named = interrupt.or(stores::reach(&options.named)).await?;
    let source = named.map_or_else(Source::default, |named| Source {
        redis: named.redis,
        postgres: Some(named.postgres),
        leave_within: named.leave_within,
    });
    let listening = options.listen.bind().await?;
    let port = listening.port;
    let needs_token = options.require_token || !listening.is_loopback;
    let token = needs_token.then(|| Token::draw(port)).transpose();
    let token = token.map_err(|error| CliError::Io("draw a token".to_owned(), error.into()))?;
    let mut allowed = options.allow_host;
    allowed.extend(listening.names.clone());
    let hosts =
        if listening.is_loopback { Hosts::loopback(port, allowed) } else { Hosts::open(port, allowed) };
    let (runs, worker) = Runs::new(source);
    tell(&listening, token.as_ref(), dist.is_some());
    output::check()?;
    let app = api::app(Api { hosts, token, embedders: options.allow_embed, runs, dist });
    let (stop, stopped) = watch::channel(false);
    // A task of its own: whatever a run does, requests are answered.
    let working = tokio::spawn(worker.work(stopped));
    let server = Server::start(listening.listeners, app, Limits::default());
    interrupt.asked().await;
    // It cleans up after the run that it makes, and tells whoever follows one. If it has panicked, that was told on
    // standard error.
    stop.send_replace(true);
    let _ = working.await;
    // Then there is nothing left to follow, so it ends by itself.
    server.end().await;
    Ok(())
}

/// Says where the lab is, so that what is printed works when it is opened.
fn tell(listening: &Listening, token: Option<&Token>, has_page: bool) {
    let page = if has_page { "the lab" } else { "the API (the lab itself is not built)" };
    let Some(token) = token else {
        for name in &listening.names {
            say!("{page}: http://{name} (Ctrl-C ends it)");
        }
        return;
    };
    say!("{page} asks for a token, which these links bear; whoever has one can start runs:");
    for name in &listening.names {
        say!("  http://{name}/?token={}", token.digits());
    }
    say!("Programs send it as `Authorization: Bearer TOKEN`. (Ctrl-C ends the lab)");
}
