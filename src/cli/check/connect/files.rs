//! Sources of files: whether they can be read, and which entry an agent would read first, by the feeds that an agent reads with.
use std::{path::Path, sync::Arc};

use super::{Context, apart, finding::Finding, silent};
use crate::{
    agent,
    config::{SourceConfig, source::Input},
    decode::journal::Entry,
    event::Clock,
    log::numbers::grouped,
    source::{
        CaptureFeed, Feed, FeedError, FeedEvent, Record,
        directory::{After, DirectoryFeed, DirectoryOptions},
    },
};

/// Nobody can know: a file has no clock.
const CLOCK: &str = "how far its clock is from ours is not known: a file has none that can be asked";

/// How often a feed may wait, a moment each, before there is nothing: it looks again behind what it has read.
const IDLE: u32 = 3;

/// What a feed has first.
enum First {
    /// An entry, in words.
    Entry(String),
    /// Nothing that was not read before.
    Nothing,
    /// Nothing that is complete.
    NotYet,
}

/// Looks into a file or a folder; disks may take their time.
pub async fn look(context: Arc<Context>, source: SourceConfig) -> Vec<Finding> {
    let of = format!("source {}", source.name);
    let limit = context.limit;
    let name = of.clone();
    let looked = apart(limit, move || {
        let finding = match &source.input {
            Input::Capture(path, follow) => file(&context, &source, &name, path, *follow),
            Input::Directory(options) => folder(&context, &source, &name, options),
            Input::Stream(_) | Input::Live(_) => return Vec::new(),
        };
        vec![finding, Finding::note(&name, CLOCK)]
    });
    looked
        .await
        .unwrap_or_else(|| vec![Finding::failed(of, format!("{}: does its file server answer?", silent(limit)))])
}

fn file(context: &Context, source: &SourceConfig, of: &str, path: &Path, follow: bool) -> Finding {
    let (position, _) = context.state.stored(&source.name);
    let shown = path.display();
    if follow && !path.exists() {
        return Finding::note(of, format!("{shown} is not there yet: the agent waits for it (follow = true)"));
    }
    let opener = agent::opener(source, &context.catalog);
    // As one that is not followed: what is there now is looked at, and nothing is waited for.
    let mut feed = CaptureFeed::new(path.to_owned(), false, opener, position.get("feed"));
    let finding = match first(&mut feed, source) {
        Ok(First::Entry(what)) => Finding::ok(of, format!("{shown} can be read; first comes {what}")),
        Ok(First::Nothing | First::NotYet) if position.get("feed").is_some() => {
            Finding::ok(of, format!("{shown} can be read; an agent has read all of it"))
        }
        Ok(First::Nothing | First::NotYet) => Finding::warning(of, format!("{shown} can be read, and has no entry")),
        Err(e) => unreadable(of, &e),
    };
    finding.with("path", shown.to_string())
}

fn folder(context: &Context, source: &SourceConfig, of: &str, options: &DirectoryOptions) -> Finding {
    let shown = options.path.display();
    if options.follow && !options.path.exists() {
        return Finding::note(of, format!("{shown} is not there yet: the agent waits for it"));
    }
    let (_, files) = context.state.stored(&source.name);
    let opener = agent::opener(source, &context.catalog);
    // Nothing is put away, and nothing waited for.
    let looks = DirectoryOptions { after: After::Keep, follow: false, ..options.clone() };
    let mut feed = DirectoryFeed::new(looks, opener, files);
    let first = first(&mut feed, source);
    let finding = match first {
        Ok(First::Entry(what)) => {
            let file = feed.reading().map_or_else(String::new, |path| path.display().to_string());
            Finding::ok(of, format!("{shown} can be read; first comes {what} of {file}"))
        }
        Ok(First::Nothing) => {
            Finding::ok(of, format!("{shown} can be read; no file that fits {} waits in it", options.pattern))
        }
        Ok(First::NotYet) => Finding::ok(
            of,
            format!(
                "{shown} can be read; the files that fit {} are not complete yet, or cannot be read at present",
                options.pattern
            ),
        ),
        Err(e) => unreadable(of, &e),
    };
    let puts_away =
        options.after != After::Keep && rustix::fs::access(&options.path, rustix::fs::Access::WRITE_OK).is_err();
    let finding = match puts_away {
        true => Finding::failed(
            of,
            format!(
                "{}; and this user may not move or delete files there, as after = asks: let the user of the agent write there",
                finding.text
            ),
        ),
        false => finding,
    };
    finding.with("path", shown.to_string())
}

fn unreadable(of: &str, e: &FeedError) -> Finding {
    Finding::failed(of, format!("{e}; let the user of the agent read it, or name another"))
}

/// Asks a feed until it has something.
fn first(feed: &mut impl Feed, source: &SourceConfig) -> Result<First, FeedError> {
    let mut idle = 0;
    loop {
        match feed.next()? {
            FeedEvent::Record(record) => return Ok(First::Entry(entry(&record, source))),
            FeedEvent::End => return Ok(First::Nothing),
            FeedEvent::Idle | FeedEvent::Halted(_) if idle == IDLE => return Ok(First::NotYet),
            FeedEvent::Idle | FeedEvent::Halted(_) => idle += 1,
            FeedEvent::Boundary
            | FeedEvent::Log(_)
            | FeedEvent::Rewound(_)
            | FeedEvent::PositionLost(_)
            | FeedEvent::Incomplete { .. }
            | FeedEvent::Moved
            | FeedEvent::Gap(_)
            | FeedEvent::Offset(_)
            | FeedEvent::Poll => {}
        }
    }
}

/// An entry in words.
fn entry(record: &Record<'_>, source: &SourceConfig) -> String {
    let at = grouped(record.offset);
    let heading = record.heading.kind.ibm_name();
    match Entry::new(record.heading, record.bytes) {
        Ok(entry) => {
            let kind = source.charset.decode_string(&entry.entry_type());
            let time = Clock::new(source.zone, source.dates).read(&entry);
            let time = time.map_or_else(String::new, |t| format!(" of {}", String::from_utf8_lossy(&t.local)));
            format!("entry {} ({kind}, {heading}){time}, at byte {at}", entry.sequence)
        }
        Err(_) => format!("what is at byte {at} and no entry ({heading})"),
    }
}
