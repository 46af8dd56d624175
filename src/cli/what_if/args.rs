//! The options of `what-if`.
use std::path::PathBuf;

use crate::cli::{context::HeadingArgs, input::InputArgs, replay::FormatArg};

/// Options of `what-if`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) heading_args: HeadingArgs,
    /// The configuration to try
    #[arg(long, value_name = "NEW")]
    pub config: PathBuf,
    /// The configuration to compare with [default: everything is sent]
    #[arg(long, value_name = "OLD")]
    pub baseline: Option<PathBuf>,
    /// The output whose filter and format count [default: the first, or --format]
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    /// Format of the lines whose bytes are counted [default: that of the output, or cef]
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// Write a page with charts that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Warnings about the configuration are errors
    #[arg(long)]
    pub deny_warnings: bool,
}
