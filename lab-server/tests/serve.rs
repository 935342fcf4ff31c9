//! `lab serve` as others find it: what it prints works, off loopback nothing is told without the token, and whoever
//! follows a run hears of the end of the server.

mod support;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::socket::{Socket, ask, header, status};
use support::{Running, run, told};

/// Long before anybody would give up.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A `lab serve`, and where it says that it is.
struct Serving {
    lab: Running,
    links: Vec<Link>,
}

/// A printed link.
struct Link {
    host: String,
    path: String,
}

impl Serving {
    fn start(arguments: &str) -> Self {
        let mut lab = Running::start(&format!("serve {arguments}"));
        let told = lab.read_to("(Ctrl-C ends");
        let links = told.iter().flat_map(|line| line.split_whitespace()).filter_map(|word| {
            let (host, path) = word.strip_prefix("http://")?.split_once('/').unwrap_or((&word[7..], ""));
            Some(Link { host: host.to_owned(), path: format!("/{path}") })
        });
        let links: Vec<_> = links.collect();
        assert!(!links.is_empty(), "no link in {told:#?}");
        Self { lab, links }
    }
}

impl Link {
    /// Where a browser would connect to.
    fn address(&self) -> SocketAddr {
        let mut found = self.host.to_socket_addrs().unwrap_or_else(|error| panic!("{}: {error}", self.host));
        found.next().expect("an address")
    }

    fn get(&self, path: &str, headers: &str) -> String {
        ask(self.address(), &self.host, path, headers)
    }
}

#[test]
fn on_loopback_what_is_printed_works_and_asks_for_nothing() {
    let mut wheres = vec!["127.0.0.1:0", "localhost:0", ":0", "0"];
    if Path::new("/proc/net/if_inet6").exists() {
        wheres.push("[::1]:0");
    }
    for listen in wheres {
        let serving = Serving::start(&format!("--listen {listen}"));
        for link in &serving.links {
            assert_eq!(link.path, "/", "no token: {listen}");
            assert_eq!(status(&link.get("/api/health", "")), 200, "{listen}");
            // Both families, where the name has both.
            for address in link.host.to_socket_addrs().expect("resolved") {
                assert_eq!(
                    status(&ask(address, &link.host, "/api/health", "")),
                    200,
                    "{listen} at {address}"
                );
            }
        }
    }
}

#[test]
fn off_loopback_what_is_printed_works_and_nothing_else_does() {
    let mut wheres = vec!["0.0.0.0:0"];
    if Path::new("/proc/net/if_inet6").exists() {
        wheres.push("[::]:0");
    }
    for listen in wheres {
        let serving = Serving::start(&format!("--listen {listen}"));
        for link in &serving.links {
            assert!(link.path.starts_with("/?token="), "{}{}", link.host, link.path);
            // The Host header proves nothing, and neither does a connection from this machine.
            for host in ["localhost", link.host.as_str()] {
                let refused = ask(link.address(), host, "/api/runs", "");
                assert_eq!(status(&refused), 401, "{host} at {}: {refused}", link.host);
            }
            let welcome = link.get(&link.path, "Accept: text/html\r\n");
            assert_eq!(status(&welcome), 303, "{}: {welcome}", link.host);
            let cookie = header(&welcome, "set-cookie").and_then(|cookie| cookie.split(';').next());
            let cookie = format!("Cookie: {}\r\n", cookie.expect("a cookie"));
            assert_eq!(status(&link.get("/api/health", &cookie)), 200, "{}", link.host);
            let token = link.path.rsplit('=').next().expect("a token");
            let bearer = format!("Authorization: Bearer {token}\r\n");
            assert_eq!(status(&link.get("/api/scenarios", &bearer)), 200, "{}", link.host);
        }
    }
}

#[test]
fn each_start_draws_another_token_and_loopback_can_ask_for_one() {
    let tokens: Vec<_> = (0..2)
        .map(|_| {
            let serving = Serving::start("--listen 127.0.0.1:0 --require-token");
            let link = &serving.links[0];
            assert_eq!(status(&link.get("/api/health", "")), 401);
            assert_eq!(status(&link.get(&link.path, "")), 303);
            link.path.clone()
        })
        .collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn a_port_that_is_taken_on_one_family_is_not_half_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    for listen in [format!("{port}"), format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let output = run(&format!("serve --listen {listen}"));
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        assert!(told(&output).contains("another port with --listen"), "{}", told(&output));
    }
    let nobody = run("serve --allow-embed school.example");
    assert_eq!(nobody.status.code(), Some(2), "{}", told(&nobody));
    assert!(told(&nobody).contains("https://school.example"), "{}", told(&nobody));
}

/// Asks for a run of some seconds, and answers its path.
fn start_run(link: &Link) -> String {
    let settings = json!({ "compute-ms": 2000 });
    let body = json!({ "scenario": "stampede-lock", "policy": "lock", "settings": settings }).to_string();
    let mut socket = Socket::open(link.address());
    let head = format!(
        "POST /api/runs HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        link.host,
        body.len()
    );
    assert!(socket.say(&head) && socket.say(&body));
    let answer = socket.read_all();
    let started: Value =
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    format!("/api/runs/{}", started["id"].as_str().expect("an id"))
}

#[test]
fn all_who_follow_hear_of_the_end_of_the_server() {
    let mut serving = Serving::start("--listen 127.0.0.1:0");
    let link = &serving.links[0];
    let (running, waiting) = (start_run(link), start_run(link));
    let follow = |path: &String| {
        let mut socket = Socket::open(link.address());
        socket.ask(&link.host, &format!("{path}/events"), "");
        socket
    };
    let mut followers: Vec<_> = (0..20).map(|_| follow(&running)).collect();
    assert!(followers[0].read_until("data: ").contains("data: "), "the run is under way");
    followers.extend((0..20).map(|_| follow(&waiting)));
    let mut idle = Socket::open(link.address());

    serving.lab.signal(Signal::INT);
    for follower in &mut followers {
        let told = follower.read_all();
        assert!(told.contains("event: failed") && told.contains("problem:stopped"), "{told:?}");
        assert!(told.ends_with("0\r\n\r\n"), "the answer is whole: {told:?}");
    }
    assert_eq!(idle.read_all(), "");
    assert_eq!(serving.lab.ends_within(ENDS_WITHIN), Some(0));
}
