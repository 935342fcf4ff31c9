//! The outbox: what a writer cannot tell any more is told by others, in all tiers, until everybody has heard.

use futures_util::future::join;
use lab_core::cluster::Actor;
use lab_core::fault::Fault;
use lab_core::policy::{Outbox, Policy, Switch};
use lab_core::sim::SimWorld;
use lab_core::value::ServerId;

use super::stage::{
    acknowledged, bus_to, fails, from_primary, inject, inject_all, millis, read, reads, to_bus, to_primary,
    to_redis, write,
};

fn with_outbox() -> Policy {
    acknowledged().with(Switch::Outbox, true)
}

/// Everybody holds the old row, and server 1 takes with it that it has committed a new one.
async fn dies_with_a_commit(world: &SimWorld) {
    for server in 2..=4 {
        read(world, server).await;
    }
    inject(world, Fault::Cut(from_primary(1))).await;
    let die = async {
        millis(world, 100).await;
        inject(world, Fault::Kill(Actor::Server(ServerId(1)))).await;
    };
    join(write(world, 1, "100"), die).await;
}

async fn everybody_reads_the_new_row(world: &SimWorld) {
    for server in 2..=4 {
        reads(world, server, 2).await;
    }
}

/// What lies in the outbox is published by another server; not before L2 is emptied, if that takes a while.
pub(crate) fn published_by_another(seed: u64) -> bool {
    [0, 8_000].into_iter().any(|l2_is_gone_ms| {
        fails(seed, &with_outbox(), move |world| async move {
            dies_with_a_commit(&world).await;
            for server in 2..=4 {
                inject_all(&world, to_redis(server), Fault::BlackHole).await;
            }
            millis(&world, l2_is_gone_ms).await;
            for server in 2..=4 {
                inject_all(&world, to_redis(server), Fault::Heal).await;
            }
            millis(&world, 20_000).await;
            everybody_reads_the_new_row(&world).await;
        })
    })
}

/// What a server has taken out of the outbox and could tell nobody, because it was cut off from the bus, is taken by
/// another.
pub(crate) fn taken_and_not_told(seed: u64) -> bool {
    let mut policy = with_outbox();
    policy.write.outbox = Outbox::Relay { after_ms: 15_000, every_ms: 1_000 };
    fails(seed, &policy, |world| async move {
        dies_with_a_commit(&world).await;
        millis(&world, 13_900).await;
        inject(&world, Fault::BlackHole(bus_to(2))).await;
        inject(&world, Fault::BlackHole(to_bus(2))).await;
        millis(&world, 800).await;
        // Server 2 is the one that takes it.
        for server in [3, 4] {
            inject(&world, Fault::Hold(to_primary(server))).await;
        }
        millis(&world, 1_300).await;
        for server in [3, 4] {
            inject(&world, Fault::Release(to_primary(server))).await;
        }
        millis(&world, 11_000).await;
        inject(&world, Fault::Kill(Actor::Server(ServerId(2)))).await;
        millis(&world, 15_000).await;
        for server in [3, 4] {
            reads(&world, server, 2).await;
        }
    })
}
