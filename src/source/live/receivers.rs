//! The receivers of a journal, as the system lists them.
use super::{
    entry::timestamp,
    query::{Query, QueryError, Row, text},
    statements,
};
use crate::source::receiver_chain::{JournalPlace, between};

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its library.
    pub library: String,
    /// Its name.
    pub name: String,
    /// Number of its first entry; 0 where the system says none.
    pub first: u64,
    /// Number of its last entry, as far as the list knows.
    pub last: u64,
    /// When it was attached, as the system writes it: comparable as text.
    pub attached: String,
}

impl Receiver {
    /// A place in it.
    pub fn at(&self, sequence: u64) -> JournalPlace {
        JournalPlace { library: self.library.clone(), receiver: self.name.clone(), sequence }
    }

    /// Whether a place is in it.
    pub fn holds(&self, place: &JournalPlace) -> bool {
        self.name == place.receiver && self.library == place.library
    }
}

/// Reads the chain of a journal, oldest first.
pub async fn read(db: &mut impl Query, library: &str, journal: &str) -> Result<Vec<Receiver>, QueryError> {
    let rows = db.all(statements::CHAIN, &[library, journal]).await?;
    rows.iter().map(receiver).collect()
}

/// A receiver of a row of [`statements::CHAIN`].
pub fn receiver(row: &Row) -> Result<Receiver, QueryError> {
    let text = |n: usize| text(row, n);
    let number = |n: usize| match text(n).trim() {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| {
            QueryError::Lost(format!("expected the number of an entry of receiver {}, got {digits:?}", text(1)))
        }),
    };
    Ok(Receiver {
        library: text(0).to_owned(),
        name: text(1).to_owned(),
        first: number(2)?,
        last: number(3)?,
        attached: text(4).to_owned(),
    })
}

/// Which receiver is attached, by a row of [`statements::JOURNAL`]: library and name.
pub fn attached(row: &Row) -> (&str, &str) {
    (text(row, 0), text(row, 1))
}

/// What is missing between the last entry read and the receiver that follows; nothing is `None`. Numbers that go on, or begin
/// again, are normal; where they begin again the names of the receivers tell.
pub fn missing(read: &JournalPlace, next: &Receiver) -> Option<String> {
    let follows = read.sequence.checked_add(1) == Some(next.first);
    if follows {
        return None;
    }
    if next.first <= 1 {
        return between(read, &next.at(next.first));
    }
    let (from, to) = (read.sequence.saturating_add(1), next.first.saturating_sub(1));
    Some(if from <= to {
        format!("entries {from} to {to} between {read} and receiver {}/{} are missing", next.library, next.name)
    } else {
        format!(
            "receiver {}/{} begins with {}, which is neither 1 nor the number behind {read}: entries come again, or others are missing",
            next.library, next.name, next.first
        )
    })
}

/// Why a receiver is not the one that was read up to a place in it, though it goes by that name: it was deleted and made anew. `attached` is
/// when that one was attached.
pub fn replaced(r: &Receiver, read: &JournalPlace, attached: &str) -> Option<String> {
    let goes_on = format!("it goes on with {} of {}/{}", r.first, r.library, r.name);
    if !same_time(&r.attached, attached) {
        return Some(format!(
            "receiver {}/{} was attached at {}, and the one of that name that was read up to {} at {}: it was deleted and made anew, and what it held behind that place is missing; {goes_on}",
            r.library, r.name, r.attached, read.sequence, attached
        ));
    }
    let begins_later = read.sequence > 0 && r.first > 1 && read.sequence.saturating_add(1) < r.first;
    let missing = || {
        format!(
            "entries {} to {} are not in receiver {}/{} any more; {goes_on}",
            read.sequence + 1,
            r.first - 1,
            r.library,
            r.name
        )
    };
    begins_later.then(missing)
}

/// Whether two times of an attachment are the same one. The system may write it in another offset from UTC when its clock is set for
/// summer; where one is not known, nothing speaks against it.
fn same_time(a: &str, b: &str) -> bool {
    let time = |text: &str| {
        let text = timestamp(text);
        chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d-%H.%M.%S%.6f").ok()
    };
    let (Some(a), Some(b)) = (time(a), time(b)) else { return true };
    let quarter = 900 * 1_000_000;
    (a - b).num_microseconds().is_none_or(|apart| apart % quarter == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_go_on_or_begin_again_are_no_gap() {
        let next = |name: &str, first| Receiver {
            library: "QGPL".into(),
            name: name.into(),
            first,
            last: first,
            attached: String::new(),
        };
        let read = next("AUDRCV0041", 1).at(500);
        assert_eq!(missing(&read, &next("AUDRCV0042", 501)), None);
        // Names may be anything where the numbers go on.
        assert_eq!(missing(&read, &next("AUDRCV0077", 501)), None);
        assert_eq!(missing(&read, &next("AUDRCV0042", 1)), None);
        assert!(missing(&read, &next("AUDRCV0044", 1)).unwrap().contains("AUDRCV0042"));
        assert!(missing(&read, &next("AUDRCV0043", 700)).unwrap().starts_with("entries 501 to 699"));
        assert!(missing(&read, &next("AUDRCV0042", 300)).unwrap().contains("neither 1"));
    }
}
