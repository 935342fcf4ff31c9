//! The five steps of a lesson and the five panels, with their names in links.

/// The five steps of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Say what will happen.
    Predict,
    /// Watch the test fail.
    Fail,
    /// Find out why.
    Through,
    /// Change the policy.
    Hold,
    /// The same on real servers.
    Real,
}

impl Step {
    /// Every step, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Predict, Self::Fail, Self::Through, Self::Hold, Self::Real];

    /// Its name in links.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Fail => "fail",
            Self::Through => "step",
            Self::Hold => "hold",
            Self::Real => "real",
        }
    }

    /// The panel that it opens with.
    pub(crate) fn tab(self) -> Tab {
        match self {
            Self::Predict => Tab::Story,
            Self::Fail => Tab::Test,
            Self::Through => Tab::Code,
            Self::Hold => Tab::Policy,
            Self::Real => Tab::Events,
        }
    }
}

/// The panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tab {
    /// What the lesson is about.
    Story,
    /// The scenario's source.
    Test,
    /// The cache's source.
    Code,
    /// The switches, and what they cost.
    Policy,
    /// Every event.
    Events,
}

impl Tab {
    /// Every panel, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Story, Self::Test, Self::Code, Self::Policy, Self::Events];

    /// Its name in links.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Test => "test",
            Self::Code => "code",
            Self::Policy => "policy",
            Self::Events => "events",
        }
    }
}
