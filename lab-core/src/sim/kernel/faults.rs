//! What a fault does to the cluster.

use std::task::Waker;
use std::time::Duration;

use super::{Number, Reply, Server, SimCache, SkewedClock, State};
use crate::cluster::Actor;
use crate::fault::{Fault, Link};
use crate::value::ServerId;
use crate::world::WorldError;

impl State {
    /// Begins a fault, or ends one.
    pub(in crate::sim) fn inject(&mut self, fault: Fault) -> Result<(), WorldError> {
        self.ledger.admit(fault)?;
        if !self.can(fault) {
            let why = "the simulator has no such fault".to_owned();
            return Err(WorldError::Unsupported { fault, why });
        }
        self.ledger.note(fault);
        self.network.inject(fault);
        match fault {
            Fault::BlackHole(link) => self.connections.silence(link),
            Fault::Heal(link) | Fault::Release(link) => self.let_go(link),
            Fault::Reset(link) => self.reset(link),
            Fault::Kill(actor) => self.kill(actor),
            Fault::Pause(actor) => self.orders.paused.push(actor),
            Fault::Resume(actor) => self.resume(actor),
            Fault::SlowStatements { by_ms } => self.slow = Duration::from_millis(by_ms),
            Fault::Skew { server, by_ms } => self.skew(server, by_ms),
            _ => {}
        }
        Ok(())
    }

    fn can(&self, fault: Fault) -> bool {
        match fault {
            Fault::Kill(actor) | Fault::Restart(actor) => matches!(actor, Actor::Server(_)),
            Fault::Pause(actor) | Fault::Resume(actor) => {
                !matches!(actor, Actor::Client(_) | Actor::Lab | Actor::Balancer)
            }
            Fault::PauseReplay(_) | Fault::ResumeReplay(_) => false,
            _ => true,
        }
    }

    /// Every connection over the link ends; a client's request is one.
    fn reset(&mut self, link: Link) {
        for connection in self.connections.numbers(|connection| connection.links().contains(&link)) {
            self.close(connection);
        }
    }

    fn kill(&mut self, actor: Actor) {
        self.orders.killed.push(actor);
        *self.lives.entry(actor).or_default() += 1;
        self.parked.retain(|(waits_for, _)| *waits_for != actor);
        if let Actor::Server(server) = actor {
            for connection in self.connections.numbers(|connection| connection.opener == actor) {
                self.connections.abandon(connection);
            }
            self.server(server).subscription = None;
            self.server(server).ready = false;
            self.lose_requests(server);
        }
    }

    /// What reached a paused actor is taken up in its order.
    fn resume(&mut self, actor: Actor) {
        self.orders.resumed.push(actor);
        let (taken_up, parked): (Vec<_>, _) =
            std::mem::take(&mut self.parked).into_iter().partition(|(waits_for, _)| *waits_for == actor);
        self.parked = parked;
        for (_, what) in taken_up {
            self.schedule(self.now, what);
        }
    }

    fn skew(&mut self, server: ServerId, by_ms: i64) {
        let told = self.clock(server);
        self.clocks.insert(server, SkewedClock { by_ns: by_ms.saturating_mul(1_000_000), told });
    }

    /// A dead server begins a new life; it takes requests when it says so. What it was before is given back.
    pub(in crate::sim) fn revive(&mut self, server: ServerId, cache: SimCache, connections: u32) -> Server {
        let incarnation = self.next_incarnation(server);
        let born = Server::new(cache, &self.topology, connections, incarnation);
        std::mem::replace(self.server(server), born)
    }

    pub(in crate::sim) fn next_incarnation(&mut self, server: ServerId) -> u64 {
        self.server(server).incarnation + 1
    }

    /// A call that is answered when the server takes requests.
    pub(in crate::sim) fn begin_start(&mut self, server: ServerId) -> Number {
        self.open_call(Some(server))
    }

    /// The server takes requests.
    pub(in crate::sim) fn started(&mut self, server: ServerId, call: Number) -> Option<Waker> {
        self.server(server).ready = true;
        self.answer(call, Reply::Started, None)
    }
}
