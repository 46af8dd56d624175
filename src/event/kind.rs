//! One entry type under one heading, compiled: what every event of it has in common, and where the rest stands in its entry.
use std::sync::Arc;

use super::slot::Slot;
use crate::decode::{
    history::messages::Messages,
    journal::{Entry, FieldKind, Layout, heading::Span, text},
};

/// What a detail code means.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// The code; empty for entries without one.
    pub code: String,
    /// The title of the event, where it is not that of the type.
    pub title: Option<String>,
    /// Its meaning.
    pub meaning: Option<String>,
    /// Whether the meaning is one that `_audit_levels.toml` singles out.
    pub notable: bool,
    /// 0 to 10.
    pub severity: u8,
    /// Whether it records a refusal or a failure.
    pub failure: bool,
}

/// The severity of history log messages.
pub(super) struct SeverityScale {
    pub(super) messages: Arc<Messages>,
    /// Index of the field with that of the message.
    pub(super) field: usize,
    /// The ids, in EBCDIC, that the configuration gives a severity.
    pub(super) configured: Vec<Vec<u8>>,
}

/// One entry type under one heading: what every event of it has in common.
pub struct EventType {
    /// Position in the model: 0 to 85 for known types, then the foreign ones, then the history log.
    pub index: usize,
    /// Entry type; empty for foreign entries, whose code stands in the entry.
    pub code: String,
    /// Title.
    pub title: String,
    /// The layout; none for foreign entries.
    pub layout: Option<Arc<Layout>>,
    /// The values an event can have.
    pub slots: Vec<Slot>,
    /// Severity where the detail is not known.
    pub severity: u8,
    /// Whether the type as a whole records failures.
    pub failure: bool,
    /// Severity by that of the message, for the history log.
    pub(super) scale: Option<SeverityScale>,
    pub(super) detail: Option<Span>,
    pub(super) details: Vec<(Vec<u8>, Detail)>,
    /// Where texts stand, by where they end, to tell what a cut entry has lost.
    pub(super) text_spans: Vec<(Span, FieldKind, String)>,
}

impl EventType {
    /// The bytes of the detail code, blanks off.
    #[inline]
    pub fn detail_code<'a>(&self, entry: &Entry<'a>) -> &'a [u8] {
        match self.detail {
            Some(s) => text::trim_blanks(entry.data.get(s.at..s.at + s.len).unwrap_or(&[])),
            None => &[],
        }
    }

    /// The details that the tables know, with their codes in EBCDIC.
    pub fn details(&self) -> &[(Vec<u8>, Detail)] {
        &self.details
    }

    /// Whether foreign: journal codes other than T, and unknown types.
    pub fn is_foreign(&self) -> bool {
        self.layout.is_none()
    }

    /// The severity of this one event, 0 to 10, where it is not that of type or detail.
    #[inline]
    pub fn message_severity(&self, entry: &Entry<'_>) -> Option<u8> {
        self.scale.as_ref().and_then(|scale| self.severity_of_message(scale, entry))
    }

    fn severity_of_message(&self, scale: &SeverityScale, entry: &Entry<'_>) -> Option<u8> {
        if scale.configured.iter().any(|id| id == self.detail_code(entry)) {
            return None;
        }
        let field = self.layout.as_ref()?.fields.get(scale.field)?;
        Some(scale.messages.severity(text::integer(field, entry.data)))
    }

    /// Whether messages of the history log.
    pub fn is_history(&self) -> bool {
        self.scale.is_some()
    }

    /// The first value that a cut entry has lost or holds in part; `None` when nothing that is carried was hit.
    pub fn first_truncated<'s>(&'s self, entry: &Entry<'_>) -> Option<&'s str> {
        let there = entry.data.len();
        if there >= entry.stated {
            return None;
        }
        let i = self.text_spans.partition_point(|(s, ..)| s.at + s.len <= there);
        let (span, kind, name) = self.text_spans.get(i)?;
        if span.at >= entry.stated {
            return None;
        }
        if span.at >= there {
            return Some(name);
        }
        let rest = entry.data.get(span.at..).unwrap_or(&[]);
        let whole = match kind {
            FieldKind::Varchar | FieldKind::Varpath => rest.split_first_chunk::<2>().is_some_and(|(n, text)| {
                text.len() >= usize::from(u16::from_be_bytes(*n)).min(span.len.saturating_sub(2))
            }),
            // Blank to the last byte that is there: the text ended before the cut.
            _ => matches!(rest.last(), Some(0x40)),
        };
        // What is whole hides nothing, but a text after it may be lost altogether.
        if whole {
            self.text_spans.get(i + 1).filter(|(s, ..)| s.at < entry.stated).map(|(.., n)| n.as_str())
        } else {
            Some(name)
        }
    }
}
