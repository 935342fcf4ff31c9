//! The simulator keeps the contracts, under many seeds: that of the ports, and that of the faults.

use lab_core::ports::contract;
use lab_core::{sim, world};

#[test]
fn the_simulator_keeps_the_contract() {
    for seed in 1..=100 {
        let kept = sim::on_ports(seed, 2, |ports| async move { contract::suite(&ports[0], &ports[1]).await });
        let kept = kept.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        kept.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}

#[test]
fn the_simulator_keeps_the_fault_contract() {
    for seed in 1..=100 {
        let kept = sim::on_world(seed, |world| async move { world::contract::suite(&world).await });
        let (kept, _) = kept.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        kept.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}
