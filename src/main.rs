//! The `qaudjrn` program.
#![forbid(unsafe_code)]
use std::process::ExitCode;

use qaudjrn::{
    cli::{self, Cli},
    log,
};

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
