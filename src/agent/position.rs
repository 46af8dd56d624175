//! Where a source goes on, as the spool keeps it.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{TaskContext, gaps::Several, log, parking::Run};
use crate::{
    config::SourceConfig,
    digest::Hash,
    source::receiver_chain::{JournalPlace, ReceiverChain},
};

/// Where a source goes on, as the spool keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The place in what is read.
    #[serde(default)]
    pub feed: Value,
    /// System of the last entry.
    #[serde(default)]
    pub system: String,
    /// Receiver library, receiver and sequence number of the last entry.
    #[serde(flatten)]
    pub last: JournalPlace,
    /// The last entry of every system.
    #[serde(default)]
    pub chain: ReceiverChain,
    /// Within the hour that comes twice, whether it is the second time.
    #[serde(default)]
    pub second_pass: bool,
    /// Privileged profiles learned so far, in hexadecimal.
    #[serde(default)]
    pub learned: Vec<String>,
    /// What is missing before this place and not told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<Several>,
    /// What was parked before this place and is not told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Run>,
}

/// Where a source goes on, and the hash that its next batch is chained to. A position that cannot be read costs what came behind
/// the one in the position file once more, and where that cannot be read either, a gap that is told: never the source.
pub async fn position(
    config: &SourceConfig,
    context: &TaskContext,
) -> anyhow::Result<(Position, Hash, Option<String>)> {
    let spool = &context.shared.spool;
    let found = spool.position_async(&config.name).await?;
    let Some((text, chain)) = found else { return Ok((Position::default(), [0; 32], None)) };
    let parsed = |text: &str| serde_json::from_str::<Position>(text);
    let why = match parsed(&text) {
        Ok(position) => return Ok((position, chain, None)),
        Err(e) => e,
    };
    let older = spool.delivered_position(&config.name).await?.and_then(|text| parsed(&text).ok());
    let lost = if older.is_some() {
        "that of the position file is used: what came behind it comes again"
    } else {
        "it begins as one that is new: entries may be missing, or come again"
    };
    let text = format!("the stored position cannot be read ({why}): {lost}");
    log(format_args!("source {}: {text}", config.name));
    let lost = older.is_none().then_some(text);
    Ok((older.unwrap_or_default(), chain, lost))
}
