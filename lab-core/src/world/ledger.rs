//! What is broken now: which faults are in force, and which could be. It is the same for both worlds, so that both refuse
//! the same fault with the same words.

use std::collections::BTreeSet;

use super::WorldError;
use crate::cluster::{Actor, Topology};
use crate::fault::{Fault, Link};

/// Whether there is such a place. Clients are whoever asks.
fn has(topology: &Topology, actor: Actor) -> bool {
    match actor {
        Actor::Lab | Actor::Balancer | Actor::Bus | Actor::Client(_) => true,
        node => topology.nodes().any(|other| other == node),
    }
}

/// Whether anything travels on the link.
fn connects(topology: &Topology, link: Link) -> bool {
    match link {
        Link::BusTo(server) => has(topology, Actor::Server(server)),
        Link::From(from, to) => {
            let are_there = has(topology, from) && has(topology, to);
            are_there && (are_connected(from, to) || are_connected(to, from))
        }
    }
}

/// Whether the first has connections to the second.
fn are_connected(first: Actor, second: Actor) -> bool {
    let is_redis = |actor| matches!(actor, Actor::RedisMaster(_) | Actor::RedisReplica(_));
    match (first, second) {
        (Actor::Client(_), Actor::Server(_))
        | (Actor::Server(_), Actor::Bus | Actor::Primary | Actor::Replica(_))
        | (Actor::Replica(_), Actor::Primary) => true,
        (Actor::Server(_), node) => is_redis(node),
        _ => first != second && is_redis(first) && is_redis(second),
    }
}

/// The faults in force.
#[derive(Clone, Debug)]
pub struct Ledger {
    topology: Topology,
    /// Before the start links can be struck, but no server.
    is_started: bool,
    dead: BTreeSet<Actor>,
    paused: BTreeSet<Actor>,
    /// What ends the faults in force.
    remedies: BTreeSet<Fault>,
}

impl Ledger {
    /// All is well in these places; of the servers there may be fewer when they have started.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            is_started: false,
            dead: BTreeSet::new(),
            paused: BTreeSet::new(),
            remedies: BTreeSet::new(),
        }
    }

    /// The servers are there.
    pub fn started(&mut self, topology: Topology) {
        self.topology = topology;
        self.is_started = true;
    }

    /// Whether the actor is dead.
    pub fn is_dead(&self, actor: Actor) -> bool {
        self.dead.contains(&actor)
    }

    /// Whoever is dead.
    pub fn dead(&self) -> impl Iterator<Item = Actor> {
        self.dead.iter().copied()
    }

    /// Whether the actor is paused.
    pub fn is_paused(&self, actor: Actor) -> bool {
        self.paused.contains(&actor)
    }

    /// Whether anybody is paused.
    pub fn is_any_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// Whether a fault is in force that this would end.
    pub fn ends(&self, remedy: Fault) -> bool {
        self.remedies.contains(&remedy)
    }

    /// Whether the fault has a place, and that place is in a state in which it can begin.
    ///
    /// # Errors
    /// [`WorldError::Nowhere`] and [`WorldError::NotNow`].
    pub fn admit(&self, fault: Fault) -> Result<(), WorldError> {
        let nowhere = |what: String| WorldError::Nowhere { fault, what };
        if let Some(link) = fault.link().filter(|link| !connects(&self.topology, *link)) {
            return Err(nowhere(format!("nothing travels on {link:?}")));
        }
        if let Some(actor) = fault.actor().filter(|actor| !has(&self.topology, *actor)) {
            return Err(nowhere(format!("there is no {actor}")));
        }
        let not_now =
            |actor: Actor, is: &str| Err(WorldError::NotNow { fault, why: format!("{actor} is {is}") });
        if let (Some(server @ Actor::Server(_)), false) = (fault.actor(), self.is_started) {
            return not_now(server, "not started yet");
        }
        match fault {
            Fault::Kill(actor) | Fault::Pause(actor) if self.is_dead(actor) => not_now(actor, "dead already"),
            Fault::Restart(actor) if !self.is_dead(actor) => not_now(actor, "alive"),
            Fault::Pause(actor) if self.is_paused(actor) => not_now(actor, "paused already"),
            Fault::Resume(actor) if !self.is_paused(actor) => not_now(actor, "not paused"),
            Fault::PauseReplay(actor) | Fault::ResumeReplay(actor) if !matches!(actor, Actor::Replica(_)) => {
                Err(nowhere(format!("{actor} replays no log")))
            }
            _ => Ok(()),
        }
    }

    /// Notes that the fault is in force, or that what it ends is over.
    pub fn note(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(actor) => {
                self.dead.insert(actor);
                self.paused.remove(&actor);
                self.remedies.remove(&Fault::Resume(actor));
            }
            Fault::Restart(actor) => drop(self.dead.remove(&actor)),
            Fault::Pause(actor) => drop(self.paused.insert(actor)),
            Fault::Resume(actor) => drop(self.paused.remove(&actor)),
            _ => {}
        }
        match fault.remedy() {
            Some(remedy) => drop(self.remedies.insert(remedy)),
            None => drop(self.remedies.remove(&fault)),
        }
    }

    /// What ends every fault in force. The dead stay dead: to be born again is no healing.
    pub fn remedies(&self) -> Vec<Fault> {
        let remedies = self.remedies.iter().copied();
        remedies.filter(|remedy| !matches!(remedy, Fault::Restart(_))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ServerId;

    const ONE: Actor = Actor::Server(ServerId(1));

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(Topology::new(8, 3, 1, 2));
        ledger.started(Topology::new(2, 3, 1, 2));
        ledger
    }

    #[test]
    fn before_the_start_links_can_be_struck_but_no_server() {
        let ledger = Ledger::new(Topology::new(8, 3, 1, 2));
        assert_eq!(ledger.admit(Fault::Cut(Link::BusTo(ServerId(8)))), Ok(()));
        assert!(matches!(ledger.admit(Fault::Kill(ONE)), Err(WorldError::NotNow { .. })));
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let nowhere = [
            Fault::Kill(Actor::Server(ServerId(0))),
            Fault::Kill(Actor::Server(ServerId(3))),
            Fault::Pause(Actor::RedisMaster(3)),
            Fault::PauseReplay(Actor::Replica(3)),
            Fault::PauseReplay(ONE),
            Fault::Cut(Link::BusTo(ServerId(3))),
            Fault::Heal(Link::From(Actor::Lab, Actor::Bus)),
            Fault::Reset(Link::From(ONE, ONE)),
        ];
        for fault in nowhere {
            assert!(matches!(ledger().admit(fault), Err(WorldError::Nowhere { .. })), "{fault:?}");
        }
        for (from, to) in [(ONE, Actor::Primary), (Actor::Primary, ONE), (ONE, Actor::RedisMaster(2))] {
            assert_eq!(ledger().admit(Fault::Cut(Link::From(from, to))), Ok(()), "{from} to {to}");
        }
    }

    #[test]
    fn the_dead_do_not_die_and_the_living_are_not_born() {
        let mut ledger = ledger();
        let not_now = |told: Result<(), WorldError>| matches!(told, Err(WorldError::NotNow { .. }));
        assert!(not_now(ledger.admit(Fault::Restart(ONE))) && not_now(ledger.admit(Fault::Resume(ONE))));
        ledger.note(Fault::Pause(ONE));
        assert!(not_now(ledger.admit(Fault::Pause(ONE))));
        ledger.note(Fault::Kill(ONE));
        assert!(not_now(ledger.admit(Fault::Kill(ONE))) && not_now(ledger.admit(Fault::Resume(ONE))));
        assert_eq!(ledger.admit(Fault::Restart(ONE)), Ok(()));
    }

    #[test]
    fn remedies_end_what_is_in_force_and_nothing_else() {
        let mut ledger = ledger();
        let link = Link::BusTo(ServerId(1));
        let faults = [
            Fault::Delay { link, by_ms: 5 },
            Fault::Cut(link),
            Fault::Hold(link),
            Fault::Pause(ONE),
            Fault::SlowStatements { by_ms: 5 },
            Fault::Skew { server: ServerId(1), by_ms: -5 },
            Fault::Kill(Actor::Server(ServerId(2))),
        ];
        for fault in faults {
            ledger.note(fault);
        }
        let remedies = ledger.remedies();
        assert_eq!(remedies.len(), 5, "{remedies:?}");
        for remedy in remedies {
            ledger.note(remedy);
        }
        assert_eq!(ledger.remedies(), []);
    }
}
