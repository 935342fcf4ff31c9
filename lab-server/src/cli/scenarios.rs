//! `lab scenarios`: the course.

use clap::Args;
use lab_core::scenario::{COURSE, Lang, Role, ScenarioId};

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
    for lesson in COURSE.iter() {
        if let Some(id) = lesson.scenario {
            describe(id);
        } else {
            say!("{:>2}  {} (coming)", lesson.number, lesson.slug);
        }
    }
}

fn describe(id: ScenarioId) {
    let (scenario, words) = (id.scenario(), id.words(Lang::En));
    say!("{:>2}  {}: {}", scenario.number, scenario.slug, words.goal());
    for preset in scenario.presets {
        let sentence = words.preset(preset.name).map_or("", |(_, sentence)| sentence);
        say!("      --policy {:<14} {:<8} {sentence}", preset.name, role(preset.role));
    }
    for knob in scenario.knobs {
        say!("      --set {}={} ({} to {})", knob.name, knob.default, knob.min, knob.max);
    }
}

/// The word for a role.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Red => "red",
        Role::Green(_) => "green",
        Role::Wrong => "wrong",
        Role::Partial(_) => "partial",
    }
}
