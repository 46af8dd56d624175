//! Storing a batch, however long there is no room for it.
use std::time::Duration;

use super::{Orders, ingest::Ready, log, report::Report};
use crate::{config::SourceConfig, source::WAIT};

/// How often it is looked whether there is room.
const PATIENCE: Duration = WAIT;

/// Stores a batch, however long that takes: a spool that is full or a disk without room is waited for, and the source is
/// not read meanwhile. `None` when the agent is to stop and the batch is not stored: it will be read again.
pub fn append(config: &SourceConfig, orders: &Orders, report: &Report, ready: Ready) -> anyhow::Result<Option<i64>> {
    let spool = &orders.shared.spool;
    let Ready { mut batch, position, part } = ready;
    let part = part.as_ref().map(|(name, place)| (name.as_str(), place.as_str()));
    let mut told = String::new();
    loop {
        let trouble = if spool.is_full() {
            "the spool is full".to_owned()
        } else {
            match spool.append(&mut batch, &position, part) {
                Ok(id) => {
                    if !told.is_empty() {
                        log(format_args!("source {}: reading goes on", config.name));
                        report.set_up("reading");
                    }
                    return Ok(Some(id));
                }
                Err(e) if e.is_not_now() => e.to_string(),
                Err(e) => return Err(e.into()),
            }
        };
        if told != trouble {
            crate::log::warn(format_args!("source {}: not read until there is room: {trouble}", config.name));
            report.set_down(&format!("not read: {trouble}"));
            told = trouble;
        }
        if orders.stopping() {
            return Ok(None);
        }
        orders.pause(PATIENCE);
    }
}
