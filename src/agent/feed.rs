//! The feed of a source, by its configuration.
use std::sync::Arc;

use serde_json::Value;

use super::Orders;
use crate::{
    config::{SourceConfig, source::Input},
    decode::journal::{Heading, HeadingKind, detect::Wanted},
    source::{CaptureFeed, Feed, FeedError},
};

/// Opens the feed of a source; `place` is the place of the whole that was stored last.
pub fn open(config: &SourceConfig, orders: &Orders, place: &Value) -> Result<Box<dyn Feed>, FeedError> {
    let catalog = &orders.shared.catalog;
    let headings: Vec<Arc<Heading>> = HeadingKind::ALL.iter().filter_map(|k| catalog.heading(*k).cloned()).collect();
    let wanted = Wanted { kind: config.kind, stream: config.stream, record_length: config.record_length };
    match &config.input {
        Input::Capture(path, follow) => {
            Ok(Box::new(CaptureFeed::new(path.clone(), *follow, headings, wanted, Some(place))))
        }
        Input::Directory(_) => Err(FeedError::Config("directory sources are not there yet".to_owned())),
        Input::Stream(_) => Err(FeedError::Config("stream sources are not there yet".to_owned())),
    }
}
