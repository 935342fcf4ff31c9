//! What the cache asks of the world: one trait a file, its contract in words. What L2 is asked: [`l2`], one command a
//! file.
//!
//! An implementation keeps to the words, not to the wishes of its callers; the suite in [`contract`] states each
//! behaviour once and runs over the simulated and the real adapters. Methods stay concrete (no generic methods, no
//! borrowed iterators across an `.await`), because those are what make the compiler lose `Send`.
//!
//! `#[track_caller]` stands on the methods so that [`traced::Traced`] can note which line of the cache waits.

mod bus;
pub mod contract;

mod database;
pub mod l2;
mod membership;
mod observer;
mod shared_cache;
mod time;
pub mod traced;

use crate::value::ServerId;

pub use bus::{Arrival, Audience, Body, Bus, BusError, CHANNEL, Notice, Published, Subscription};
pub use database::{Committed, Database, DatabaseError, ReadFrom, Row, Settled, Unpublished};
pub use l2::{Leased, Locked, Replaced, Stored, Unlocked};
pub use membership::{Member, Membership, Renewal};
pub use observer::{Observer, Silent};
pub use shared_cache::{SharedCache, SharedError};
pub use time::{BoxFuture, Clock, Entropy, Tasks};

/// Everything that one server has of the world, as one type parameter.
pub trait Ports: Clone + Send + Sync + 'static {
    /// Time.
    type Clock: Clock;
    /// L2.
    type Shared: SharedCache;
    /// `PostgreSQL`.
    type Database: Database;
    /// The channel of invalidations.
    type Bus: Bus;
    /// Who must acknowledge.
    type Membership: Membership;
    /// What runs beside requests.
    type Tasks: Tasks;
    /// Chance.
    type Entropy: Entropy;
    /// Where notes go.
    type Observer: Observer;

    /// Which server this is.
    fn server(&self) -> ServerId;
    /// Which life of that server this is: it differs after each restart.
    fn incarnation(&self) -> u64;
    /// Time.
    fn clock(&self) -> &Self::Clock;
    /// L2.
    fn shared(&self) -> &Self::Shared;
    /// `PostgreSQL`.
    fn database(&self) -> &Self::Database;
    /// The channel of invalidations.
    fn bus(&self) -> &Self::Bus;
    /// Who must acknowledge.
    fn membership(&self) -> &Self::Membership;
    /// What runs beside requests.
    fn tasks(&self) -> &Self::Tasks;
    /// Chance.
    fn entropy(&self) -> &Self::Entropy;
    /// Where notes go.
    fn observer(&self) -> &Self::Observer;
}
