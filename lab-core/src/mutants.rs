//! Protections that can be left out, one at a time: how the tests are tested.
//!
//! At the place of each protection stands [`kept!`] with its name. Usually that is `true`, and costs nothing. In a build
//! with the feature `mutants` (the runner's: `cargo xtask mutants`) it asks whether this very protection is left out on
//! this thread; some property must then turn red. `lab-core/tests/mutants/` holds the properties, and says of each
//! protection that nothing sees why leaving it out changes nothing.

/// Whether the protection of this name is there. It is, unless the runner's build leaves it out.
macro_rules! kept {
    ($name:literal) => {
        $crate::mutants::is_kept($name)
    };
}

/// Whether a protection is there: each is, in this build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[allow(clippy::inline_always, reason = "it is to cost nothing, in every profile")]
pub const fn is_kept(_: &str) -> bool {
    true
}

#[cfg(feature = "mutants")]
mod chosen {
    use std::cell::Cell;

    thread_local! {
        static LEFT_OUT: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Whether a protection is there.
    pub fn is_kept(name: &str) -> bool {
        LEFT_OUT.get() != Some(name)
    }

    /// Runs something without the protection of that name. It is left out on this thread alone.
    pub fn without<T>(name: &'static str, run: impl FnOnce() -> T) -> T {
        /// Puts it back, whatever becomes of the run.
        struct Back;
        impl Drop for Back {
            fn drop(&mut self) {
                LEFT_OUT.set(None);
            }
        }
        LEFT_OUT.set(Some(name));
        let _back = Back;
        run()
    }
}

#[cfg(feature = "mutants")]
pub use chosen::{is_kept, without};
