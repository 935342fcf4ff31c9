//! Stale-set race, in English.

use super::{
    EVERYBODY, HOLD, IN_FLIGHT, LATE_FRESH, LOCAL_FRESH, LOOK, LOOK_AGAIN, NOBODY, SETTLE, SHARED_FRESH,
    SLOW_ONLY,
};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Stale-set race",
    story: "**product:1** costs 50, and no cache has it. **srv-2** misses and asks the database, whose answer is held up \
        for more than {hold-ms} ms. Meanwhile a customer sets the price to 100 through **srv-1**: it commits, deletes \
        the key from L2, and tells every server to forget it. Then the answer reaches **srv-2**. Later the price changes to \
        150 while **srv-3** waits for an answer of L2.",
    promise: "When all is quiet, **no cache holds less than the database**.",
    question: "The invalidation of 50 went well, and {settle-ms} ms after srv-2 has its answer nothing is on its way. Who is \
        still answered 50?",
    hint: "What does srv-2 do with the row that it has just read? What was in its L1 when the invalidation came?",
    why: "The invalidation came before there was anything to forget. Then srv-2 stored what it had read before the write: \
        in L1 for a minute, in L2 for an hour, and everybody finds it there. Neither tier asked how old that row was. So it \
        went with the late answer of L2, too: when the invalidation came, srv-3’s L1 was empty.",
    answers: &[
        (NOBODY, "Nobody.", "Every copy was deleted, and everybody was told."),
        (SLOW_ONLY, "Only who asks srv-2.", "It holds the old row in its own memory."),
        (EVERYBODY, "Nearly everybody, for an hour.", "It comes back from L2."),
    ],
    presets: &[
        ("delete", "Delete on write", "Database, delete from L2 and own L1, publish: what most code does."),
        (
            "guarded-fills",
            "Guarded fills",
            "An empty slot takes a value only from the reader whose token still lies there; L1 only if no invalidation \
                came meanwhile.",
        ),
        (
            "token-only",
            "Token only",
            "The token keeps the old row out of L2; but L1 takes whatever answer comes, however late.",
        ),
        (
            "compare-versions",
            "Compare versions",
            "L2 takes nothing older than what it holds; here it has evicted what it held.",
        ),
        (
            "delete-twice",
            "Delete twice",
            "The write deletes the key again 200 ms later; the reader takes longer.",
        ),
    ],
    knobs: &[(HOLD.name, "How long the answer is held"), (SETTLE.name, "Wait until all is quiet")],
    checks: &[
        (LOCAL_FRESH, "No L1 is behind"),
        (SHARED_FRESH, "L2 is not behind"),
        (LATE_FRESH, "Late answer not kept"),
        (id::ALL_ANSWERED, "All answered"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::WARM, "warm", "Every server reads another product, so that its connections are there."),
        (phase::ACT, "act", "**srv-2** is about to miss, and the database’s answer will be **held up**."),
        (LOOK, "look", "All is quiet. **What do the caches hold?**"),
        (
            IN_FLIGHT,
            "in flight",
            "**srv-3** has lost its copy and asks L2, whose answer will be **held up** as well.",
        ),
        (LOOK_AGAIN, "look again", "All is quiet again. **What does srv-3 answer?**"),
    ],
};
