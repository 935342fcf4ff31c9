//! Lost invalidation, in English.

use super::{FRESH_AFTER_HEAL, FRESH_IN_TIME, LOOK, LOOK_AGAIN, NEVER, STILL, UNTIL_HEALED, WAIT};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "Lost invalidation",
    story: "Four servers hold **product:1** = 50. The connection over which **srv-3** hears of changes goes dead without a \
        word: it stays open, and what is sent into it vanishes. A customer sets the price to 100 through **srv-1**, and \
        everybody is read {wait-ms} ms later. Then the network is whole again, and after another {wait-ms} ms everybody \
        is read once more.",
    promise: "Soon after a write **nobody is answered the old value**, whatever was lost on the way.",
    question: "Redis has handed the notice out, and no error is reported anywhere. How long does srv-3 answer 50?",
    hint: "How could srv-3 find out that there was a notice at all? Does pub/sub send anything twice?",
    why: "Pub/sub delivers at most once. A socket that is silent looks just like a bus on which nothing happens, so srv-3 \
        goes on until its time to live. A number in each notice shows a hole, but only with the next notice; a heartbeat \
        brings the number soon, but not through a dead socket. Only silence itself can be the sign: who has heard \
        nothing for longer than several heartbeats must not serve L1.",
    answers: &[
        (NEVER, "Not at all by then.", "The notice comes late, but it comes."),
        (UNTIL_HEALED, "Until the network is whole again.", "Then it hears what it has missed."),
        (STILL, "Longer than that.", "Nothing tells it, not even then."),
    ],
    presets: &[
        ("forget", "The lesson’s code", "Publish and forget: who does not hear it does not know."),
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
    ],
    knobs: &[(WAIT.name, "Wait before each look")],
    checks: &[
        (FRESH_IN_TIME, "Fresh in time"),
        (FRESH_AFTER_HEAL, "Fresh after the heal"),
        (id::ALL_ANSWERED, "All answered"),
    ],
    phases: &[
        (phase::START, "start", "The servers start, and nothing is cached yet."),
        (phase::WARM, "warm", "The caches are filled, so that every copy is fresh."),
        (phase::ACT, "act", "From now on **srv-3 hears nothing**, and does not know it."),
        (LOOK, "look", "Time enough to notice. **What do they answer?**"),
        (LOOK_AGAIN, "look again", "The network is whole again. **And now?**"),
    ],
};
