//! The tests, stage by stage: what CI runs, and what a person runs before a commit.
//!
//! Every stage is a few commands that can be run alone. The first that fails ends the run, with its command
//! line and how to repeat it; otherwise a table of all stages and cargo test's own summary close the output.

pub(crate) mod download;
mod stages;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::{
    setup::{self, Purpose},
    workspace::Workspace,
};

use self::stages::{Report, STAGES, Stage};

/// Which stages to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only these stages, in their usual order
    #[arg(long, value_name = "STAGE", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Show the stages and what each is for
    #[arg(long)]
    list: bool,
}

/// Installs what is missing and runs the stages.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    if options.list {
        for stage in STAGES {
            println!("{:<12} {}", stage.name, stage.goal);
        }
        return Ok(());
    }
    let stages = chosen(&options.only)?;
    let mut table = Table::default();
    table.time("set-up", || setup::run(workspace, Purpose::Everything, false).map(|()| Report::default()))?;
    for (index, stage) in stages.iter().enumerate() {
        println!("\n== {}/{} {}: {}", index + 1, stages.len(), stage.name, stage.goal);
        if let Err(error) = table.time(stage.name, || (stage.run)(workspace)) {
            table.print();
            return Err(error).with_context(|| {
                let name = stage.name;
                format!("stage `{name}` failed; to run it alone: cargo xtask test --only {name}")
            });
        }
    }
    table.print();
    Ok(())
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Stage>> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("there is no stage `{unknown}`; the stages are: {}", known.join(", "));
    }
    let wanted = |stage: &&Stage| names.is_empty() || names.iter().any(|name| name == stage.name);
    Ok(STAGES.iter().filter(wanted).collect())
}

/// How long each stage took and what it found, in the order of the run.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    took: Duration,
    /// What the stage found; nothing when it failed.
    report: Option<Report>,
}

impl Table {
    fn time(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let outcome = run();
        let took = begun.elapsed();
        println!("-- {name}: {}", in_words(took));
        let (report, outcome) = match outcome {
            Ok(report) => (Some(report), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.rows.push(Row { name, took, report });
        outcome
    }

    fn print(&self) {
        for line in self.rows.iter().filter_map(|row| row.report.as_ref()).flat_map(|report| &report.lines) {
            println!("{line}");
        }
        println!("\n{:<11} {:>12}  result", "stage", "took");
        for row in &self.rows {
            let result = row.report.as_ref().map_or("FAILED", |report| report.result.as_str());
            println!("{:<11} {:>12}  {result}", row.name, in_words(row.took));
        }
        println!("{:<11} {:>12}", "together", in_words(self.rows.iter().map(|row| row.took).sum()));
        let failed = self.rows.iter().filter(|row| row.report.is_none()).count();
        let reports = self.rows.iter().filter_map(|row| row.report.as_ref());
        let passed: u64 = reports.map(|report| stages::passed(&report.lines)).sum();
        println!("\ntests: {passed} passed, {failed} failed");
    }
}

fn in_words(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 60 {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_keep_their_order_however_they_are_named() {
        let names = ["e2e", "fmt"].map(String::from);
        let chosen = chosen(&names).expect("both stages exist");
        assert_eq!(chosen.iter().map(|stage| stage.name).collect::<Vec<_>>(), ["fmt", "e2e"]);
    }

    #[test]
    fn an_unknown_stage_is_answered_with_the_known_ones() {
        let error = chosen(&["lint".to_owned()]).err().expect("there is no such stage");
        assert!(error.to_string().contains("the stages are: lock, fmt, clippy"), "{error}");
    }

    #[test]
    fn a_duration_is_told_in_the_unit_that_suits_it() {
        assert_eq!(in_words(Duration::from_millis(840)), "0.8 s");
        assert_eq!(in_words(Duration::from_secs(725)), "12 min 05 s");
    }
}
