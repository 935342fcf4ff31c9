//! What a hit in L1 costs, beside a bare quick_cache lookup with a deadline check on a coarse clock.
//!
//! Time-to-live, membership, freshness and metrics are on; nobody watches. Each side is measured on one thread and
//! on two, in the same run: only their ratio says anything.

fn main() {}
