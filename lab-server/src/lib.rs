//! The real world: harness, adapters, command line and API.
//!
//! * [`harness`]: starts and breaks a real Redis Cluster and a real PostgreSQL
//! * [`adapters`]: the ports of `lab-core` over them
//! * [`real`]: the world that a scenario drives
//! * [`catalogue`]: the course as JSON
//! * [`api`]: HTTP over all that, and the built lab as files
//! * [`cli`]: the command line

pub mod adapters;
pub mod api;
pub mod catalogue;
pub mod cli;
pub mod harness;
pub mod real;
