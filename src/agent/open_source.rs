//! The feed of a source, by its configuration.
use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::Handle;

use super::TaskContext;
use crate::{
    config::{SourceConfig, source::Input},
    decode::journal::{
        Catalog, HeadingKind,
        detect::{HistoryInput, Wanted},
    },
    source::{
        CaptureFeed, Feed, FeedError,
        capture::Opener,
        directory::DirectoryFeed,
        live::{LiveFeed, SystemContext},
    },
};

/// What opens the files of a source.
pub fn opener(config: &SourceConfig, catalog: &Arc<Catalog>) -> Opener {
    let wanted = Wanted {
        kind: config.kind,
        stream: config.stream,
        record_length: config.record_length,
        buffers: config.buffers,
        history: config.history.map(HistoryInput::Sure),
        encoding: config.encoding,
    };
    Opener::new(catalog, config.charset, wanted).with_dates(config.dates)
}

/// Opens the feed of a source; `place` is the place of the whole that was stored last.
pub fn open(config: &SourceConfig, context: &Arc<TaskContext>, place: &Value) -> Result<Box<dyn Feed>, FeedError> {
    let catalog = &context.shared.catalog;
    let opener = opener(config, catalog);
    match &config.input {
        Input::Capture(path, follow) => {
            let feed = CaptureFeed::new(path.clone(), *follow, opener, Some(place));
            Ok(Box::new(feed.until(&context.drain)))
        }
        Input::Directory(options) => {
            let files = context.shared.spool.files(&config.name).map_err(|e| FeedError::NotNow(e.to_string()))?;
            Ok(Box::new(DirectoryFeed::new(options.clone(), opener, files).until(&context.drain)))
        }
        Input::Live(options) => {
            let heading = catalog.heading(HeadingKind::Type5).cloned();
            let heading =
                heading.ok_or_else(|| FeedError::Config("the *TYPE5 heading is not among the tables".to_owned()))?;
            let system = config.charset.decode_string(&config.given().system);
            let options = options.as_ref().clone();
            let site =
                SystemContext { catalog: catalog.clone(), heading, charset: config.charset, zone: config.zone, system };
            let runtime = Handle::try_current().map_err(|e| FeedError::NotNow(e.to_string()))?;
            Ok(Box::new(LiveFeed::new(options, site, place, runtime, &context.drain)))
        }
        // A task reads it ([`super::senders`]).
        Input::Stream(_) => Err(FeedError::Config("a stream has no feed: this is a mistake of the program".to_owned())),
    }
}
