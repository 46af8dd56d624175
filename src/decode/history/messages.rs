//! The messages that are known, from `formats/history/messages.toml`: titles, severities, and what their data holds where.
use serde::Deserialize;

use crate::decode::{ebcdic::ebcdic, journal::layout};

/// How sure a position is. Only a guess is kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// IBM, or a program in use, states it.
    Verified,
    /// Follows from a neighbour and the usual lengths.
    Expected,
    /// Not found anywhere.
    Guess,
}

/// What a value looks like; what does not is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A name, blank-padded.
    Name,
    /// Digits, all of them.
    Digits,
    /// hh:mm:ss.
    Time,
    /// Eight characters, six of them digits.
    Date,
    /// Binary, signed.
    Number,
    /// *DTS.
    Timestamp,
    /// What parses as an IP address.
    Address,
}

/// One value in the message data.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataField {
    /// The field of QH.toml that takes it; with `guess_` in front for a guess.
    pub name: String,
    /// 0-based offset in the message data.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// What it looks like.
    #[serde(rename = "type")]
    pub kind: ValueKind,
    /// How sure it is.
    pub confidence: Sure,
    /// What that rests on.
    #[serde(default)]
    pub source: String,
}

/// What can be found in a text in any language.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InText {
    /// NNNNNN/USER/NAME.
    Job,
    /// An IP address.
    Address,
}

/// One message.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownMessage {
    /// Message id.
    pub id: String,
    /// The title in lines.
    pub title: Option<String>,
    /// Its usual severity, 0 to 99.
    #[serde(default)]
    pub severity: u8,
    /// Whether it records a refusal or a failure.
    #[serde(default)]
    pub failure: bool,
    /// What is taken from the text.
    #[serde(default)]
    pub text: Vec<InText>,
    /// What is taken from the data.
    #[serde(default)]
    pub fields: Vec<DataField>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// All of `messages.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// Severity of the event by tens of that of the message.
    severity: [u8; 10],
    severity_unknown: u8,
    /// The messages.
    #[serde(rename = "message")]
    pub rows: Vec<KnownMessage>,
}

impl Messages {
    /// Reads the table. `has` says whether QH.toml has a field.
    pub fn parse(text: &str, has: &dyn Fn(&str) -> bool) -> Result<Messages, String> {
        let mut messages: Messages = layout::read(text)?;
        for row in &mut messages.rows {
            if !is_message_id(&row.id) {
                return Err(format!("id {:?}: expected a message id such as CPF1164", row.id));
            }
            row.bytes = ebcdic(&row.id).unwrap_or_default();
            for f in &row.fields {
                let name = f.field();
                if !has(&name) {
                    return Err(format!("{}: the field {name} is not in QH.toml", row.id));
                }
                if f.kind == ValueKind::Number && f.length > 4 || f.length == 0 || f.length > 255 {
                    return Err(format!("{}: {}: length {} is not 1 to 255 (numbers: 4)", row.id, f.name, f.length));
                }
            }
        }
        Ok(messages)
    }

    /// The row of an id in EBCDIC.
    pub fn row(&self, id: &[u8]) -> Option<&KnownMessage> {
        self.rows.iter().find(|r| r.bytes == id)
    }

    /// The severity of an event, 0 to 10, by that of its message.
    pub fn severity(&self, of_message: Option<i64>) -> u8 {
        let tens = of_message.and_then(|n| usize::try_from(n.div_euclid(10)).ok());
        tens.and_then(|n| self.severity.get(n)).copied().unwrap_or(self.severity_unknown)
    }
}

impl DataField {
    /// The field of QH.toml that takes it.
    pub fn field(&self) -> String {
        match self.confidence {
            Sure::Guess => format!("guess_{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// Whether this can be a message id: three letters or digits, the first a letter, and four hexadecimal digits.
pub fn is_message_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() == 7
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.by_ref().take(2).all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && bytes.all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::Catalog;

    #[test]
    fn the_shipped_table_is_whole_and_severities_go_up() {
        let catalog = Catalog::shipped().unwrap();
        let messages = catalog.messages();
        assert_eq!(messages.rows.len(), 28);
        assert!(messages.rows.iter().all(|r| r.bytes.len() == 7));
        let all: Vec<u8> = (0..100).map(|n| messages.severity(Some(n))).collect();
        assert!(all.is_sorted() && all[0] > 0 && all[99] <= 10);
        assert_eq!(messages.severity(Some(100)), messages.severity(None));
        assert_eq!(messages.severity(Some(-5)), messages.severity(None));
    }

    #[test]
    fn message_ids_are_told_from_entry_types() {
        for id in ["CPF1164", "CPF22E2", "CPIAD09", "TCP2617", "SQL0204"] {
            assert!(is_message_id(id), "{id}");
        }
        for id in ["PW", "PW-P", "cpf1164", "CPF116", "CPF11644", "CPF116G", "1PF1164", ""] {
            assert!(!is_message_id(id), "{id}");
        }
    }
}
