//! `lab scenarios`: the course.

use clap::Args;
use lab_core::scenario::{COURSE, Lang, Limit, Role, ScenarioId};

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
        say!("      --policy {:<18} {:<8} {sentence}", preset.name, role(preset.role));
        for limit in limits(preset.role) {
            let Limit { peril, check, seed } = limit;
            let again = seed.map_or_else(String::new, |seed| format!(" (--seed {seed} --under {peril})"));
            say!("{:34}does not survive {peril}: {check} breaks{again}", "");
        }
    }
    for knob in scenario.knobs {
        say!("      --set {}={} ({} to {})", knob.name, knob.default, knob.min, knob.max);
    }
}

/// What a green does not survive.
fn limits(role: Role) -> &'static [Limit] {
    if let Role::Green(limits) = role { limits } else { &[] }
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
