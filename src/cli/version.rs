//! What this program is: its version, and what it was built from and for. `build.rs` finds it out; nothing in it depends on when or where
//! that was.

/// The number of the version.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");
/// The commit and its date: `0123... (2026-11-30)`; `unknown` where the sources did not say.
pub const COMMIT: &str = env!("QAUDJRN_BUILT_FROM");
/// `--version`; `-V` is the first line of it.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("QAUDJRN_BUILT_FROM"),
    "\ntarget: ",
    env!("QAUDJRN_TARGET"),
    "\nfeatures: ",
    env!("QAUDJRN_FEATURES"),
);
