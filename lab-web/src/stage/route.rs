//! The way of a message: an orthogonal line with rounded corners.

use std::fmt::Write as _;

/// The radius of a corner.
const CORNER: f64 = 6.0;

/// A line of horizontal and vertical pieces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route(pub(crate) Vec<(f64, f64)>);

impl Route {
    fn length(&self) -> f64 {
        self.0.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
    }

    /// The point at a share of the way, and the direction there as a unit vector.
    pub(crate) fn at(&self, share: f64) -> ((f64, f64), (f64, f64)) {
        let mut left = self.length() * share.clamp(0.0, 1.0);
        let mut last = ((0.0, 0.0), (1.0, 0.0));
        for pair in self.0.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let length = distance(from, to);
            if length < 1e-6 {
                continue;
            }
            let towards = ((to.0 - from.0) / length, (to.1 - from.1) / length);
            if left <= length {
                return ((from.0 + towards.0 * left, from.1 + towards.1 * left), towards);
            }
            left -= length;
            last = (to, towards);
        }
        last
    }

    /// The part of the way between two shares.
    pub(crate) fn part(&self, from: f64, to: f64) -> Self {
        let total = self.length();
        let (from_length, to_length) = (total * from, total * to);
        let mut points = vec![self.at(from).0];
        let mut walked = 0.0;
        for pair in self.0.windows(2) {
            walked += distance(pair[0], pair[1]);
            if walked > from_length + 0.5 && walked < to_length - 0.5 {
                points.push(pair[1]);
            }
        }
        points.push(self.at(to).0);
        Self(points)
    }

    /// The same way in the other direction.
    pub(crate) fn reversed(&self) -> Self {
        Self(self.0.iter().rev().copied().collect())
    }

    /// The SVG path, with rounded corners.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for (place, &(x, y)) in self.0.iter().enumerate() {
            let before = place.checked_sub(1).map(|place| self.0[place]);
            match (before, self.0.get(place + 1)) {
                (None, _) => write!(path, "M{x:.1},{y:.1}"),
                (Some(_), None) => write!(path, " L{x:.1},{y:.1}"),
                (Some(before), Some(&after)) => {
                    let radius =
                        CORNER.min(distance(before, (x, y)) / 2.0).min(distance((x, y), after) / 2.0);
                    let start = towards((x, y), before, radius);
                    let end = towards((x, y), after, radius);
                    write!(path, " L{:.1},{:.1} Q{x:.1},{y:.1} {:.1},{:.1}", start.0, start.1, end.0, end.1)
                }
            }
            .unwrap_or_default();
        }
        path
    }
}

fn distance(from: (f64, f64), to: (f64, f64)) -> f64 {
    (to.0 - from.0).hypot(to.1 - from.1)
}

fn towards(from: (f64, f64), to: (f64, f64), by: f64) -> (f64, f64) {
    let length = distance(from, to).max(1e-6);
    (from.0 + (to.0 - from.0) / length * by, from.1 + (to.1 - from.1) / length * by)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_capsule_walks_the_whole_way_and_turns_corners() {
        let route = Route(vec![(0.0, 0.0), (0.0, 10.0), (30.0, 10.0)]);
        assert_eq!(route.at(0.0).0, (0.0, 0.0));
        assert_eq!(route.at(0.25).0, (0.0, 10.0));
        assert_eq!(route.at(0.625), ((15.0, 10.0), (1.0, 0.0)));
        assert_eq!(route.at(1.0).0, (30.0, 10.0));
        assert_eq!(route.part(0.0, 0.625).0, vec![(0.0, 0.0), (0.0, 10.0), (15.0, 10.0)]);
    }
}
