//! `lab scenarios`: the course.

use clap::Args;
use lab_core::scenario::{COURSE, Role, Scenario};

use crate::catalogue;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print JSON, with every policy in full
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) {
    if options.json {
        say!("{:#}", serde_json::json!(catalogue::course()));
        return;
    }
    for lesson in &COURSE {
        if let Some(id) = lesson.scenario {
            describe(id.scenario());
        } else {
            say!("{:>2}  {} (coming)", lesson.number, lesson.slug);
        }
    }
}

fn describe(scenario: &Scenario) {
    say!("{:>2}  {}: {}", scenario.number, scenario.slug, scenario.goal);
    for preset in scenario.presets {
        say!("      --policy {:<14} {:<8} {}", preset.name, role(preset.role), preset.sentence);
    }
    for knob in scenario.knobs {
        say!("      --set {}={} ({} to {})", knob.name, knob.default, knob.min, knob.max);
    }
}

/// The word for a role.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Red => "red",
        Role::Green => "green",
        Role::Wrong => "wrong",
        Role::Partial(_) => "partial",
    }
}
