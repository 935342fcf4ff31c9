//! The mutation table: each protection is left out, one at a time, and some property must turn red.
//!
//! ```text
//! cargo xtask mutants
//! ```
//!
//! Properties are tried in an order: what `lab verify` sees, the nemesis, the port contract, then what single tests say.
//! The table tells which one saw it first, and the median number of seeds until it did. A change that only a digest
//! would see counts as not seen. With `--quick` it is asked only whether a protection is seen, by the quickest properties
//! first, as the suite does.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it tells how long it took")]

/// The protections of the files that are compiled once more here.
macro_rules! kept {
    ($name:literal) => {
        lab_core::mutants::is_kept($name)
    };
}

mod barring;
mod caches;
mod leases;
mod list;
mod members;
mod properties;
mod relays;
mod stage;
mod threads;
mod traces;
mod unknown;

use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use lab_core::{consistency, mutants, policy, ports, trace, value};
use list::{EQUIVALENT, Equivalent};
use properties::{PROPERTIES, Property, Sees};

/// How often the number of seeds is counted, each time from others on.
const COUNTS: u64 = 5;
/// Where the next count's seeds begin.
const APART: u64 = 10_000;

fn main() -> ExitCode {
    let begun = Instant::now();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (flags, only): (Vec<_>, Vec<_>) = arguments.iter().partition(|word| word.starts_with('-'));
    let quick = flags.iter().any(|flag| *flag == "--quick");
    let names: Vec<_> = list::protections();
    let told = EQUIVALENT.iter().map(|(name, _)| *name).chain(only.iter().map(|name| name.as_str()));
    let unknown: Vec<_> = told.filter(|name| !names.contains(name)).collect();
    if !unknown.is_empty() {
        println!("no protection in the source has these names: {}", unknown.join(", "));
        return ExitCode::FAILURE;
    }
    let asked_for = |name: &&str| only.is_empty() || only.iter().any(|only| only == name);
    let tried: Vec<_> = names.iter().copied().filter(asked_for).collect();
    // What turns red is told in the table.
    panic::set_hook(Box::new(|_| {}));
    let mut properties: Vec<&'static Property> = PROPERTIES.iter().collect();
    let mut red = Vec::new();
    properties.sort_by_cached_key(|property| {
        let begun = Instant::now();
        red.extend(property.seeds_to_red(1, property.seeds / 4 + 1).map(|_| property.name));
        // Otherwise they stay in their order.
        if quick { begun.elapsed() } else { Duration::ZERO }
    });
    if !red.is_empty() {
        println!("red although nothing is left out: {}", red.join("; "));
        return ExitCode::FAILURE;
    }
    println!("{:<32} {:<52} {:>12}", "left out", "seen by", "seeds (median)");
    let rows = try_all(&tried, &properties, if quick { 1 } else { COUNTS });
    let seen = rows.iter().filter(|row| row.seen.is_some()).count();
    let by_verify = rows.iter().filter(|row| row.sees_verify()).count();
    let equivalent = rows.iter().filter(|row| row.explained().is_some()).count();
    let surviving: Vec<_> = rows.iter().filter(|row| row.survives()).map(|row| row.name).collect();
    let wrongly: Vec<_> = rows
        .iter()
        .filter(|row| row.seen.is_some() && row.explained().is_some())
        .map(|row| row.name)
        .collect();
    let share_of_verify = 100 * by_verify / rows.len().max(1);
    let by_verify = format!(" ({by_verify} first by what lab verify runs, {share_of_verify} %)");
    println!(
        "{} of {} protections left out, {seen} seen{}, {equivalent} change nothing, {} survive, {:.0} s",
        rows.len(),
        names.len(),
        if quick { "" } else { &by_verify },
        surviving.len(),
        begun.elapsed().as_secs_f64()
    );
    if !surviving.is_empty() {
        println!("nothing sees that these are left out: {}", surviving.join(", "));
    }
    if !wrongly.is_empty() {
        println!("these are said to change nothing, and something saw them: {}", wrongly.join(", "));
    }
    if surviving.is_empty() && wrongly.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came of leaving a protection out.
struct Row {
    name: &'static str,
    /// The property that saw it, and the median number of seeds to the first red.
    seen: Option<(&'static Property, u64)>,
}

impl Row {
    fn explained(&self) -> Option<Equivalent> {
        EQUIVALENT.iter().find(|(name, _)| *name == self.name).map(|(_, why)| *why)
    }

    fn survives(&self) -> bool {
        self.seen.is_none() && self.explained().is_none()
    }

    fn sees_verify(&self) -> bool {
        self.seen.is_some_and(|(property, _)| property.sees == Sees::Verify)
    }

    fn print(&self) {
        match (self.seen, self.explained()) {
            (Some((property, seeds)), _) => println!("{:<32} {:<52} {seeds:>12}", self.name, property.name),
            (None, Some(why)) => println!("{:<32} changes nothing: {why}", self.name),
            (None, None) => println!("{:<32} SURVIVES", self.name),
        }
    }
}

fn try_all(names: &[&'static str], properties: &[&'static Property], counts: u64) -> Vec<Row> {
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = Row { name, seen: leave_out(name, properties, counts) };
            let mut rows = rows.lock().expect("no worker panics");
            row.print();
            rows.push(row);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    rows.into_inner().expect("no worker panics")
}

/// The first property that sees it, and after how many seeds, counted so often.
fn leave_out(
    name: &'static str,
    properties: &[&'static Property],
    counts: u64,
) -> Option<(&'static Property, u64)> {
    properties.iter().copied().find_map(|property| {
        let red = |from, seeds| mutants::without(name, || property.seeds_to_red(from, seeds));
        let first = red(1, property.seeds)?;
        let mut needed = vec![first];
        if property.seeds > 1 {
            // Where a count ends without a red, it is as many as were tried.
            let others =
                (1..counts).map(|count| red(count * APART, property.seeds).unwrap_or(property.seeds));
            needed.extend(others);
        }
        needed.sort_unstable();
        Some((property, needed[needed.len() / 2]))
    })
}
