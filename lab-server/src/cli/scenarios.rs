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
        println!("{:#}", serde_json::json!(catalogue::course()));
        return;
    }
    for lesson in &COURSE {
        match lesson.scenario {
            Some(id) => describe(id.scenario()),
            None => println!("{:>2}  {} (coming)", lesson.number, lesson.slug),
        }
    }
}

fn describe(scenario: &Scenario) {
    println!("{:>2}  {}: {}", scenario.number, scenario.slug, scenario.goal);
    for preset in scenario.presets {
        println!("      --policy {:<14} {:<8} {}", preset.name, role(preset.role), preset.sentence);
    }
    for knob in scenario.knobs {
        println!("      --set {}={} ({} to {})", knob.name, knob.default, knob.min, knob.max);
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
