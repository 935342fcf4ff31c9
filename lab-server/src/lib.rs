//! The real world: harness, adapters, command line and API.

pub mod harness;
