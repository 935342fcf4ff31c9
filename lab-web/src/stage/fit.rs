//! What of the stage and the timeline fits into the window: content is dropped before words get too small to read.
//!
//! It knows the sizes of the bars that `style/` gives them, and the breakpoints of `style/narrow.css`.

use lab_core::cluster::Topology;

use super::Geometry;

/// The page is a phone's up to this width.
const PHONE_MAX: f64 = 720.0;
/// Up to this width the panel stands below, and the page scrolls.
const SCROLLED_MAX: f64 = 960.0;
/// From this width on the rows of the stage are named.
const NAMED_MIN: f64 = 1240.0;
/// From this width on the course stands beside the stage in full.
const COURSE_MIN: f64 = 1400.0;
/// From this width on the panel is wider, and the stage grows no more than to `STAGE_MAX`.
const WIDE_MIN: f64 = 1600.0;
const STAGE_MAX: f64 = 1_000.0;
/// Below this height the strip of results has no small pictures.
const LOW_MAX: f64 = 780.0;
/// The bar at the top, the faults, the narration and the transport.
const BARS: f64 = 165.0;
/// The timeline with lanes, and folded, in units.
const LANES: f64 = 178.0;
const FOLDED: f64 = 64.0;
/// The stage may be drawn this much smaller than its own size before something is dropped.
const SMALLEST: f64 = 0.95;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that is drawn or not")]
pub(crate) struct Fit {
    /// Whether it is the phone's stage.
    pub(crate) compact: bool,
    /// Whether the rows have their names on the left.
    pub(crate) named: bool,
    /// Whether the server cards show a line of other facts.
    pub(crate) secondary: bool,
    /// Whether the lanes are folded to the density strip.
    pub(crate) folded: bool,
}

impl Fit {
    /// What of a run with these nodes fits into a window of this size.
    pub(crate) fn of(topology: &Topology, width: f64, height: f64) -> Self {
        let named = width >= NAMED_MIN;
        let least = Self { compact: width <= PHONE_MAX, named, secondary: false, folded: true };
        if width <= SCROLLED_MAX {
            return least;
        }
        let beside = match width {
            width if width >= WIDE_MIN => 232.0 + 440.0,
            width if width >= COURSE_MIN => 232.0 + 384.0,
            width if width >= NAMED_MIN => 52.0 + 384.0,
            _ => 52.0 + 344.0,
        };
        let results = if height < LOW_MAX { 64.0 } else { 92.0 };
        let fits = |fit: &Self| {
            let stage = Geometry::desktop(topology, fit.named, fit.secondary);
            let scale = (width - beside).min(STAGE_MAX) / stage.span.1;
            let timeline = scale * if fit.folded { FOLDED } else { LANES };
            (height - results - BARS - timeline) / stage.height >= scale.min(1.0) * SMALLEST
        };
        // The names of the lanes stand where those of the stage's rows do: without these there are no lanes.
        let choices = [(true, false), (false, false), (true, true)];
        let choices = choices.map(|(secondary, folded)| Self { secondary, folded, ..least });
        choices.into_iter().filter(|fit| fit.folded || named).find(fits).unwrap_or(least)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn content_is_dropped_before_words_get_small() {
        let all = Fit { compact: false, named: true, secondary: true, folded: false };
        let cases = [
            ((1440.0, 900.0), all),
            ((1920.0, 1080.0), all),
            ((1440.0, 860.0), Fit { secondary: false, ..all }),
            ((1366.0, 768.0), Fit { folded: true, ..all }),
            ((1280.0, 720.0), Fit { secondary: false, folded: true, ..all }),
            ((1100.0, 800.0), Fit { named: false, folded: true, ..all }),
            ((800.0, 900.0), Fit { named: false, secondary: false, folded: true, ..all }),
            ((390.0, 844.0), Fit { compact: true, named: false, secondary: false, folded: true }),
        ];
        for ((width, height), wanted) in cases {
            assert_eq!(Fit::of(&Topology::default(), width, height), wanted, "{width} by {height}");
        }
    }
}
