//! The `qaudjrn` program.
#![forbid(unsafe_code)]
use std::process::ExitCode;

use qaudjrn::{
    cli::{self, Cli},
    log,
};

/// That of musl takes twice the time (docs/DEPENDENCIES.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::signals::stand();
    let cli = Cli::read();
    log::start(cli.log);
    let exit = cli::run(cli).unwrap_or_else(|failure| {
        cli::console::tell(&failure);
        failure.exit
    });
    log::finish();
    ExitCode::from(exit as u8)
}
