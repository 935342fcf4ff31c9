//! The simulated adapters keep the port contract, under many seeds.

use lab_core::ports::contract;
use lab_core::sim;

#[test]
fn the_simulator_keeps_the_contract() {
    for seed in 1..=100 {
        let kept = sim::on_ports(seed, 2, |ports| async move { contract::suite(&ports[0], &ports[1]).await });
        let kept = kept.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        kept.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    }
}
