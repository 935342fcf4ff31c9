//! What the long checks with arguments of their own share: how many trials, and the same ones for the same seed.

use std::env;

/// The same draws for the same seed: `SplitMix64`.
pub(crate) struct Chance(u64);

impl Chance {
    /// A chance of its own, whose draws do not depend on how many of them another one makes.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// Any number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// How many trials `--count` asks for, and the chance that `--seed` gives; what is not given is the suite's share.
pub(crate) fn asked(count: u32, seed: u64) -> (u32, Chance) {
    let arguments: Vec<String> = env::args().collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let count = number("--count").and_then(|count| count.try_into().ok()).unwrap_or(count);
    (count, Chance(number("--seed").unwrap_or(seed)))
}
