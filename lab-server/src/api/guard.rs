//! Who may ask. A page on another site can send requests to loopback with the visitor's browser, and a name of its own
//! can be made to point there (DNS rebinding). So the Host header must name us, an Origin must be ours, and a body must
//! be JSON, which a foreign page cannot send unasked.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::{Kind, Problem};

/// Where `trunk serve` shows the lab while it is worked on; it hands `/api` on to us.
const DEVELOPMENT: [&str; 2] = ["http://localhost:8080", "http://127.0.0.1:8080"];

/// The names that loopback has.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names that are ours.
#[derive(Clone, Debug)]
pub struct Hosts {
    port: u16,
    allowed: Vec<String>,
}

impl Hosts {
    /// Loopback at the port that is listened on, and the names that the user allows (`name` or `name:port`).
    pub fn new(listens: SocketAddr, allowed: Vec<String>) -> Self {
        Self { port: listens.port(), allowed }
    }

    /// Whether a Host header names us. A loopback name without a port is ours as well: `trunk serve` leaves the port
    /// out when it hands a request on, and it is the name that an attacker cannot choose.
    fn knows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        let is_loopback = LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name));
        let is_our_port = port.is_none_or(|port| port.parse() == Ok(self.port));
        (is_loopback && is_our_port) || self.allows(host)
    }

    /// Whether the user named this host, with or without its port.
    fn allows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        self.allowed.iter().map(|allowed| split(allowed)).any(|(known, known_port)| {
            known.eq_ignore_ascii_case(name) && (known_port.is_none() || known_port == port)
        })
    }
}

/// Name and port of a host; an IPv6 address stands in brackets.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Lets only those requests through that are ours.
pub(super) async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    match may_pass(&hosts, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn may_pass(hosts: &Hosts, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let host = one(headers, &header::HOST)?.unwrap_or_default();
    if !hosts.knows(host) {
        let detail = format!(
            "the Host header is {host:?}, which is no name of this server: ask for http://127.0.0.1:{}, or start \
             `lab serve` with --allow-host {host}",
            hosts.port
        );
        return Err(Problem::new(Kind::Stranger, detail));
    }
    if let Some(origin) = one(headers, &header::ORIGIN)? {
        let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let ours = page.is_some_and(|page| page == host || hosts.allows(page));
        if !ours && !DEVELOPMENT.contains(&origin) {
            let detail = format!("a page of {origin:?} may not drive the lab: open the lab itself");
            return Err(Problem::new(Kind::Stranger, detail));
        }
    }
    if method == Method::POST { is_json(headers) } else { Ok(()) }
}

/// A header that may stand there once, as text.
fn one<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(Problem::new(Kind::Stranger, format!("the {name} header must be one plain name"))),
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the body is said to be {media_type:?}: send it as application/json");
    Err(Problem::new(Kind::WrongMediaType, detail))
}
