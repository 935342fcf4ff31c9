//! Stampede lock, in English.

use super::{COMPUTATION, COMPUTED_ONCE, EACH_TIME, ONCE, ONCE_A_SERVER, REQUESTS};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Stampede lock",
    story: "**{requests} requests** want **expensive:calculation** at the same time. Computing it takes \
        {compute-ms} ms. Nobody has it yet, and nothing tells them of each other.",
    promise: "All of them should get **the same answer, computed once**.",
    question: "How often is it computed?",
    hint: "A lock lets one in. What must the next one do first when it gets in?",
    why: "Whoever misses computes: nothing tells a request that the same computation is already under way. For \
        {compute-ms} ms the caches stay empty, so whoever comes meanwhile misses, too.",
    answers: &[
        (ONCE, "Once.", "The first one’s result is there for the others."),
        (ONCE_A_SERVER, "Once a server.", "Requests of one server see each other."),
        (EACH_TIME, "{requests} times.", "Nobody knows of anybody."),
    ],
    presets: &[
        ("unprotected", "The lesson’s code", "Whoever misses computes."),
        (
            "lock",
            "Lock",
            "A lock over the fleet; the others try again every 100 ms and look in the caches first.",
        ),
        ("lock-push", "Lock push", "A lock over the fleet; the others are woken by its holder."),
        (
            "no-recheck",
            "No recheck",
            "A lock over the fleet, but nobody looks in the caches again after the first miss.",
        ),
        (
            "fixed-wait",
            "Fixed wait",
            "Whoever does not get the lock waits once for half a second, then computes.",
        ),
    ],
    knobs: &[(REQUESTS.name, "Requests"), (COMPUTATION.name, "Computing time")],
    checks: &[
        (COMPUTED_ONCE, "Computed once"),
        (id::EQUAL_ANSWERS, "Equal answers"),
        (id::ALL_ANSWERED, "All answered"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::ACT, "act", "Everything is ready. **Here it begins**."),
    ],
};
