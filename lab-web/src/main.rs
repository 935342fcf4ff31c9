//! The lab in the browser.

fn main() {}
