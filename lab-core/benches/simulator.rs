//! What a step of the simulator costs, with the full trace on, beside a bare executor of the same kind.

fn main() {}
