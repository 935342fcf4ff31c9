//! A run as a file: one line that says which run it is, then its events, one a line, all as JSON.
//!
//! The first line names the scenario, the whole policy, the seed, the settings and the world, how many events follow,
//! why the run has no verdict where it has none, and a digest of the whole file. So a file says by itself what it shows,
//! and one that was cut off or changed anywhere is told apart from a whole one. That is no signature: who wants to can write any run, and any first line above it.
//! [`Recording::read`] gives all of a recording or none of it, and none whose numbers would make a reader run wild.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};

use crate::report::WorldKind;
use crate::scenario::{Intervention, RunSpec, ScenarioId, Settings};
use crate::trace::{Digest, Event, Kind, Trace};
use crate::value::Instant;
use crate::{policy::Policy, trace::EventId};

/// The format that is written, and the only one that is read.
pub const FORMAT: u64 = 3;
/// The largest text that is read, in bytes.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// The most events that are read.
pub const EVENTS_MAX: u64 = 500_000;
/// The most characters that are written of why a run has no verdict: a log's end may be among them.
pub const UNFINISHED_MAX: usize = 8_000;
/// The latest instant that is read: no run lasts so long.
pub const INSTANT_MAX: Instant = Instant(24 * 3_600 * 1_000_000_000);

/// A run with all that decided it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What decided it.
    pub spec: RunSpec,
    /// Where it took place.
    pub world: WorldKind,
    /// Why it has no verdict: the run was given up, or something broke that it is not about. Nothing for a run that came
    /// to its end.
    pub unfinished: Option<String>,
    /// What happened.
    pub trace: Trace,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u64,
    scenario: ScenarioId,
    world: WorldKind,
    seed: u64,
    settings: Settings,
    policy: Policy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interventions: Vec<Intervention>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unfinished: Option<String>,
    events: u64,
    /// Of all lines, this one with [`UNKNOWN`] in the digest's place; as 16 hexadecimal digits, since JSON's numbers do
    /// not hold 64 bits everywhere.
    digest: String,
}

/// What is looked at first: whether there is a header, and of which format.
#[derive(Deserialize)]
struct Preface {
    format: u64,
}

/// Why a text is no recording that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is larger than [`BYTES_MAX`].
    #[error("it has {0} bytes; at most {BYTES_MAX} are read")]
    TooBig(usize),
    /// Its first line is not a header.
    #[error(
        "its first line does not say which run it is; record it anew with `lab run SCENARIO --trace FILE`"
    )]
    NoHeader,
    /// It was written in a format that is not known here.
    #[error("it has format {0}, and this lab reads format {FORMAT}; record it anew with this lab")]
    UnknownFormat(u64),
    /// Its header lacks something, or says more than it may.
    #[error("its first line cannot be read: {0}")]
    BadHeader(String),
    /// Its header names a policy or settings that no run can have.
    #[error("the run that it names cannot be: {0}")]
    Impossible(String),
    /// Its header promises more than [`EVENTS_MAX`] events.
    #[error("it has {0} events; at most {EVENTS_MAX} are read")]
    TooManyEvents(u64),
    /// A line is longer than [`LINE_BYTES_MAX`].
    #[error("line {0} is longer than {LINE_BYTES_MAX} bytes")]
    LongLine(usize),
    /// A line is no event, or one that cannot stand there.
    #[error("line {line} is no event: {why}")]
    BadEvent {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It holds another number of events than its header says.
    #[error("it holds {found} events and its first line says {wanted}: it was cut off or changed")]
    WrongCount {
        /// Whole events in it.
        found: u64,
        /// Events that its header promises.
        wanted: u64,
    },
    /// It is not as it was written.
    #[error("its lines do not have the digest that its first line says: it was changed")]
    WrongDigest,
}

impl Recording {
    /// One line for the header, then one an event.
    ///
    /// # Errors
    /// Never for events that this crate made; the serialiser's own error otherwise.
    pub fn to_json_lines(&self) -> Result<String, serde_json::Error> {
        let mut events = String::new();
        for event in &self.trace.events {
            events.push_str(&serde_json::to_string(event)?);
            events.push('\n');
        }
        let RunSpec { scenario, policy, seed, settings, interventions } = self.spec.clone();
        let header = Header {
            format: FORMAT,
            scenario,
            world: self.world,
            seed,
            settings,
            policy,
            interventions,
            unfinished: self.unfinished.as_ref().map(|why| why.chars().take(UNFINISHED_MAX).collect()),
            events: self.trace.events.len() as u64,
            digest: UNKNOWN.to_owned(),
        };
        let header = serde_json::to_string(&header)?;
        let digest = digest(&header, events.lines());
        Ok(format!("{}\n{events}", with_digest(&header, UNKNOWN, &digest)))
    }

    /// Reads what [`Recording::to_json_lines`] wrote.
    ///
    /// # Errors
    /// When it is anything else, or not all of it; the first thing that is wrong.
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        if text.len() > BYTES_MAX {
            return Err(RecordingError::TooBig(text.len()));
        }
        let mut lines = text.lines();
        let first = lines.next().ok_or(RecordingError::Empty)?;
        let header = Header::read(first)?;
        let spec = RunSpec {
            scenario: header.scenario,
            policy: header.policy,
            seed: header.seed,
            settings: header.settings,
            interventions: header.interventions,
        };
        spec.validate().map_err(|error| RecordingError::Impossible(error.to_string()))?;
        let wrong_count = |found: u64| RecordingError::WrongCount { found, wanted: header.events };
        let mut events: Vec<Event> = Vec::new();
        for (line, number) in lines.clone().zip(2..) {
            let found = events.len() as u64;
            if found == header.events {
                return Err(wrong_count(found + 1));
            }
            let event = read_event(line, number).map_err(|why| why.unwrap_or_else(|| wrong_count(found)))?;
            fits(&event, &events, header.events)
                .map_err(|why| RecordingError::BadEvent { line: number, why: why.to_owned() })?;
            events.push(event);
        }
        if events.len() as u64 != header.events {
            return Err(wrong_count(events.len() as u64));
        }
        let blank = with_digest(first, &header.digest, UNKNOWN);
        if digest(&blank, lines) != header.digest {
            return Err(RecordingError::WrongDigest);
        }
        Ok(Self { spec, world: header.world, unfinished: header.unfinished, trace: Trace { events } })
    }
}

/// What stands in the digest's place while it is worked out.
const UNKNOWN: &str = "----------------";

/// The fingerprint of a file: of its text and not of what it means, so that nothing in it is left out. How its lines are
/// ended does not count, since that changes on the way from one system to another.
fn digest<'a>(header: &str, events: impl Iterator<Item = &'a str>) -> String {
    let mut digest = Digest::default();
    digest.write(header.as_bytes());
    for event in events {
        digest.write(b"\n");
        digest.write(event.as_bytes());
    }
    format!("{:016x}", digest.finish64())
}

/// The first line with another digest in it.
fn with_digest(header: &str, is: &str, becomes: &str) -> String {
    let field = |digest: &str| format!("\"digest\":\"{digest}\"");
    header.replacen(&field(is), &field(becomes), 1)
}

impl Header {
    fn read(line: &str) -> Result<Self, RecordingError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(RecordingError::LongLine(1));
        }
        let preface: Preface = serde_json::from_str(line).map_err(|_| RecordingError::NoHeader)?;
        if preface.format != FORMAT {
            return Err(RecordingError::UnknownFormat(preface.format));
        }
        let header: Self =
            serde_json::from_str(line).map_err(|error| RecordingError::BadHeader(error.to_string()))?;
        match header.events {
            0 => Err(RecordingError::Empty),
            1..=EVENTS_MAX => Ok(header),
            more => Err(RecordingError::TooManyEvents(more)),
        }
    }
}

/// Reads one line; no error of its own for a line that breaks off, which is how a file ends that was cut off.
fn read_event(line: &str, number: usize) -> Result<Event, Option<RecordingError>> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Some(RecordingError::LongLine(number)));
    }
    serde_json::from_str(line).map_err(|error| {
        let why = error.to_string();
        (!error.is_eof()).then_some(RecordingError::BadEvent { line: number, why })
    })
}

/// Whether an event can follow those before it: readers count on it, and make room by the numbers in it.
fn fits(event: &Event, before: &[Event], events: u64) -> Result<(), &'static str> {
    if let Kind::Started { topology } = &event.kind {
        topology.validate().map_err(|_| "no run has such nodes")?;
        if before.iter().any(|event| matches!(event.kind, Kind::Started { .. })) {
            return Err("the servers start for a second time");
        }
    }
    if before.last().is_some_and(|last| last.at > event.at) {
        return Err("time goes back");
    }
    if event.cause.is_some_and(|EventId(cause)| cause as usize >= before.len()) {
        return Err("its cause comes after it");
    }
    if event.at > INSTANT_MAX {
        return Err("it is later than a run can last");
    }
    // Each request and each call has an event of its own, so there are no more of them than events.
    if event.operation.is_some_and(|operation| u64::from(operation.0) > events) {
        return Err("its request has a number that cannot be");
    }
    if event.message.is_some_and(|message| u64::from(message.0) > events) {
        return Err("its call has a number that cannot be");
    }
    Ok(())
}
