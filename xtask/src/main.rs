//! Set-up, serve, test and bench.

fn main() {}
