//! Thundering herd, in English.

use super::{CLIENTS, HUNDREDS, ONE, ONE_A_CONNECTION, ONE_A_SERVER, ONE_QUERY, QUERY_TIME, UNDER_100};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Thundering herd",
    story: "Every copy of **popular:item** is gone: no L1 has it, and Redis does not either. In the same moment \
        **{clients} clients** ask four servers for it. A query takes {query-ms} ms, and each server has five \
        connections to the database.",
    promise: "One query would be enough for all of them: the goal is **one database query**.",
    question: "How many queries does the database get?",
    hint: "Each request looks in L1, then in Redis, then asks the database. What do the others know meanwhile?",
    why: "A miss lasts as long as the query. Whoever comes meanwhile misses too, and asks again: nothing tells a request, \
        or another server, that somebody is already reading.",
    answers: &[
        (ONE, "One.", "The first one fills the cache for all."),
        (ONE_A_SERVER, "Up to twenty.", "One a server, or one a connection: that is all that fits at once."),
        (ONE_A_CONNECTION, "Up to two hundred.", "Those that come before the first answer is stored."),
        (HUNDREDS, "Hundreds.", "Nearly everybody misses."),
    ],
    presets: &[
        ("unprotected", "The lesson’s code", "Whoever misses reads the database."),
        ("single-flight", "Single flight", "Requests of one server share one read: one query a server."),
        ("lease", "Lease", "One server of the fleet reads; the others are woken when it has filled L2."),
        ("short-lease", "Short lease", "The lease is void after 20 ms, which is shorter than the query."),
    ],
    knobs: &[(CLIENTS.name, "Clients"), (QUERY_TIME.name, "Query time")],
    checks: &[
        (ONE_QUERY, "One database query"),
        (id::EQUAL_ANSWERS, "Equal answers"),
        (id::ALL_ANSWERED, "All answered"),
        (UNDER_100, "Fewer than 100 queries"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::WARM, "warm", "The caches are filled, so that every copy is fresh."),
        (phase::FORGET, "forget", "Now every copy is thrown away."),
        (phase::ACT, "act", "Everything is ready. **Here it begins**."),
    ],
};
