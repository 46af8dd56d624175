//! `spool export --parked`: the records that are no entries, given back as they were read.
use std::{io::Write, path::Path};

use chrono::DateTime;
use serde_json::json;

use super::export::{Files, known, sources};
use crate::{
    cli::{
        console::say,
        exit::{Exit, Failure},
    },
    digest::hex,
    spool::inspect::Inspector,
};

/// Writes them: each behind its length of 4 bytes, as entries are exported, or as JSON lines.
pub fn export(inspector: &Inspector, source: Option<&str>, as_json: bool, to: Option<&Path>) -> Result<Exit, Failure> {
    let mut names = sources(inspector);
    inspector.each_parked(&mut |_, record| names.extend(record.map(|r| r.source))).map_err(Failure::failed)?;
    known(source, &names)?;
    Files::make(to, 1)?.fill(|sinks| match sinks.first_mut() {
        Some(sink) => write(inspector, source, as_json, sink),
        None => Ok(Exit::Done),
    })
}

fn write(inspector: &Inspector, source: Option<&str>, as_json: bool, sink: &mut dyn Write) -> Result<Exit, Failure> {
    let (mut records, mut damaged) = (0_u64, 0_u64);
    let mut written = Ok(());
    let mut take = |id, record| {
        let Some(kept): Option<crate::spool::parked::Kept> = record else {
            damaged += 1;
            say(format_args!("qaudjrn: parked record {id} is left out: it is not what was written\n"));
            return;
        };
        if written.is_err() || source.is_some_and(|s| s != kept.source) {
            return;
        }
        records += 1;
        written = if as_json { json_line(&kept, sink) } else { framed(&kept.parked.bytes, sink) };
    };
    inspector.each_parked(&mut take).map_err(Failure::failed)?;
    written.map_err(Failure::failed)?;
    say(format_args!("qaudjrn: {records} parked records; {damaged} damaged ones are not in it\n"));
    Ok(if damaged > 0 { Exit::Incomplete } else { Exit::Done })
}

fn framed(bytes: &[u8], sink: &mut dyn Write) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    sink.write_all(&length).and_then(|()| sink.write_all(bytes))
}

fn json_line(kept: &crate::spool::parked::Kept, sink: &mut dyn Write) -> std::io::Result<()> {
    let read = DateTime::from_timestamp_micros(kept.at).map(|t| t.to_rfc3339());
    let line = json!({"source": kept.source, "place": kept.parked.place, "why": kept.parked.why, "batch": kept.batch,
        "read": read, "bytes": hex(&kept.parked.bytes)});
    writeln!(sink, "{line}")
}
