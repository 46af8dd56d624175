//! How many heaps the C library keeps for the agent.
//!
//! glibc gives each thread that asks for memory a heap of its own, up to eight for each core, and what is freed in one is of no use to
//! the others: with 300 senders most of the memory of the agent was such room (284 MiB; 78 with two heaps). How many there may be is said
//! in the environment only, and read when a program begins. Other C libraries know no such variable.
use std::{env, os::unix::process::CommandExt, process::Command};

/// Says it, by the name that glibc knows.
const HEAPS: &str = "MALLOC_ARENA_MAX";
/// Enough that two threads do not wait for each other.
const FEW: &str = "2";
/// Says that it was said: a program with privileges is not shown the other one.
const SAID: &str = "QAUDJRN_HEAPS";

/// Begins the program once more, as the same process, with few heaps, unless the environment says how many there are to be. Where that
/// does not work the agent runs as it is: it is said nowhere, for only memory depends on it.
pub fn keep_few() {
    if !cfg!(target_env = "gnu") || [HEAPS, SAID, "GLIBC_TUNABLES"].iter().any(|name| env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut args = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    // It comes back only with an error.
    let _ = again.args(args).env(HEAPS, FEW).env(SAID, FEW).exec();
}
