//! The `qaudjrn` program.
#![forbid(unsafe_code)]
use std::process::ExitCode;

use clap::Parser;
use qaudjrn::cli::{self, Cli};

fn main() -> ExitCode {
    let exit = match cli::run(Cli::parse()) {
        Ok(exit) => exit,
        Err(failure) => {
            cli::say(format_args!("qaudjrn: {}\n", failure.error));
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
