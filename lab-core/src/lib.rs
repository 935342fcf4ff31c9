//! The core of the lab: the tiered cache, its policies and failures, and the simulator they run in.
//!
//! Nothing in this crate reads a clock, draws entropy, starts a thread or touches a socket: whatever it needs of
//! the world comes through [`ports`]. That is what lets one body of code run in the browser in virtual time and
//! natively against real servers.
//!
//! # Layout
//! * [`value`]: key, version, stamp, entry, lookup: the nouns, as newtypes
//! * [`cluster`]: who is in it, which shard a key belongs to, which server a request goes to
//! * [`fault`]: what can go wrong on purpose
//! * [`policy`]: every protection as a named, serialisable choice, and the switches of the lab
//! * [`ports`]: what the cache asks of the world, one trait a file, with the contract in words
//! * [`cache`]: the tiered cache, one policy a file
//! * [`lock`]: the distributed lock
//! * [`consistency`]: what a reader may be answered: Strong, Bounded, Session, Eventual
//! * [`trace`]: the events that both worlds write; the digest; the journal
//! * [`check`]: pure functions over a trace that say what held
//! * [`world`]: what a scenario may do to the cluster
//! * [`scenario`]: the catalogue: one failure a folder, one body for both worlds
//! * [`service`]: how a server answers a request, the same in both worlds
//! * [`sim`]: the simulator: executor, network, Redis Cluster, `PostgreSQL`, bus, balancer
//! * [`source`]: our own source, embedded, for the lab to show
//! * [`nemesis`]: random clients and faults against any policy, and what must hold all the same
//! * [`report`]: what a run amounts to: checks, demonstration, figures
//! * [`recording`]: a run as a file
//! * [`mutants`]: protections that can be left out, to test the tests

#[macro_use]
pub mod mutants;

pub mod cache;
pub mod check;
pub mod cluster;
pub mod consistency;
pub mod fault;
pub mod lock;
pub mod nemesis;
pub mod policy;
pub mod ports;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod service;
pub mod sim;
pub mod source;
pub mod trace;
pub mod value;
pub mod world;
