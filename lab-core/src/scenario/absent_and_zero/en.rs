//! Absent and zero, in English.

use super::{
    CREATE, EACH_READ, LOOK, NEW_ROW_SEEN, ONE, ONE_A_SERVER, ONE_QUERY_A_KEY, READ_AGAIN, ROUNDS, SETTLE,
};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Absent & zero",
    story: "Product 7 is sold out, has no note and is not on sale: **stock:7** = 0, **note:7** = an empty text, \
        **sale:7** = false. **product:8** does not exist yet. **srv-1** reads each of the four once; then all four \
        servers read all of them {rounds} times. At the end somebody creates **product:8**.",
    promise: "Each key costs **one database query**, and a row that was just created **is seen**.",
    question: "Nobody writes while the servers read. How many queries does one key cost the database?",
    hint: "A cache finds a value and asks “if (value)”. What does that make of 0?",
    why: "“if (value)” asks whether the value is truthy, not whether the cache has it. 0, the empty text, false and “no \
        such row” all lie in the caches, and all count as a miss: every read goes on to the database.",
    answers: &[
        (ONE, "One.", "After the first read it lies in the caches."),
        (ONE_A_SERVER, "One a server.", "Each server has to learn it once."),
        (EACH_READ, "One for each read.", "The caches have it, and it does not help."),
    ],
    presets: &[
        (
            "truthy",
            "The lesson’s code",
            "“if (value)”: what is falsy counts as a miss. (Its L1 also hands out a string where the first read gave an \
                object.)",
        ),
        (
            "known",
            "Hit, absent, miss",
            "Whatever a cache holds is an answer; “no such row” is kept for five seconds, and a new row voids it.",
        ),
        (
            "not-null",
            "Not null",
            "“value !== null”: zero is a hit, but an absent row is still looked for each time.",
        ),
        (
            "silent-create",
            "Silent create",
            "“No such row” is kept, and creating a row tells nobody: what did not exist cannot have been cached.",
        ),
    ],
    knobs: &[(ROUNDS.name, "Rounds of reads"), (SETTLE.name, "Wait after the creation")],
    checks: &[
        (ONE_QUERY_A_KEY, "One query a key"),
        (NEW_ROW_SEEN, "The new row is seen"),
        (id::ALL_ANSWERED, "All answered"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::ACT, "act", "**srv-1** reads each key for the first time."),
        (READ_AGAIN, "read again", "Now all servers read all keys, **again and again**."),
        (CREATE, "create", "Somebody **creates** the row that was not there."),
        (LOOK, "look", "The bus has had its time. Does everybody see the **new row**?"),
    ],
};
