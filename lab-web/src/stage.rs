//! The stage as geometry: where things stand, which way messages take, which capsules are under way.
//!
//! Nothing here draws; the components in [`crate::components`] turn it into SVG.

mod capsules;
mod fit;
mod geometry;
mod grid;
mod placing;
mod route;

pub(crate) use capsules::{Capsule, Look, Pending, capsules};
pub(crate) use fit::Fit;
pub(crate) use geometry::{CROPPED, Geometry, PHONE, Rect, WHOLE};
pub(crate) use placing::{Place, place};
pub(crate) use route::Route;
