//! The horizontal ruler that the density strip, the lanes and the playhead share.
//!
//! Time runs evenly, except where nothing happens for long: such a gap is **folded** to a fixed width, so that a
//! run of a few milliseconds followed by a second of silence stays readable. It knows instants and shares of the
//! width; pixels are the timeline's business.

use lab_core::value::Instant;

/// A folded gap is this share of the width.
const FOLD_SHARE: f64 = 0.06;
/// A gap is folded when it is longer than this share of the whole run …
const FOLD_OVER_SHARE: f64 = 0.12;
/// … and longer than this.
const FOLD_OVER_NS: u64 = 100_000_000;
/// Where messages are to be told apart, more gaps are folded, and narrower: so many at most …
const CLOSE_FOLDS: usize = 9;
/// … to this share of the width …
const CLOSE_SHARE: f64 = 0.025;
/// … as long as a gap is longer than this share of the time that is still shown …
const CLOSE_OVER_SHARE: f64 = 0.07;
/// … and so many times the usual gap.
const CLOSE_OVER_USUAL: u64 = 8;

/// What the timeline shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// What happened in each lane, on a ruler on which durations can be compared.
    #[default]
    Lanes,
    /// The messages between the lanes, on a ruler on which they can be told apart.
    SpaceTime,
}

/// A stretch of time and where it lies on the ruler.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    from: u64,
    to: u64,
    x: f64,
    width: f64,
    folded: bool,
}

/// Maps instants to shares of the width (0 to 1) and back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ruler {
    segments: Vec<Segment>,
}

/// A folded gap, as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fold {
    /// Left edge, as a share of the width.
    pub(crate) x: f64,
    /// Width, as a share of the width.
    pub(crate) width: f64,
    /// The time that is hidden, in milliseconds.
    pub(crate) millis: f64,
}

impl Ruler {
    /// Lays out a run from the instants of its events, in order, so that durations can be compared.
    pub(crate) fn new(instants: impl IntoIterator<Item = Instant>) -> Self {
        let instants: Vec<u64> = instants.into_iter().map(|instant| instant.0).collect();
        let whole = instants.last().copied().unwrap_or(0);
        let longest = FOLD_OVER_NS.max((whole as f64 * FOLD_OVER_SHARE) as u64);
        Self::folding(&instants, longest, FOLD_SHARE)
    }

    /// Lays out a run from the instants of its events, in order, so that messages can be told apart: silence
    /// between bursts of messages is folded.
    pub(crate) fn close(instants: impl IntoIterator<Item = Instant>) -> Self {
        let instants: Vec<u64> = instants.into_iter().map(|instant| instant.0).collect();
        let mut shown = instants.last().copied().unwrap_or(0);
        let before = std::iter::once(0).chain(instants.iter().copied());
        let mut gaps: Vec<u64> =
            instants.iter().zip(before).map(|(at, before)| at.saturating_sub(before)).collect();
        gaps.retain(|gap| *gap > 0);
        gaps.sort_unstable();
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
        let mut longest = u64::MAX;
        for gap in gaps.into_iter().rev().take(CLOSE_FOLDS) {
            if gap <= usual * CLOSE_OVER_USUAL || (gap as f64) < shown as f64 * CLOSE_OVER_SHARE {
                break;
            }
            (shown, longest) = (shown - gap, gap - 1);
        }
        Self::folding(&instants, longest, CLOSE_SHARE)
    }

    /// Folds every gap longer than `longest` to `share` of the width.
    fn folding(instants: &[u64], longest: u64, share: f64) -> Self {
        let mut segments = Vec::new();
        let (mut start, mut before) = (0, 0);
        for &at in instants {
            let gap = at.saturating_sub(before);
            if gap > longest {
                // A little of the silence stays visible on both sides, so that the edge is not an event's own.
                let margin = ((before - start).max(2_000_000) / 20).min(gap / 4);
                segments.push((start, before + margin, false));
                segments.push((before + margin, at - margin, true));
                start = at - margin;
            }
            before = at;
        }
        segments.push((start, before.max(start + 1), false));
        Self { segments: Self::place(&segments, share) }
    }

    fn place(stretches: &[(u64, u64, bool)], fold: f64) -> Vec<Segment> {
        let folds = stretches.iter().filter(|stretch| stretch.2).count() as f64;
        let shown: u64 = stretches.iter().filter(|stretch| !stretch.2).map(|(from, to, _)| to - from).sum();
        let per_ns = (1.0 - folds * fold) / shown.max(1) as f64;
        let mut x = 0.0;
        stretches
            .iter()
            .map(|&(from, to, folded)| {
                let width = if folded { fold } else { (to - from) as f64 * per_ns };
                let segment = Segment { from, to, x, width, folded };
                x += width;
                segment
            })
            .collect()
    }

    /// Where an instant lies, from 0 to 1.
    pub(crate) fn x(&self, at: Instant) -> f64 {
        let place = self.segments.partition_point(|segment| segment.to < at.0);
        let segment = &self.segments[place.min(self.segments.len() - 1)];
        let share = at.0.saturating_sub(segment.from) as f64 / (segment.to - segment.from).max(1) as f64;
        segment.x + segment.width * share.min(1.0)
    }

    /// The instant at a place from 0 to 1.
    pub(crate) fn at(&self, x: f64) -> Instant {
        let place = self.segments.partition_point(|segment| segment.x + segment.width < x);
        let segment = &self.segments[place.min(self.segments.len() - 1)];
        let share = ((x - segment.x) / segment.width).clamp(0.0, 1.0);
        Instant(segment.from + ((segment.to - segment.from) as f64 * share) as u64)
    }

    /// The folded gaps.
    pub(crate) fn folds(&self) -> impl Iterator<Item = Fold> + '_ {
        self.segments.iter().filter(|segment| segment.folded).map(|segment| Fold {
            x: segment.x,
            width: segment.width,
            millis: (segment.to - segment.from) as f64 / 1e6,
        })
    }

    /// The end of the folded gap that `at` lies in, if it lies in one: playing jumps there.
    pub(crate) fn fold_end(&self, at: Instant) -> Option<Instant> {
        self.segments
            .iter()
            .find(|segment| segment.folded && segment.from <= at.0 && at.0 < segment.to)
            .map(|segment| Instant(segment.to))
    }

    /// Round instants with their places, at least `apart` (a share of the width) from each other.
    pub(crate) fn ticks(&self, apart: f64) -> Vec<(f64, Instant)> {
        let widest = self.segments.iter().filter(|segment| !segment.folded).max_by_key(|s| s.to - s.from);
        let Some(widest) = widest else { return Vec::new() };
        let ns_per_share = (widest.to - widest.from) as f64 / widest.width.max(1e-9);
        let step = round_up((ns_per_share * apart) as u64);
        let mut ticks: Vec<(f64, Instant)> = Vec::new();
        for segment in self.segments.iter().filter(|segment| !segment.folded) {
            let mut at = segment.from.div_ceil(step) * step;
            while at <= segment.to {
                let x = self.x(Instant(at));
                if ticks.last().is_none_or(|(last, _)| x - last >= apart * 0.8) {
                    ticks.push((x, Instant(at)));
                }
                let Some(next) = at.checked_add(step) else { break };
                at = next;
            }
        }
        ticks
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_up(ns: u64) -> u64 {
    let mut unit = 1_000;
    loop {
        for step in [unit, unit * 2, unit * 5] {
            if step >= ns {
                return step;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn millis(instants: &[u64]) -> Ruler {
        Ruler::new(instants.iter().map(|ms| Instant(ms * 1_000_000)))
    }

    #[test]
    fn a_run_without_silence_is_even() {
        let ruler = millis(&[0, 20, 40, 60, 80, 100]);
        assert_eq!(ruler.folds().count(), 0);
        assert!((ruler.x(Instant(50_000_000)) - 0.5).abs() < 1e-6);
        assert_eq!(ruler.at(0.5), Instant(50_000_000));
    }

    #[test]
    fn a_long_silence_is_folded_and_instants_come_back() {
        let ruler = millis(&[0, 10, 20, 30, 1030, 1040]);
        let folds: Vec<Fold> = ruler.folds().collect();
        assert_eq!(folds.len(), 1);
        assert!((folds[0].width - FOLD_SHARE).abs() < 1e-9);
        for ms in [3, 17, 29, 1031, 1039] {
            let at = Instant(ms * 1_000_000);
            let back = ruler.at(ruler.x(at));
            assert!(back.0.abs_diff(at.0) < 10_000, "{ms} ms came back as {back:?}");
        }
        assert!(ruler.fold_end(Instant(500_000_000)).is_some_and(|end| end.0 < 1_030_000_000));
    }

    #[test]
    fn a_close_ruler_folds_the_silence_between_bursts() {
        let ruler = Ruler::close([0, 1, 2, 20, 21, 22, 80, 81, 1000].map(|ms| Instant(ms * 1_000_000)));
        assert_eq!(ruler.folds().count(), 3);
        let (near, far) = (ruler.x(Instant(21_000_000)), ruler.x(Instant(22_000_000)));
        assert!(far - near > 0.1, "a millisecond in a burst is {:.3} of the width", far - near);
        let at = ruler.at(ruler.x(Instant(80_500_000)));
        assert!(at.0.abs_diff(80_500_000) < 10_000);
    }

    #[test]
    fn ticks_are_round_and_apart() {
        let ruler = millis(&[0, 47, 93]);
        let ticks = ruler.ticks(0.2);
        assert!(ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 0.16));
        assert!(ticks.iter().all(|(_, at)| at.0 % 1_000_000 == 0));
    }
}
