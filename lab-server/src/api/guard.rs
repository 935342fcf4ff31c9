//! Who may ask. A page on another site can send requests to loopback with the visitor's browser, and a name of its own
//! can be made to point there (DNS rebinding). So the Host header must name us, an Origin must be ours, and a body must
//! be JSON, which a foreign page cannot send unasked. Where others than this machine's users can reach us, none of that
//! proves anything, and a token must be shown.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::headers::Headers;
use super::problem::{Kind, Problem};
use super::token::Token;

/// Where `trunk serve` shows the lab while it is worked on; it hands `/api` on to us.
const DEVELOPMENT: [&str; 2] = ["http://localhost:8080", "http://127.0.0.1:8080"];

/// The names that loopback has.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names that are ours.
#[derive(Clone, Debug)]
pub struct Hosts {
    port: u16,
    allowed: Vec<String>,
    /// Whether others than this machine's users can reach us, under addresses that we need not know.
    is_open: bool,
}

impl Hosts {
    /// For a server that listens on loopback, at this port: its names, and those that the user allows (`name` or
    /// `name:port`).
    pub fn loopback(port: u16, allowed: Vec<String>) -> Self {
        Self { port, allowed, is_open: false }
    }

    /// For a server that others can reach. Any address is its name then: it may be behind one that it does not know,
    /// and no name that an attacker makes point here is an address. So is the machine's own name. Neither proves
    /// anything, which is what the token is for.
    pub fn open(port: u16, mut allowed: Vec<String>) -> Self {
        if let Ok(machine) = rustix::system::uname().nodename().to_str() {
            allowed.extend([machine.to_owned(), format!("{machine}.local")]);
        }
        Self { port, allowed, is_open: true }
    }

    /// Whether a Host header names us. A loopback name without a port is ours as well: `trunk serve` leaves the port
    /// out when it hands a request on, and it is the name that an attacker cannot choose.
    fn knows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        let is_loopback = LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name));
        let is_our_port = port.is_none_or(|port| port.parse() == Ok(self.port));
        (is_loopback && is_our_port) || (self.is_open && is_address(name)) || self.allows(host)
    }

    /// Whether the user named this host, with or without its port.
    fn allows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        self.allowed.iter().map(|allowed| split(allowed)).any(|(known, known_port)| {
            known.eq_ignore_ascii_case(name) && (known_port.is_none() || known_port == port)
        })
    }
}

/// Whether a host is an address and no name.
fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.map_or_else(|| host.parse::<Ipv4Addr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok())
}

/// Name and port of a host; an IPv6 address stands in brackets.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// What stands before every route.
pub(super) struct Guard {
    pub(super) hosts: Hosts,
    /// What must be shown, where others can reach us.
    pub(super) token: Option<Token>,
    pub(super) headers: Headers,
}

/// Lets only those requests through that are ours.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let answer = match guard.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(answer) => *answer,
    };
    guard.headers.add_to(answer)
}

impl Guard {
    fn admit(&self, request: &Request) -> Result<(), Box<Response>> {
        // Whoever is refused does not keep its connection, of which there are only so many.
        let refuse = |mut refusal: Box<Response>| {
            refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            refusal
        };
        let problem = |problem: Problem| refuse(Box::new(problem.into_response()));
        let host = self.hosts.named(request.headers()).map_err(problem)?;
        if let Some(token) = &self.token {
            token
                .admit(request)
                .map_err(|answer| if answer.status().is_redirection() { answer } else { refuse(answer) })?;
        }
        self.hosts.may_ask(host, request.method(), request.headers()).map_err(problem)
    }
}

impl Hosts {
    /// The host that a request names, if it is ours.
    fn named<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
        let host = one(headers, &header::HOST)?.unwrap_or_default();
        if self.knows(host) {
            return Ok(host);
        }
        let detail = format!(
            "the Host header is {host:?}, which is no name of this server: ask for the address that `lab serve` \
             printed, or start it with --allow-host {host}"
        );
        Err(Problem::new(Kind::Stranger, detail))
    }

    /// Whether a page, if it is one that asks, is ours, and whether what it sends is JSON.
    fn may_ask(&self, host: &str, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if let Some(origin) = one(headers, &header::ORIGIN)? {
            let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            let ours = page.is_some_and(|page| page == host || self.allows(page));
            let developed = !self.is_open && DEVELOPMENT.contains(&origin);
            if !ours && !developed {
                let detail = format!("a page of {origin:?} may not drive the lab: open the lab itself");
                return Err(Problem::new(Kind::Stranger, detail));
            }
        }
        if method == Method::POST { is_json(headers) } else { Ok(()) }
    }
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
