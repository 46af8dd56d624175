//! `decode`: every field of every entry, as JSON lines or for a person.
use std::io::{self, Write};

use anyhow::anyhow;

use super::{
    console::say,
    exit::{Exit, Failure},
    input::{InputArgs, capture_failure},
    pretty,
};
use crate::{
    decode::journal::{Entry, Layout},
    encode::{entry_json, escape::printable},
    event::{EventModel, Options},
    source::{Item, capture, derived::placeholder},
};

/// Options of `decode`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Show entries for a person: offset, field, raw bytes, value, meaning; * marks expected layouts, ? guesses
    #[arg(long)]
    pretty: bool,
    /// Add the parts of fields that depend on the object type (ZC and ZR access specific data)
    #[arg(long)]
    expand: bool,
    /// Only the entry with this sequence number
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
}

/// Runs `decode`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let catalog = args.input.catalog()?;
    let job = args.input.charset()?;
    capture::check_paths(&args.input.captures).map_err(capture_failure)?;
    let mut stdout = io::stdout().lock();
    let mut out: Vec<u8> = Vec::with_capacity(128 << 10);
    let (mut parked, mut ends_within) = (0u64, 0u64);
    let mut shown = 0u64;
    for path in &args.input.captures {
        let mut source = args.input.open(&catalog, path)?;
        let heading = source.found().heading.clone();
        let model = EventModel::new(catalog.clone(), heading.clone(), job, Options::default());
        let name = source.name().to_owned();
        let ended = loop {
            if !source.is_ready()
                && let Some(exit) = write(&mut stdout, &mut out)?
            {
                return Ok(exit);
            }
            let (record, offset) = match source.next() {
                Ok(None) => {
                    if let Some(torn) = source.ends_within() {
                        say(format_args!("qaudjrn: {}: {}\n", printable(&name), torn.text));
                        ends_within += 1;
                    }
                    break Ok(());
                }
                Ok(Some(Item::Record(r, o) | Item::Cut(r, o))) => (r, o),
                Err(e) => break Err(e),
            };
            match Entry::new(&heading, record) {
                Ok(entry) => {
                    if args.sequence.is_some_and(|s| s != entry.sequence) {
                        continue;
                    }
                    let kind = model.event(entry, None).kind;
                    let layout: Option<&Layout> = kind.layout.as_deref();
                    if args.pretty {
                        pretty::put_entry(&entry, layout, catalog.levels(), job, offset, &mut out);
                    } else {
                        entry_json::put_entry(&entry, layout, job, args.expand, &mut out);
                    }
                    out.push(b'\n');
                    shown += 1;
                }
                Err(e) => {
                    parked += 1;
                    if parked <= 5 {
                        match placeholder::why(record) {
                            Some(why) => say(format_args!("qaudjrn: {name}: {}\n", printable(&why))),
                            None => say(format_args!("qaudjrn: {name}: offset {offset}: no journal entry: {e}\n")),
                        }
                    }
                }
            }
            if out.len() > 64 << 10
                && let Some(exit) = write(&mut stdout, &mut out)?
            {
                return Ok(exit);
            }
        };
        if let Some(exit) = write(&mut stdout, &mut out)? {
            return Ok(exit);
        }
        ended.map_err(capture_failure)?;
    }
    if let Some(sequence) = args.sequence.filter(|_| shown == 0) {
        return Err(Failure::failed(anyhow!("no entry has the sequence number {sequence}")));
    }
    if parked > 0 {
        say(format_args!("qaudjrn: {parked} records are no journal entries and were left out\n"));
    }
    Ok(if parked + ends_within > 0 { Exit::Incomplete } else { Exit::Done })
}

/// Writes and empties the buffer; `Some` when the reader of the pipe went away, which is no error.
fn write(stdout: &mut impl Write, out: &mut Vec<u8>) -> Result<Option<Exit>, Failure> {
    let result = stdout.write_all(out).and_then(|()| stdout.flush());
    out.clear();
    match result {
        Ok(()) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Some(Exit::Done)),
        Err(e) => Err(Failure::failed(anyhow!("writing to standard output: {e}"))),
    }
}
