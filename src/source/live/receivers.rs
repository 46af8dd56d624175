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

/// The receiver that was attached before another one, by a row of [`statements::PREVIOUS`]: library and name. `None` where the system names none.
pub fn previous(row: &Row) -> Option<(String, String)> {
    let (library, name) = (text(row, 0), text(row, 1));
    (!name.is_empty() && !name.starts_with('*')).then(|| (library.to_owned(), name.to_owned()))
}

/// What is missing between the last entry read and the receiver that follows, which was attached behind `previous`; nothing is `None`.
/// Numbers that go on, or begin again, are normal behind the receiver that was read. Behind another one they say nothing: where numbers began
/// again in a receiver that is not there any more, the one behind it may begin with any number. Where nobody knows what was attached before,
/// numbers that go on are taken for normal, and where they begin again the names of the receivers tell.
pub fn missing(read: &JournalPlace, next: &Receiver, previous: Option<&(String, String)>) -> Option<String> {
    let goes_on = read.sequence.checked_add(1) == Some(next.first);
    let begins_again = next.first <= 1;
    if let Some((library, name)) = previous
        && (goes_on || begins_again)
    {
        let was_read = *name == read.receiver && (library.is_empty() || *library == read.library);
        return (!was_read).then(|| {
            let named = if begins_again { between(read, &next.at(next.first)) } else { None };
            named.unwrap_or_else(|| {
                format!(
                    "receiver {}/{} was attached behind {library}/{name}, and not behind {}/{}, which was read up to {}: what stood in receivers between is missing",
                    next.library, next.name, read.library, read.receiver, read.sequence
                )
            })
        });
    }
    if goes_on {
        return None;
    }
    if begins_again {
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

    /// A receiver with one entry of this number.
    fn next(name: &str, first: u64) -> Receiver {
        Receiver { library: "QGPL".into(), name: name.into(), first, last: first, attached: String::new() }
    }

    #[test]
    fn numbers_that_go_on_or_begin_again_are_no_gap() {
        let read = next("AUDRCV0041", 1).at(500);
        assert_eq!(missing(&read, &next("AUDRCV0042", 501), None), None);
        // Names may be anything where the numbers go on.
        assert_eq!(missing(&read, &next("AUDRCV0077", 501), None), None);
        assert_eq!(missing(&read, &next("AUDRCV0042", 1), None), None);
        assert!(missing(&read, &next("AUDRCV0044", 1), None).unwrap().contains("AUDRCV0042"));
        assert!(missing(&read, &next("AUDRCV0043", 700), None).unwrap().starts_with("entries 501 to 699"));
        assert!(missing(&read, &next("AUDRCV0042", 300), None).unwrap().contains("neither 1"));
    }

    #[test]
    fn n3_numbers_and_names_that_fit_say_nothing_behind_a_receiver_that_was_not_read() {
        let read = next("AUDRCV0041", 1).at(500);
        let behind = |name: &str| Some(("QGPL".to_owned(), name.to_owned()));
        for (name, first, previous, words) in [
            ("AUDRCV0042", 501, behind("AUDRCV0041"), None),
            ("AUDRCV0077", 1, behind("AUDRCV0041"), None),
            ("AUDRCV0042", 501, Some((String::new(), "AUDRCV0041".to_owned())), None),
            // In between the numbers began again, and came to the very number behind the place.
            ("AUDRCV0043", 501, behind("AUDRCV0042"), Some("attached behind QGPL/AUDRCV0042")),
            ("OTHER", 501, behind("ANOTHER"), Some("not behind QGPL/AUDRCV0041, which was read up to 500")),
            ("AUDRCV0042", 501, Some(("OTHERLIB".to_owned(), "AUDRCV0041".to_owned())), Some("OTHERLIB/AUDRCV0041")),
            ("OTHER", 1, behind("ANOTHER"), Some("attached behind QGPL/ANOTHER")),
            ("AUDRCV0044", 1, behind("AUDRCV0043"), Some("receivers AUDRCV0042, AUDRCV0043 are missing")),
            ("AUDRCV0043", 700, behind("AUDRCV0042"), Some("entries 501 to 699")),
        ] {
            let text = missing(&read, &next(name, first), previous.as_ref());
            assert_eq!(text.is_some(), words.is_some(), "{name}:{first} {text:?}");
            assert!(words.is_none_or(|w| text.as_deref().is_some_and(|t| t.contains(w))), "{name}:{first} {text:?}");
        }
    }

    #[test]
    fn a_system_may_name_no_receiver_before_another() {
        let row =
            |library: &str, name: Option<&str>| previous(&vec![Some(library.to_owned()), name.map(str::to_owned)]);
        assert_eq!(row("QGPL ", Some("AUDRCV0041")), Some(("QGPL".to_owned(), "AUDRCV0041".to_owned())));
        assert!([row("", None), row("", Some(" ")), row("*NONE", Some("*NONE"))].iter().all(Option::is_none));
    }
}
