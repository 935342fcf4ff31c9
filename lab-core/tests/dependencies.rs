//! lab-core reaches no clock, no entropy and no runtime through its dependencies either.

use std::process::Command;

const FORBIDDEN: [&str; 8] =
    ["getrandom", "tokio", "mio", "js-sys", "web-sys", "web-time", "chrono", "parking_lot"];

#[test]
fn nothing_in_the_tree_reads_time_or_draws_entropy() {
    for target in ["wasm32-unknown-unknown", "x86_64-unknown-linux-gnu"] {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--package", "lab-core", "--edges", "normal", "--prefix", "none", "--offline"])
            .args(["--target", target])
            .output()
            .expect("cargo can be run");
        let text = String::from_utf8_lossy(&tree.stdout);
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        assert!(text.contains("quick_cache"), "the tree is not lab-core's: {text}");
        let found =
            text.lines().filter_map(|line| line.split(' ').next()).find(|name| FORBIDDEN.contains(name));
        assert_eq!(found, None, "lab-core must not depend on it, on {target}");
    }
}
