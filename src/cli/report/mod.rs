//! `report`: what happened in captures, for an auditor: who was active, who failed to sign on, who changed what others may do or what
//! is audited, who worked under another name, what is missing. One pass, in bounded memory, with the evidence of what was read.
mod args;
mod changes;
mod collect;
mod describe;
mod document;
mod html;
mod json;
mod receivers;
mod result;
mod sections;
mod signon;
mod span;
mod supplied;
mod text;
mod top;

pub use self::args::Args;
use self::{collect::Collector, result::Report};
use super::{
    console::{print, print_json},
    context::Setup,
    exit::{Exit, Failure},
    page::file::PageFile,
    visit::visit,
};

/// Runs `report`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let setup = Setup::new(&args.input, args.config.as_deref(), false)?;
    let page = args.html.as_deref().map(|path| PageFile::open(path, &args.input.captures)).transpose()?;
    let mut collector = Collector::new(args, &setup)?;
    let stats = visit(&setup.catalog, &args.input, &args.heading_args, &mut collector)?;
    if !args.json {
        stats.warn();
    }
    let exit = stats.exit();
    let report = Report::new(args, &setup, collector, stats)?;
    // The report goes out whatever becomes of the page.
    let said = if args.json { print_json(&format!("{}\n", json::json(&report))) } else { print(&text::text(&report)) };
    if let Some(page) = page {
        page.write(&html::page(&report))?;
    }
    said.map(|()| exit)
}
