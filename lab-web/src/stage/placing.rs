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

    use super::*;
    use crate::stage::Geometry;

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

    /// Every way that a message can take on either stage has a free place for an ordinary capsule.
    #[test]
    fn every_way_has_room() {
        use lab_core::trace::Actor;
        use lab_core::value::ServerId;
        for geometry in
            [Geometry::desktop(4, true, true), Geometry::desktop(4, false, false), Geometry::phone(4)]
        {
            let occupied = geometry.occupied();
            let field = geometry.field();
            for server in 0..4_u8 {
                let from = Actor::Server(ServerId(server + 1));
                let stores =
                    [Actor::RedisMaster(0), Actor::RedisMaster(2), Actor::Primary, Actor::Replica(2)];
                let ways = stores.into_iter().filter_map(|to| geometry.to_store(from, to));
                let ways = ways.chain(geometry.to_client(usize::from(server)));
                for way in ways.chain([geometry.to_bus(usize::from(server))]) {
                    let Place { at: (x, y), .. } = place(&way, 0.5, (52.0, 18.0), &field, &occupied, false);
                    let own = Rect { x: x - 26.0, y: y - 9.0, w: 52.0, h: 18.0 };
                    let covered: Vec<&Rect> =
                        occupied.iter().filter(|other| overlap(&own, other) > 0.0).collect();
                    assert!(covered.is_empty(), "{way:?} of {from}: {own:?} covers {covered:?}");
                }
            }
        }
    }
}
