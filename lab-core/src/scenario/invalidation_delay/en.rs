//! Invalidation delay, in English.

use super::{ALL, BUS_DELAY, FRESH_AFTER_SETTLING, NONE, READ_AGAIN, READ_AT_ONCE, SETTLE, SOME};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Invalidation delay",
    story: "Four servers each keep **product:1** = 50 in memory, and so does Redis. A customer changes it to 100 \
        through **srv-1**, as the lesson’s code does: database, L2, own L1, publish. The bus is slow to reach \
        **srv-2** to **srv-4**.",
    promise: "The shop promises: once a write is acknowledged, **nobody reads the old value**.",
    question: "The write is about to be sent. As soon as it is acknowledged srv-2, srv-3 and srv-4 are read, and \
        again after a second. What do they answer?",
    hint: "Who tells the other servers, and does the write wait for it?",
    why: "The write returns before its invalidation has arrived. Until then every other L1 serves what it has. The \
        acknowledgement says that the database holds the new price, not that everybody knows of it.",
    answers: &[
        (NONE, "All answer 100.", "The write was acknowledged, so it is known everywhere."),
        (
            SOME,
            "At first some answer 50, after a second all answer 100.",
            "It depends on which reader is faster than its notice.",
        ),
        (ALL, "At first all three answer 50, after a second all answer 100.", "None of them has heard yet."),
    ],
    presets: &[
        (
            "lesson",
            "The lesson’s code",
            "Database, L2, own L1, publish: the other servers learn of it when the notice arrives.",
        ),
        (
            "first-listing",
            "First listing",
            "Database, own L1, publish: L2 keeps the old price and hands it out again.",
        ),
        (
            "acknowledged",
            "Acknowledged",
            "The update returns when every live server has forgotten the old price.",
        ),
        ("strong-reads", "Strong reads", "Every read asks the primary."),
        (
            "session-reads",
            "Session reads",
            "Each client reads its own writes; the others may still be answered the old price.",
        ),
        ("short-ttl", "Short TTL", "L1 keeps entries for one second instead of a minute."),
        ("publish-first", "Publish first", "The invalidation is published before the commit."),
    ],
    knobs: &[(BUS_DELAY.name, "Bus delay"), (SETTLE.name, "Wait before the second read")],
    checks: &[
        (id::NO_STALE_READ, "No stale read"),
        (FRESH_AFTER_SETTLING, "Fresh after a second"),
        (id::ALL_ANSWERED, "All answered"),
        (id::READ_YOUR_WRITES, "Reads its own write"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::WARM, "warm", "The caches are filled, so that every copy is fresh."),
        (phase::ACT, "act", "Everything is ready. **Here it begins**."),
        (READ_AT_ONCE, "read at once", "The write is acknowledged. The readers ask **at once**."),
        (READ_AGAIN, "read again", "The bus has had its time. The readers ask **again**."),
    ],
};
