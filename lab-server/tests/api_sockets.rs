//! The API under abuse, through real sockets: connections that say nothing, or say it slowly, or say too much, or do
//! not read, keep nobody else out.

mod support;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use lab_server::api::app;
use lab_server::api::connections::{Limits, Server};
use lab_server::api::runs::{Runs, Source, Worker};
use serde_json::json;
use support::api::served;
use support::poll;
use support::socket::{Socket, ask, status};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Long before any limit of time that is not under test.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A server in this process, so that its limits can be small.
struct Lab {
    runtime: Runtime,
    server: Server,
    address: SocketAddr,
    /// It stands still: what is asked for waits.
    worker: Worker,
}

impl Lab {
    fn start(limits: Limits) -> Self {
        Self::start_with(limits, None)
    }

    fn start_with(limits: Limits, dist: Option<PathBuf>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (runs, worker) = Runs::new(Source::default());
        let (server, address) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            (Server::start(vec![listener], app(served(runs, dist)), limits), address)
        });
        Self { runtime, server, address, worker }
    }

    fn health(&self) -> u16 {
        status(&ask(self.address, "localhost", "/api/health", ""))
    }

    /// Asks for a run, and answers the path of its events.
    fn events(&self) -> String {
        let body = json!({ "scenario": "stampede-lock", "policy": "lock" }).to_string();
        let mut socket = Socket::open(self.address);
        assert!(socket.say(&post(body.len(), &body)));
        let answer = socket.read_until("\"}");
        let id = answer.split('"').nth_back(1).expect("an id");
        format!("/api/runs/{id}/events")
    }

    /// Follows a run, and returns when that is so.
    fn follow(&self, path: &str) -> Socket {
        let mut socket = Socket::open(self.address);
        socket.ask("localhost", path, "");
        assert!(socket.read_until("\r\n\r\n").contains("text/event-stream"));
        socket
    }
}

/// The head of a request for a run, and what there is of its body.
fn post(length: usize, body: &str) -> String {
    format!(
        "POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let limits = Limits { half_open: 8, half_open_for: Duration::from_millis(10), ..Limits::default() };
    let lab = Lab::start(limits);
    // Far more than there are places for any connection.
    let mut silent: Vec<_> = (0..400).map(|_| Socket::open(lab.address)).collect();
    let begun = Instant::now();
    assert_eq!(lab.health(), 200);
    assert!(begun.elapsed() < AT_ONCE);
    // The oldest have made room, and the newest are still listened to.
    assert_eq!(silent[0].read_all(), "");
    let newest = silent.last_mut().expect("one of them");
    newest.ask("localhost", "/api/health", "Connection: close\r\n");
    assert_eq!(status(&newest.read_all()), 200);
}

#[test]
fn a_head_that_comes_slowly_is_not_waited_for() {
    let limits = Limits { head_within: Duration::from_millis(300), ..Limits::default() };
    let lab = Lab::start(limits);
    let mut slow = Socket::open(lab.address);
    assert!(slow.say("GET /api/health HTTP/1.1\r\nHost: localhost\r\n"));
    // Each byte is early enough; the whole is not.
    let closed = poll(AT_ONCE, || (!slow.say("X")).then_some(()));
    assert!(closed.is_some(), "it is listened to for ever");
    // The same after a first request, and for one who says nothing more.
    for next in ["GET /api/hea", ""] {
        let mut second = Socket::open(lab.address);
        second.ask("localhost", "/api/health", "");
        assert_eq!(status(&second.read_until("\"}")), 200);
        assert!(second.say(next));
        let begun = Instant::now();
        assert!(!second.read_all().contains("200"));
        assert!(begun.elapsed() < AT_ONCE);
    }
    // Who follows a run says nothing more either, and stays.
    let mut follower = lab.follow(&lab.events());
    drop(lab.worker);
    let told = follower.read_until("event: failed");
    assert!(told.contains("urn:cache-lab:problem:stopped"), "{told}");
}

#[test]
fn a_body_that_comes_slowly_is_not_waited_for() {
    let lab = Lab::start(Limits::default());
    let mut slow = Socket::open(lab.address);
    assert!(slow.say(&post(1000, "{")));
    let answer = slow.read_all();
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("urn:cache-lab:problem:too-slow"), "{answer}");
}

#[test]
fn heads_are_bounded() {
    let lab = Lab::start(Limits::default());
    let long = format!("X-Long: {}\r\n", "x".repeat(200_000));
    let many = "X-Many: x\r\n".repeat(1000);
    for headers in [long, many] {
        let mut socket = Socket::open(lab.address);
        // The server may close before it has all of it.
        let _ = socket.say(&format!("GET /api/health HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
        let answer = socket.read_all();
        assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    }
    for rubbish in
        ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\0\0"]
    {
        let mut socket = Socket::open(lab.address);
        let _ = socket.say(rubbish);
        let _ = socket.say("\r\n\r\n");
        let answer = socket.read_all();
        assert!(answer.is_empty() || status(&answer) < 500, "{rubbish:?} is answered {answer}");
    }
    assert_eq!(lab.health(), 200);
}

#[test]
fn one_beyond_the_last_place_is_told_so() {
    // The silent ones have the one place in turn.
    let half_open_for = Duration::from_millis(10);
    let lab = Lab::start(Limits { connections: 4, half_open_for, ..Limits::default() });
    let path = lab.events();
    poll(AT_ONCE, || (lab.health() == 200).then_some(())).expect("the connection that asked is gone");
    let mut followers: Vec<_> = (0..4).map(|_| lab.follow(&path)).collect();
    let answer = ask(lab.address, "localhost", "/api/health", "");
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("urn:cache-lab:problem:full"), "{answer}");
    // Not even more of them than are told so hold up anything.
    let silent: Vec<_> = (0..100).map(|_| Socket::open(lab.address)).collect();
    followers.pop();
    poll(AT_ONCE, || answered(lab.address).then_some(())).expect("a place is free again");
    drop(silent);
}

/// A polite client keeps its connection for what it may ask next, and asks now and then.
#[test]
fn connections_that_are_idle_make_room_the_one_first_that_has_been_so_longest() {
    // However slow this machine is, none of those that have not asked yet is closed.
    let half_open_for = Duration::from_mins(1);
    let lab = Lab::start(Limits { connections: 8, half_open_for, ..Limits::default() });
    let path = lab.events();
    poll(AT_ONCE, || (lab.health() == 200).then_some(())).expect("the connection that asked is gone");
    let politely = |socket: &mut Socket| {
        socket.ask("localhost", "/api/health", "");
        status(&socket.read_until("\"}")) == 200
    };
    // The longest of all here, but its answer goes on.
    let mut follower = lab.follow(&path);
    let mut polite: Vec<_> = (0..7).map(|_| Socket::open(lab.address)).collect();
    assert!(polite.iter_mut().all(politely));
    // The first one asks again, so that the second has been idle longest.
    assert!(politely(&mut polite[0]));

    let mut newcomer = Socket::open(lab.address);
    assert!(politely(&mut newcomer), "every place is taken by one that has nothing to ask");
    assert_eq!(polite[1].read_all(), "", "it made room, without a word");
    for other in [0, 2, 3, 4, 5, 6] {
        assert!(politely(&mut polite[other]), "{other} was closed too");
    }
    // Whole crowds come and go so.
    let mut crowd: Vec<_> = (0..100).map(|_| Socket::open(lab.address)).collect();
    for socket in &mut crowd {
        socket.ask("localhost", "/api/health", "");
    }
    let answers = crowd.iter_mut().map(|socket| status(&socket.read_until("\"}")));
    assert_eq!(answers.filter(|status| *status != 200).count(), 0, "of 100");
    drop(lab.worker);
    assert!(follower.read_until("event: failed").contains("problem:stopped"), "it was there all the time");
}

/// An answer that its client does not read holds up nobody, though the server has written the whole of it.
#[test]
fn an_idle_connection_with_an_unread_answer_makes_room_too() {
    let dist = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dist.path().join("index.html"), "<!doctype html>").expect("a page");
    let lab = Lab::start_with(Limits { connections: 4, ..Limits::default() }, Some(dist.path().to_owned()));
    let mut unread: Vec<_> = (0..4).map(|_| Socket::open(lab.address)).collect();
    for socket in &mut unread {
        socket.ask("localhost", "/api/scenarios", "");
    }
    assert_eq!(lab.health(), 200);
    // What was answered before arrives all the same.
    for socket in &mut unread {
        assert_eq!(status(&socket.read_until("acknowledge")), 200);
    }
}

/// More than may be half open, and fewer than there are places: each has asked before the server has seen it.
#[test]
fn a_burst_of_whole_requests_is_answered_one_and_all() {
    let lab = Lab::start(Limits::default());
    // Held up, so that as many of them as the kernel takes wait there when the server has its first turn.
    let gates = [Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3))];
    for _ in 0..2 {
        let gates = gates.clone();
        lab.runtime.spawn(async move {
            for gate in gates {
                gate.wait();
            }
        });
    }
    gates[0].wait();
    let asked = |_| {
        let mut socket = Socket::open(lab.address);
        socket.ask("localhost", "/api/health", "Connection: close\r\n");
        socket
    };
    let mut sockets: Vec<_> = (0..120).map(asked).collect();
    gates[1].wait();
    sockets.extend((120..200).map(asked));
    let answers: Vec<_> = sockets.iter_mut().map(Socket::read_all).collect();
    let lost = answers.iter().filter(|answer| !answer.starts_with("HTTP/1.1 200")).count();
    assert_eq!(lost, 0, "of 200");
    // Those that say nothing make room all the same.
    let silent: Vec<_> = (0..200).map(|_| Socket::open(lab.address)).collect();
    poll(AT_ONCE, || answered(lab.address).then_some(())).expect("the silent ones make room");
    drop(silent);
}

/// Whether a request is answered as it should be; it may also be told that there is no place, or nothing.
fn answered(address: SocketAddr) -> bool {
    let mut socket = Socket::open(address);
    let asked = socket.say("GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked && socket.read_all().starts_with("HTTP/1.1 200")
}

#[test]
fn who_does_not_read_is_let_go() {
    let dist = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dist.path().join("index.html"), "<!doctype html>").expect("a page");
    let large = File::create(dist.path().join("large.bin")).expect("a file");
    // More than the system takes off the server's hands.
    large.set_len(256 * 1024 * 1024).expect("room for nothing");
    let limits = Limits { connections: 1, write_within: Duration::from_millis(300), ..Limits::default() };
    let lab = Lab::start_with(limits, Some(dist.path().to_owned()));
    let mut deaf = Socket::open(lab.address);
    deaf.ask("localhost", "/large.bin", "");
    assert!(deaf.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(!answered(lab.address), "the one place is taken");
    poll(AT_ONCE, || answered(lab.address).then_some(())).expect("its place is free");
}

#[test]
fn the_end_lets_answers_come_to_theirs_and_waits_no_longer() {
    let lab = Lab::start(Limits { end_within: Duration::from_millis(300), ..Limits::default() });
    let path = lab.events();
    let mut followers: Vec<_> = (0..100).map(|_| lab.follow(&path)).collect();
    let (mut idle, mut silent) = (Socket::open(lab.address), Socket::open(lab.address));
    idle.ask("localhost", "/api/health", "");
    assert_eq!(status(&idle.read_until("\"}")), 200);

    drop(lab.worker);
    lab.runtime.block_on(lab.server.end());
    for follower in &mut followers {
        let told = follower.read_all();
        assert!(told.contains("event: failed") && told.contains("problem:stopped"), "{told:?}");
        assert!(told.ends_with("0\r\n\r\n"), "the answer is whole: {told:?}");
    }
    assert_eq!((idle.read_all().as_str(), silent.read_all().as_str()), ("", ""));

    // Nobody who does not read holds up the end.
    let lab = Lab::start(Limits { end_within: Duration::from_millis(300), ..Limits::default() });
    let _follower = lab.follow(&lab.events());
    let begun = Instant::now();
    lab.runtime.block_on(lab.server.end());
    assert!(begun.elapsed() < AT_ONCE);
}
