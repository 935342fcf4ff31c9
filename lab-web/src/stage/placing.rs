//! Where a capsule stands: on its way, as near as can be to where the message is, on nothing that is to be read.
//!
//! It knows rectangles and ways. What must stay free (cards, words, other capsules) is the caller's to say.

use super::{Rect, Route};

/// Places that are tried along a way.
const TRIED: usize = 80;
/// Capsules and what they must not cover keep this distance.
const APART: f64 = 1.5;

/// A place for a capsule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// The share of the way.
    pub(crate) share: f64,
    /// Its middle.
    pub(crate) at: (f64, f64),
}

/// The nearest free place to `share` for a capsule of that size within `field`; where there is none, the one that
/// covers least. One that need not stay on its way (`loose`) may step aside.
pub(crate) fn place(
    route: &Route,
    share: f64,
    (width, height): (f64, f64),
    field: &Rect,
    occupied: &[Rect],
    loose: bool,
) -> Place {
    let on_way = (0..=TRIED).map(|place| place as f64 / TRIED as f64);
    let mut shares: Vec<f64> = std::iter::once(share).chain(on_way).collect();
    shares.sort_by(|one, other| (one - share).abs().total_cmp(&(other - share).abs()));
    let steps = if loose { 24 } else { 0 };
    let aside = (0..=steps).flat_map(|step| {
        let by = f64::from(step) * 5.0;
        if step == 0 { vec![0.0] } else { vec![by, -by] }
    });
    let mut best: Option<(f64, Place)> = None;
    for by in aside {
        for share in shares.iter().copied() {
            let (x, y) = route.at(share).0;
            let least = field.x + width / 2.0;
            let x = (x + by).clamp(least, (field.right() - width / 2.0).max(least));
            let own = Rect { x: x - width / 2.0, y: y - height / 2.0, w: width, h: height };
            let covered: f64 = occupied.iter().map(|other| overlap(&own, other)).sum();
            let place = Place { share, at: (x, y) };
            if covered <= 0.0 {
                return place;
            }
            if best.is_none_or(|(least, _)| covered < least - 1e-6) {
                best = Some((covered, place));
            }
        }
    }
    best.map_or(Place { share, at: route.at(share).0 }, |(_, place)| place)
}

/// The area that two rectangles share, with the distance that they should keep.
fn overlap(one: &Rect, other: &Rect) -> f64 {
    let wide = (one.right().min(other.right()) - one.x.max(other.x)) + APART;
    let high = (one.bottom().min(other.bottom()) - one.y.max(other.y)) + APART;
    wide.max(0.0) * high.max(0.0)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use lab_core::cluster::{Actor, Topology};
    use lab_core::value::ServerId;

    use super::*;
    use crate::stage::Geometry;
    use crate::stage::Route;

    const FIELD: Rect = Rect { x: 0.0, y: 0.0, w: 200.0, h: 100.0 };
    const SIZE: (f64, f64) = (40.0, 18.0);

    fn down() -> Route {
        Route(vec![(100.0, 0.0), (100.0, 100.0)])
    }

    #[test]
    fn a_free_capsule_stands_where_its_message_is() {
        let place = place(&down(), 0.4, SIZE, &FIELD, &[], false);
        assert_eq!(place, Place { share: 0.4, at: (100.0, 40.0) });
    }

    #[test]
    fn a_capsule_keeps_off_what_is_to_be_read_and_within_the_field() {
        let card = Rect { x: 60.0, y: 0.0, w: 80.0, h: 50.0 };
        let away = place(&down(), 0.4, SIZE, &FIELD, &[card], false);
        assert!(away.at.1 - 9.0 >= 50.0 && away.at.1 < 64.0, "{away:?}");
        let edge = Route(vec![(195.0, 0.0), (195.0, 100.0)]);
        assert_eq!(place(&edge, 0.5, SIZE, &FIELD, &[], false).at, (180.0, 50.0));
    }

    #[test]
    fn a_loose_capsule_steps_aside_where_its_way_is_taken() {
        let other = Rect { x: 80.0, y: 0.0, w: 40.0, h: 100.0 };
        let aside = place(&down(), 0.5, SIZE, &FIELD, &[other], true);
        assert!(aside.at.0 >= 141.5, "{aside:?}");
    }

    fn meet(one: &Rect, other: &Rect) -> bool {
        one.right().min(other.right()) > one.x.max(other.x)
            && one.bottom().min(other.bottom()) > one.y.max(other.y)
    }

    fn topologies() -> impl Iterator<Item = Topology> {
        [(1, 1, 0, 0), (4, 3, 1, 2), (3, 2, 0, 1), (5, 4, 1, 2), (6, 6, 1, 3), (8, 12, 1, 3), (8, 12, 0, 2)]
            .into_iter()
            .map(|(servers, masters, redis, postgres)| Topology::new(servers, masters, redis, postgres))
    }

    fn stages() -> impl Iterator<Item = (Topology, Geometry)> {
        topologies().flat_map(|topology| {
            let stages = [
                Geometry::desktop(&topology, true, true),
                Geometry::desktop(&topology, false, false),
                Geometry::phone(&topology),
            ];
            stages.map(|stage| (topology.clone(), stage))
        })
    }

    /// Every way that a message can take on a stage has a free place for an ordinary capsule.
    #[test]
    fn every_way_has_room() {
        for (topology, geometry) in stages() {
            let occupied = geometry.occupied();
            let field = geometry.field();
            for server in 0..topology.servers {
                let from = Actor::Server(ServerId(server + 1));
                let ways = topology.nodes().filter_map(|to| geometry.to_store(from, to));
                let ways = ways.chain(geometry.to_client(usize::from(server)));
                for way in ways.chain([geometry.to_bus(usize::from(server))]) {
                    let Place { at: (x, y), .. } = place(&way, 0.5, (52.0, 18.0), &field, &occupied, false);
                    let own = Rect { x: x - 26.0, y: y - 9.0, w: 52.0, h: 18.0 };
                    let covered: Vec<&Rect> =
                        occupied.iter().filter(|other| overlap(&own, other) > 0.0).collect();
                    assert!(
                        covered.is_empty(),
                        "{topology:?}, {way:?} of {from}: {own:?} covers {covered:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_node_has_a_place_of_its_own_on_the_stage() {
        for (topology, geometry) in stages() {
            assert_eq!(geometry.servers.len(), usize::from(topology.servers));
            assert_eq!(geometry.masters.len(), topology.shards.len());
            assert_eq!(geometry.postgres.len(), usize::from(topology.postgres_replicas) + 1);
            let nodes: Vec<Rect> = [&geometry.servers, &geometry.masters, &geometry.postgres]
                .into_iter()
                .flatten()
                .chain(geometry.redis_replicas.iter().flatten())
                .chain([&geometry.balancer, &geometry.bus])
                .copied()
                .collect();
            let ((left, width), height) = (geometry.span, geometry.height);
            for (index, node) in nodes.iter().enumerate() {
                let is_inside = node.x >= left && node.right() <= left + width && node.bottom() <= height;
                assert!(is_inside && node.w > 20.0, "{topology:?}: {node:?} is not on the stage");
                for other in &nodes[index + 1..] {
                    assert!(!meet(node, other), "{topology:?}: {node:?} covers {other:?}");
                }
            }
        }
    }

    /// A line that runs over a node would look as if it ended there.
    #[test]
    fn no_way_leads_over_a_node() {
        for (topology, geometry) in stages() {
            let nodes: Vec<Rect> = [&geometry.servers, &geometry.masters, &geometry.postgres]
                .into_iter()
                .flatten()
                .chain(geometry.redis_replicas.iter().flatten())
                .map(|node| Rect { x: node.x + 0.5, y: node.y + 0.5, w: node.w - 1.0, h: node.h - 1.0 })
                .collect();
            for server in 0..topology.servers {
                let from = Actor::Server(ServerId(server + 1));
                let mut ways: Vec<Route> =
                    topology.nodes().filter_map(|to| geometry.to_store(from, to)).collect();
                ways.push(geometry.to_bus(usize::from(server)));
                if !geometry.compact {
                    ways.extend(geometry.to_client(usize::from(server)));
                }
                for way in ways {
                    for pair in way.0.windows(2) {
                        let (from, to) = (pair[0], pair[1]);
                        let line = Rect {
                            x: from.0.min(to.0),
                            y: from.1.min(to.1),
                            w: (from.0 - to.0).abs().max(0.01),
                            h: (from.1 - to.1).abs().max(0.01),
                        };
                        let crossed = nodes.iter().find(|node| meet(node, &line));
                        assert_eq!(crossed, None, "{topology:?}: {way:?} of srv-{}", server + 1);
                    }
                }
            }
        }
    }
}
