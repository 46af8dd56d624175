//! The options of `report`.
use std::path::PathBuf;

use crate::{
    cli::{context::HeadingArgs, input::InputArgs},
    filter::names::Name,
};

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) heading_args: HeadingArgs,
    /// Only entries whose job user or effective user this is, and a time line of them; a generic name too: WEB*
    #[arg(long, value_name = "NAME")]
    pub user: Option<Name>,
    /// Configuration: its filter applies, its privileged users are tagged, its hash is in the report
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Lines of the time line of --user
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Use fields whose layout is a guess too, marked ?
    #[arg(long)]
    pub guesses: bool,
    /// Write the report as a page with charts that needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}
