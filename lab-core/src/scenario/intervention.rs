//! What somebody does to a run that is under way. A run with an intervention is a branch of the one without it: up to the
//! point at which it happens both are the same, event for event.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::service::Request;
use crate::trace::EventId;
use crate::value::{ClientId, Instant, ServerId};

/// Interventions that one run can have.
pub const INTERVENTIONS_MAX: usize = 64;

/// Something that is done to a run, and when.
///
/// # Example
/// ```
/// use lab_core::fault::Fault;
/// use lab_core::scenario::{Deed, Intervention, Point, RunSpec, ScenarioId};
/// use lab_core::sim;
/// use lab_core::trace::{Actor, EventId};
/// use lab_core::value::ServerId;
///
/// let parent = RunSpec::preset(ScenarioId::ALL[0], "lesson", 1)?;
/// let kill = Deed::Fault(Fault::Kill(Actor::Server(ServerId(2))));
/// let mut branch = parent.clone();
/// branch.interventions.push(Intervention { at: Point::After(EventId(40)), deed: kill });
/// let (parent, branch) = (sim::run(&parent)?, sim::run(&branch)?);
/// assert_eq!(parent.trace.events[..=40], branch.trace.events[..=40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervention {
    /// When.
    pub at: Point,
    /// What.
    pub deed: Deed,
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Point::After(event) => write!(f, "after event {}: ", event.0)?,
            Point::At(instant) => write!(f, "at {:.2} ms ", instant.as_millis_f64())?,
        }
        match &self.deed {
            Deed::Fault(fault) => fault.fmt(f),
            Deed::Request { client, .. } => write!(f, "{client} sends a request"),
        }
    }
}

/// A point of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// As soon as this event has happened.
    After(EventId),
    /// At this instant, after all else that happens then.
    At(Instant),
}

impl Point {
    /// The instant, where it is one.
    pub(crate) fn instant(self) -> Option<Instant> {
        match self {
            Self::At(instant) => Some(instant),
            Self::After(_) => None,
        }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// A fault begins, or ends.
    Fault(Fault),
    /// A client sends a request.
    Request {
        /// Which client.
        client: ClientId,
        /// To which server; where the balancer sends it, if none is named.
        server: Option<ServerId>,
        /// What it asks.
        request: Request,
    },
}

/// More interventions than a run can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run has at most {INTERVENTIONS_MAX} interventions, not {0}")]
pub struct TooManyInterventions(pub usize);
