//! What the lines of a batch depend on, beside its heading and its CCSID, as it was when the batch was read. A batch says it
//! itself: what the configuration says later, and what is learned later, changes nothing of what was read before.
use serde::{Deserialize, Serialize};

use crate::{
    digest::hex,
    encode::HeadingDefaults,
    event::DateFormat,
    filter::{names::Key, protect::Learned},
};

/// What the lines of a batch depend on.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Basis {
    /// The system where the heading does not say it, in hexadecimal of the CCSID of the jobs; so are the next two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    system: String,
    /// The receiver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    receiver: String,
    /// The library of the receiver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    receiver_library: String,
    /// How the older headings write dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateFormat>,
    /// SHA-256 of the tables that the records were read with.
    #[serde(default)]
    pub tables: String,
    /// What the severity of changes to auditing was raised to when they were read.
    #[serde(default)]
    pub audit_floor: u8,
    /// The profiles that were known to be privileged when the batch began, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learned: Vec<String>,
    /// Those that were found to be so within it, each with the number of the event from which on that holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learned_later: Vec<(u32, String)>,
}

impl Basis {
    /// With what a source says of all its entries.
    pub fn new(given: &HeadingDefaults, dates: Option<DateFormat>, tables: &str, audit_floor: u8) -> Basis {
        Basis {
            system: hex(&given.system),
            receiver: hex(&given.receiver),
            receiver_library: hex(&given.receiver_library),
            dates,
            tables: tables.to_owned(),
            audit_floor,
            ..Basis::default()
        }
    }

    /// Adds what was learned: `known` profiles before the batch began, the others from these events on.
    pub fn learn(&mut self, learned: &Learned, known: usize, later: &[u32]) {
        let mut all = learned.in_order().iter().map(|k| hex(&k.bytes()));
        self.learned = all.by_ref().take(known).collect();
        self.learned_later = later.iter().copied().zip(all).collect();
    }

    /// What headings do not hold.
    pub fn given(&self) -> HeadingDefaults {
        let bytes = |text: &str| unhex(text).unwrap_or_default();
        HeadingDefaults {
            system: bytes(&self.system),
            receiver: bytes(&self.receiver),
            receiver_library: bytes(&self.receiver_library),
        }
    }

    /// The profiles that were known to be privileged when the batch began.
    pub fn learned(&self) -> Learned {
        self.learned.iter().filter_map(|text| key(text)).collect()
    }

    /// The profiles that were found to be so within the batch, in order: from which event on, and which.
    pub fn learned_later(&self) -> impl Iterator<Item = (usize, Key)> {
        self.learned_later.iter().filter_map(|(from, text)| Some((usize::try_from(*from).ok()?, key(text)?)))
    }
}

/// A name in hexadecimal.
pub fn key(text: &str) -> Option<Key> {
    Key::of(&unhex(text)?)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a10_what_a_batch_depends_on_is_kept_and_an_older_batch_has_none_of_it() {
        let given = HeadingDefaults { system: vec![0xE2, 0xF1], receiver: vec![0xD9], receiver_library: Vec::new() };
        let mut basis = Basis::new(&given, Some(DateFormat::Dmy), "abc", 9);
        let names: Vec<Key> = [0xC1, 0xC2, 0xC3].iter().filter_map(|b| Key::of(&[*b])).collect();
        let learned: Learned = names.iter().copied().collect();
        basis.learn(&learned, 1, &[4, 7]);
        let text = serde_json::to_string(&basis).unwrap();
        let read: Basis = serde_json::from_str(&text).unwrap();
        assert_eq!(read, basis);
        let again = read.given();
        assert_eq!((again.system, again.receiver, read.dates), (given.system, given.receiver, Some(DateFormat::Dmy)));
        assert_eq!(read.learned().in_order(), &names[..1]);
        assert_eq!(read.learned_later().collect::<Vec<_>>(), [(4, names[1]), (7, names[2])]);
        let old: super::super::BatchHeader = serde_json::from_str(
            "{\"source\":\"s\",\"heading\":\"type1\",\"ccsid\":37,\"zone\":\"UTC\",\"system\":\"\",\"receiver\":\"\",\"first_sequence\":1,\"last_sequence\":1,\"read\":1,\"parked\":0,\"filtered\":{}}",
        )
        .unwrap();
        assert_eq!(old.basis, None);
    }
}
