//! The cluster as everybody knows it: which nodes it has, which shard a key belongs to, which server a request goes to. Nothing
//! here runs; the simulator, the real servers and the page use the same names and the same arithmetic.

mod actor;
mod balancer;
mod slot;
mod topology;

pub use actor::{Actor, Role, UnknownActor};
pub use balancer::{Balancer, Balancing};
pub use slot::{SLOTS, range, shard_of_slot, slot};
pub use topology::{Shard, Topology, TopologyError};
