//! How a run is told to a person.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lab_core::report::{Bound, Check, Report, Unit};
use lab_core::scenario::{ScenarioId, Settings};

/// What decides a run.
pub(super) fn triple(scenario: ScenarioId, policy: &str, seed: u64) -> String {
    format!("(scenario {scenario}, policy {policy}, seed {seed})")
}

/// The settings that differ from the defaults, as options of the command line.
pub(super) fn set_options(scenario: ScenarioId, settings: &Settings) -> String {
    let differs = scenario.scenario().knobs.iter().filter(|knob| settings.get(knob) != knob.default);
    let options: Vec<_> =
        differs.map(|knob| format!(" --set {}={}", knob.name, settings.get(knob))).collect();
    options.concat()
}

/// Tells what was checked and measured. In trouble less than was wanted is no failure.
pub(super) fn report(report: &Report, in_trouble: bool) {
    for check in &report.checks {
        let forgiven = in_trouble && !check.wanted.oversteps(check.seen);
        say!("  {}", line_of(check, forgiven));
    }
    let arose = if report.demonstration { "yes" } else { "NO: this run says nothing" };
    say!("  the situation arose: {arose}");
    for (id, figure) in &report.figures {
        say!("  {id:<22} {}", amount(figure.value, figure.unit));
    }
}

fn line_of(check: &Check, forgiven: bool) -> String {
    let word = match (check.holds, check.goal) {
        (true, _) => "held",
        (false, _) if forgiven => "less",
        (false, true) => "FAILED",
        (false, false) => "not so",
    };
    let whole = check.of.map_or_else(String::new, |of| format!(" of {of}"));
    let aside = if check.goal { "" } else { " (informs only)" };
    format!("{word:<7} {:<22} seen {}{whole}, wanted {}{aside}", check.id, check.seen, wanted(check.wanted))
}

fn wanted(bound: Bound) -> String {
    match bound {
        Bound::AtMost(most) => format!("at most {most}"),
        Bound::AtLeast(least) => format!("at least {least}"),
        Bound::Exactly(count) => format!("exactly {count}"),
    }
}

fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => format!("{value:.0}"),
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::Millis => format!("{value:.2} ms"),
    }
}

/// The seconds of a bar move on even while a step takes long.
const TICK: Duration = Duration::from_millis(100);

/// A bar on standard error; it shows on a terminal only.
pub(super) fn progress(steps: u64, what: String) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    tick(&bar);
    bar
}

/// A sign that something goes on, on a terminal only.
pub(super) fn spinner(what: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    tick(&spinner);
    spinner
}

/// Lets it move, where it is seen and there is room for the thread that moves it (there would be a panic without).
fn tick(bar: &ProgressBar) {
    if !bar.is_hidden() && super::runtime::room_for_threads(1).is_ok() {
        bar.enable_steady_tick(TICK);
    }
}
