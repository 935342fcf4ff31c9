//! Lost invalidation, in English.

use super::{
    AFTERWARDS, CRASH, DEAF_ONLY, EVERYBODY, FRESH_AFTER_CRASH, FRESH_AFTER_HEAL, FRESH_IN_TIME, LOOK,
    LOOK_AGAIN, NOBODY, RELAY_WAIT, WAIT,
};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Lost invalidation",
    story: "Four servers hold **product:2** = 50. The connection over which **srv-3** hears of changes goes dead without a \
        word: it stays open, and what is sent into it vanishes. A customer sets the price to 100 through **srv-1**. \
        Later the network is whole again. Then **srv-1** sets the price to 150, **commits, and dies** before it has told \
        anybody.",
    promise: "Soon after a commit **nobody is answered the old value**, whether its invalidation was lost on the way or \
        never sent.",
    question: "No error is reported anywhere. {relay-ms} ms after the crash the three servers that live are read. Which \
        of them answer an old price?",
    hint: "Does pub/sub send anything twice? And who, besides srv-1, knew that there was something to send?",
    why: "Pub/sub delivers at most once. A socket that is silent looks just like a bus on which nothing happens, so srv-3 \
        does not know that it missed anything and answers from L1, even when the network is whole again. And between \
        the commit and the PUBLISH lies a moment in which only srv-1 knows of the new price. It died in that moment: the \
        database holds 150, no notice was ever sent, and every L1 goes on to its time to live.",
    answers: &[
        (NOBODY, "None of them.", "After the heal the notices arrive, and Redis sends what srv-1 could not."),
        (DEAF_ONLY, "Only srv-3.", "It missed a notice, and nothing repeats it."),
        (EVERYBODY, "All three.", "Of the last price no server was told."),
    ],
    presets: &[
        (
            "forget",
            "The lesson’s code",
            "Commit, then publish and forget: who does not hear it does not know.",
        ),
        (
            "silence-and-outbox",
            "Silence limit and outbox",
            "Who hears nothing does not serve L1; and a commit leaves a row that any server publishes if the writer does \
                not.",
        ),
        (
            "silence-limit",
            "Silence limit",
            "Numbered notices, ten heartbeats a second, and L1 is not served after half a second of silence.",
        ),
        (
            "numbers-only",
            "Numbers only",
            "A hole in the numbers empties L1; but no next notice comes to show it.",
        ),
        (
            "numbers-and-beats",
            "Numbers and heartbeats",
            "Heartbeats repeat the last number; a dead socket swallows them as well.",
        ),
        (
            "outbox-only",
            "Outbox only",
            "Another server publishes in the writer’s place, into the same dead socket.",
        ),
        (
            "publish-first",
            "Publish before commit",
            "Nothing is left to be said after the commit; but whoever forgets the old price finds it in L2 again.",
        ),
        (
            "say-it-twice",
            "Say it twice",
            "The writer invalidates once more, 200 ms later. By then it is dead.",
        ),
    ],
    knobs: &[(WAIT.name, "Wait before each look"), (RELAY_WAIT.name, "Wait after the crash")],
    checks: &[
        (FRESH_IN_TIME, "Fresh in time"),
        (FRESH_AFTER_HEAL, "Fresh after the heal"),
        (FRESH_AFTER_CRASH, "Fresh after the crash"),
        (id::ALL_ANSWERED, "All reads answered"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::WARM, "warm", "The caches are filled, so that every copy is fresh."),
        (phase::ACT, "act", "From now on **srv-3 hears nothing**, and does not know it."),
        (LOOK, "look", "Time enough to notice. **What do they answer?**"),
        (LOOK_AGAIN, "look again", "The network is whole again. **And now?**"),
        (CRASH, "crash", "**srv-1** writes once more, and will **die right after its commit**."),
        (AFTERWARDS, "afterwards", "srv-1 is dead. **Do the others know of its last commit?**"),
    ],
};
