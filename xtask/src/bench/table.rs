//! The table of figures: what was measured, beside its limit and its baseline.

use std::fmt;

/// What was measured, and beside what.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    name: String,
    measured: f64,
    unit: String,
    baseline: Option<Baseline>,
}

#[derive(Clone, Debug, PartialEq)]
struct Baseline {
    name: String,
    measured: f64,
    /// The median of the rounds' ratios, which is not the ratio of the medians.
    ratio: f64,
}

impl Figure {
    /// A figure that stands for itself.
    pub(super) fn alone(name: &str, measured: f64, unit: &str) -> Self {
        Self { name: name.to_owned(), measured, unit: unit.to_owned(), baseline: None }
    }

    /// Reads `hit, 1 thread: 84.9 ns; bare lookup: 47.7 ns; ratio 1.86`, or its first part alone.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim().split("; ");
        let (name, measured, unit) = quantity(parts.next()?)?;
        let baseline = match parts.next() {
            None => None,
            Some(part) => {
                let (name, measured, _) = quantity(part)?;
                let ratio = parts.next()?.strip_prefix("ratio ")?.parse().ok()?;
                Some(Baseline { name: name.to_owned(), measured, ratio })
            }
        };
        Some(Self { name: name.to_owned(), measured, unit: unit.to_owned(), baseline })
    }

    fn limit(&self) -> Option<Limit> {
        LIMITS.iter().find(|(name, _)| *name == self.name).map(|(_, limit)| *limit)
    }

    /// Whether it is within its limit; `None` where it has none.
    fn is_within(&self) -> Option<bool> {
        Some(match self.limit()? {
            Limit::AtMost(most) => self.measured <= most,
            Limit::TimesBaseline(most) => self.baseline.as_ref()?.ratio <= most,
        })
    }
}

/// Splits `name: 1.5 ns`.
fn quantity(text: &str) -> Option<(&str, f64, &str)> {
    let (name, rest) = text.rsplit_once(": ")?;
    let (number, unit) = rest.split_once(' ')?;
    let known = ["ns", "ms", "kB"].contains(&unit);
    known.then_some((name, number.parse().ok()?, unit))
}

/// Whether a line of output gives a figure.
pub(super) fn is_figure(line: &str) -> bool {
    Figure::parse(line).is_some()
}

/// How much a figure may be.
#[derive(Clone, Copy)]
enum Limit {
    /// In the figure's own unit.
    AtMost(f64),
    /// So many times its baseline.
    TimesBaseline(f64),
}

/// The limits, by the figures' names as the benchmarks print them. What is not here has none.
const LIMITS: [(&str, Limit); 11] = [
    ("hit, 1 thread", Limit::TimesBaseline(2.0)),
    ("hit, 2 threads", Limit::TimesBaseline(2.0)),
    ("step", Limit::AtMost(250.0)),
    ("step in wasm", Limit::TimesBaseline(1.5)),
    ("herd in the browser, first", Limit::AtMost(300.0)),
    ("herd in the browser, later", Limit::AtMost(300.0)),
    ("page step, story", Limit::AtMost(4.0)),
    ("page step, test", Limit::AtMost(4.0)),
    ("page step, code", Limit::AtMost(4.0)),
    ("page step, events", Limit::AtMost(4.0)),
    ("first visit", Limit::AtMost(600.0)),
];

/// All figures of a run.
pub(super) struct Table {
    machine: String,
    figures: Vec<Figure>,
}

impl Table {
    pub(super) fn new(machine: &str) -> Self {
        Self { machine: machine.to_owned(), figures: Vec::new() }
    }

    /// Adds the figures that these lines give.
    pub(super) fn add(&mut self, lines: &[String]) {
        self.figures.extend(lines.iter().filter_map(|line| Figure::parse(line)));
    }

    pub(super) fn push(&mut self, figure: Figure) {
        self.figures.push(figure);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "machine: {}", self.machine)?;
        writeln!(
            f,
            "{:<28}{:>16}{:>12}   {:<28}{:>7}  within",
            "figure", "limit", "measured", "beside", "ratio"
        )?;
        for figure in &self.figures {
            let limit = match figure.limit() {
                Some(Limit::AtMost(most)) => format!("{most} {}", figure.unit),
                Some(Limit::TimesBaseline(most)) => format!("{most} × baseline"),
                None => "none".to_owned(),
            };
            let measured = format!("{:.1} {}", figure.measured, figure.unit);
            let (beside, ratio) = figure.baseline.as_ref().map_or_else(Default::default, |baseline| {
                let beside = format!("{}: {:.1} {}", baseline.name, baseline.measured, figure.unit);
                (beside, format!("{:.2}", baseline.ratio))
            });
            let within = match figure.is_within() {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "",
            };
            let row =
                format!("{:<28}{limit:>16}{measured:>12}   {beside:<28}{ratio:>7}  {within}", figure.name);
            writeln!(f, "{}", row.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_from_a_line_of_output() {
        let figure =
            Figure::parse("  hit, 1 thread: 84.9 ns; bare lookup: 40.0 ns; ratio 2.11").expect("it is one");
        let baseline = Baseline { name: "bare lookup".to_owned(), measured: 40.0, ratio: 2.11 };
        assert_eq!(figure, Figure { baseline: Some(baseline), ..Figure::alone("hit, 1 thread", 84.9, "ns") });
        assert_eq!(figure.is_within(), Some(false), "2.11 is more than twice the baseline");
    }

    #[test]
    fn what_has_no_limit_is_neither_within_nor_without() {
        let figure = Figure::parse("bare executor in wasm: 50 ns; native: 39 ns; ratio 1.27");
        assert_eq!(figure.expect("it is one").is_within(), None);
    }

    #[test]
    fn other_output_is_no_figure() {
        for line in
            ["L1, medians of 15 rounds (limit: 2 × the bare lookup)", "Finished `bench` profile", "a: b"]
        {
            assert!(!is_figure(line), "{line}");
        }
    }
}
