//! Where the parts of the timeline stand: the ruler across, the rows down. It draws nothing.

use lab_core::trace::Actor;
use lab_core::value::Instant;

use crate::replay::{Lane, Replay, lanes_of};
use crate::ruler::{Ruler, View};
use crate::stage::{CROPPED, PHONE, WHOLE};

/// The top of the first lane, the distance of lanes, and the height of their bands.
const TOP: f64 = 42.0;
const PITCH: f64 = 15.0;
/// The foot of the density strip.
pub(super) const STRIP: f64 = 28.0;

/// The ruler: where it begins and how wide it is, and the view box around it, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The left end of the ruler.
    pub(super) left: f64,
    /// Its width.
    pub(super) width: f64,
    /// Left edge and width of the view box.
    pub(super) view: (f64, f64),
    /// What is drawn on it: durations that can be compared, or messages that can be told apart.
    pub(super) of: View,
}

impl Scale {
    /// The same ruler as the stage has at this width of the window.
    pub(super) fn new(width: f64, of: View) -> Self {
        let view = match width {
            width if width <= 720.0 => PHONE,
            width if width < 1240.0 => CROPPED,
            _ => WHOLE,
        };
        if view == PHONE {
            Self { left: 16.0, width: 358.0, view, of }
        } else {
            Self { left: 92.0, width: 728.0, view, of }
        }
    }

    /// Whether it is the phone's, which has no room for a scale below.
    pub(super) fn is_phone(self) -> bool {
        self.view == PHONE
    }

    /// Whether there is room for words on the left of the ruler.
    pub(super) fn has_gutter(self) -> bool {
        self.view == WHOLE
    }

    /// The height of what stands below the lanes.
    pub(super) fn below_lanes(self) -> f64 {
        if self.is_phone() { 4.0 } else { 19.0 }
    }

    /// The room that the words below a fold take.
    pub(super) fn fold_name(self) -> f64 {
        match self.of {
            View::Lanes => 116.0,
            View::SpaceTime => 48.0,
        }
    }

    /// The right end of the ruler.
    pub(super) fn right(self) -> f64 {
        self.left + self.width
    }

    /// Where a share of the ruler lies.
    pub(super) fn at(self, share: f64) -> f64 {
        self.left + self.width * share
    }

    /// How it divides the time of a run.
    pub(super) fn ruler(self, replay: &Replay) -> &Ruler {
        replay.ruler_of(self.of)
    }

    /// Where an instant lies.
    pub(super) fn x(self, replay: &Replay, at: Instant) -> f64 {
        self.at(self.ruler(replay).x(at))
    }

    /// The share of the ruler at a share of the whole view box, as a pointer gives it.
    pub(super) fn share(self, across: f64) -> f64 {
        ((across * self.view.1 + self.view.0 - self.left) / self.width).clamp(0.0, 1.0)
    }
}

/// The rows of the timeline; folded, they are one row of marks under the density strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rows {
    /// Whether lanes are folded.
    pub(super) folded: bool,
    /// The foot of the last one.
    pub(super) bottom: f64,
    servers: usize,
}

impl Rows {
    /// The rows of a run with so many servers.
    pub(super) fn new(servers: usize, folded: bool) -> Self {
        let lanes = lanes_of(servers).len() as f64;
        Self { folded, bottom: if folded { STRIP + 17.0 } else { TOP + PITCH * lanes - 3.0 }, servers }
    }

    /// The lanes, top to bottom; none where they are folded.
    pub(super) fn lanes(self) -> Vec<Lane> {
        if self.folded { Vec::new() } else { lanes_of(self.servers) }
    }

    /// The row of an actor, where it has one and lanes are not folded.
    pub(super) fn row_of(self, actor: Actor) -> Option<usize> {
        let row = Lane::of(actor)?.row(self.servers);
        (!self.folded).then_some(row)
    }

    /// The top of a lane's band, which is 10 high.
    pub(super) fn top(row: usize) -> f64 {
        TOP + PITCH * row as f64
    }

    /// The middle of a lane.
    pub(super) fn middle(row: usize) -> f64 {
        Self::top(row) + 5.0
    }

    /// The middle of the row that the marks of a server stand in.
    pub(super) fn of_marks(self, server: usize) -> f64 {
        if self.folded { STRIP + 9.0 } else { Self::middle(server + 1) }
    }
}
