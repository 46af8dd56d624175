//! Following a journal that rolls, begins again, loses receivers and lies about its list.
mod histories;
mod journal;

use std::collections::VecDeque;

use self::journal::{Got, Journal, System, look, tail, text};
use super::{
    journal_tail::JournalTail,
    news::From,
    query::{Answer, Row, Rows},
    request::Request,
    statements,
};

/// A journal with twenty entries that were read.
fn twenty_read() -> (Journal, JournalTail, Got) {
    let mut journal = Journal::new();
    journal.append(20, false);
    let mut reader = tail(From::Oldest, None, 50);
    let mut got = Got::default();
    for _ in 0..5 {
        look(&mut reader, &mut journal, &mut got).unwrap();
    }
    (journal, reader, got)
}

#[test]
fn n3_a_receiver_that_was_read_to_its_end_and_deleted_is_no_gap() {
    let (mut journal, reader, mut got) = twenty_read();
    let place = reader.place().cloned();
    let first = journal.next_number();
    journal.roll(first);
    journal.append(5, false);
    journal.receivers.remove(0);
    let mut reader = tail(From::Oldest, place, 50);
    for _ in 0..20 {
        look(&mut reader, &mut journal, &mut got).unwrap();
    }
    assert_eq!((got.ids.len(), got.gaps.len()), (25, 0), "{:?}", got.gaps);
}

#[test]
fn n3_a_receiver_that_was_deleted_unread_is_a_gap_though_the_next_begins_with_the_number_behind_the_place() {
    // Whether the receiver of the place is there still, and whether the system says what was attached before another.
    for (keeps_first, says, gaps) in [(true, true, 1), (false, true, 1), (true, false, 0), (false, false, 0)] {
        let (mut journal, mut reader, mut got) = twenty_read();
        // Numbers begin again, and come to where they were.
        journal.roll(1);
        journal.append(20, false);
        let first = journal.next_number();
        journal.roll(first);
        journal.append(5, false);
        journal.receivers.remove(1);
        if !keeps_first {
            journal.receivers.remove(0);
        }
        if !says {
            journal.previous.clear();
        }
        for _ in 0..30 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!((got.ids.len(), got.gaps.len()), (25, gaps), "{keeps_first} {says}: {:?}", got.gaps);
        assert!(got.gaps.iter().all(|g| g.contains("attached behind QGPL/AUDRCV0002")), "{:?}", got.gaps);
    }
}

#[test]
fn n3_a_receiver_that_was_entered_and_deleted_unread_is_a_gap_though_numbers_begin_again_behind_it() {
    let mut journal = Journal::new();
    let mut reader = tail(From::Oldest, None, 50);
    let mut got = Got::default();
    // The place is before its first entry.
    look(&mut reader, &mut journal, &mut got).unwrap();
    journal.append(20, false);
    journal.roll(1);
    journal.append(5, false);
    journal.receivers.remove(0);
    for _ in 0..20 {
        look(&mut reader, &mut journal, &mut got).unwrap();
    }
    assert_eq!((got.ids.len(), got.gaps.len()), (5, 1), "{:?}", got.gaps);
    assert!(
        got.gaps[0].contains("AUDRCV0001 is not there any more: what it held behind 0 is missing"),
        "{:?}",
        got.gaps
    );
}

#[test]
fn h10_a_receiver_that_was_made_anew_under_its_name_is_a_gap_and_is_read_from_its_start() {
    // As many entries as were read, fewer, and more.
    for entries in [100, 20, 5, 0] {
        let (_, mut reader, mut got) = twenty_read();
        let mut journal = Journal::new();
        journal.append(entries, false);
        // The clock was set for summer, and the system writes the time otherwise: it is the same one.
        let mut shifted = journal.list();
        shifted[0].attached = "2026-07-20-14.00.01.000000".into();
        shifted[0].last = 20;
        journal.stale.extend(std::iter::repeat_n(shifted, 10));
        for _ in 0..10 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!((got.ids.len(), got.gaps.len()), (20, 0), "{:?}", got.gaps);
        journal.receivers[0].0.attached = "2026-07-21-09.12.13.456789".into();
        for _ in 0..20 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!((got.ids.len(), got.gaps.len()), (20 + entries as usize, 1), "{entries} {:?}", got.gaps);
        assert!(got.gaps[0].contains("it was deleted and made anew"), "{:?}", got.gaps);
        assert!(got.ids[20..].iter().map(|(_, n)| *n).eq(1..=entries), "{:?}", got.ids);
        // And from a place that was kept.
        let place = reader.place().cloned();
        let mut reader = tail(From::Oldest, place, 50);
        journal.append(3, false);
        for _ in 0..5 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!((got.ids.len(), got.gaps.len()), (23 + entries as usize, 1));
    }
}

#[test]
fn h10_entries_that_are_gone_from_the_front_of_a_receiver_are_a_gap() {
    let mut journal = Journal::new();
    journal.append(40, false);
    let mut reader = tail(From::Entry("AUDRCV0001".into(), 5), None, 50);
    let mut got = Got::default();
    look(&mut reader, &mut journal, &mut got).unwrap();
    journal.receivers[0].0.first = 11;
    journal.receivers[0].1.retain(|n| *n > 10);
    for _ in 0..20 {
        look(&mut reader, &mut journal, &mut got).unwrap();
    }
    assert!(got.ids.iter().map(|(_, n)| *n).eq(11..=40), "{:?}", got.ids);
    assert!(got.gaps.len() == 1 && got.gaps[0].contains("entries 5 to 10 are not in receiver"), "{:?}", got.gaps);
}

/// A journal whose entries have so many bytes of data, and what its answers held.
struct Sized {
    journal: Journal,
    data: usize,
    rows: VecDeque<Row>,
    answers: Vec<Rows>,
}

impl Sized {
    fn some(&mut self, at_most: usize) -> Rows {
        let rows: Vec<Row> = self.rows.drain(..at_most.min(self.rows.len())).collect();
        let found = Rows { rows, rest: (!self.rows.is_empty()).then(|| "the rest".to_owned()) };
        self.answers.push(found.clone());
        found
    }
}

impl System for Sized {
    fn answer(&mut self, request: &Request) -> Answer {
        let (sql, parameters, at_most) = match request {
            Request::Start { sql, parameters, rows } => (sql.clone(), parameters.clone(), *rows),
            Request::More { rows, .. } => return Ok(self.some(*rows)),
            _ => return self.journal.answer(request),
        };
        self.journal.most_rows = usize::MAX;
        let found = self.journal.answer(&Request::Start { sql, parameters, rows: usize::MAX })?;
        let data = self.data;
        self.rows = found.rows.into_iter().collect();
        for row in &mut self.rows {
            row.splice(14.., [text(data), text("40".repeat(data))]);
        }
        Ok(self.some(at_most))
    }
}

#[test]
fn c6_an_answer_has_as_many_rows_as_fit_into_four_mebibytes() {
    for (data, most_rows) in [(2, 1_000), (statements::DATA, 200)] {
        let mut journal = Journal::new();
        journal.append(3_000, false);
        let mut db = Sized { journal, data, rows: VecDeque::new(), answers: Vec::new() };
        let mut reader = tail(From::Oldest, None, 5_000);
        let mut got = Got::default();
        for _ in 0..5 {
            look(&mut reader, &mut db, &mut got).unwrap();
        }
        let numbers: Vec<u64> = got.ids.iter().map(|(_, n)| *n).collect();
        assert_eq!(numbers, (1..=3_000).collect::<Vec<u64>>(), "{data}");
        let (rows, bytes) =
            db.answers.iter().map(|a| (a.rows.len(), a.size())).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).unwrap();
        assert!(rows <= most_rows && rows * 4 > most_rows, "{data}: {rows}");
        assert!(bytes <= 4 << 20, "{data}: {bytes} bytes");
    }
}

/// A system that gives the data of its entries in pieces, the last of them shorter than was stated where `lacks` says so.
struct InPieces {
    journal: Journal,
    stated: usize,
    lacks: usize,
    /// Where each piece began.
    asked: Vec<usize>,
}

impl System for InPieces {
    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Start { .. } => {
                let mut found = self.journal.answer(request)?;
                for row in &mut found.rows {
                    row.splice(14.., [text(self.stated), text("40".repeat(self.stated.min(statements::DATA)))]);
                }
                Ok(found)
            }
            Request::All { parameters, .. } if parameters.len() == 10 => {
                let at: usize = parameters[0].parse().unwrap();
                assert_eq!(parameters[5], parameters[9], "one entry");
                self.asked.push(at);
                let left = (self.stated - self.lacks).saturating_sub(at - 1);
                Ok(Rows { rows: vec![vec![text("40".repeat(left.min(statements::DATA)))]], rest: None })
            }
            _ => self.journal.answer(request),
        }
    }
}

#[test]
fn data_that_does_not_come_with_its_entry_is_asked_for_until_it_is_all_there_or_no_more_comes() {
    let first = statements::DATA;
    for (stated, lacks, asked) in [
        (2, 0, vec![]),
        (first, 0, vec![]),
        (first + 1, 0, vec![first + 1]),
        (3 * first, 0, vec![first + 1, 2 * first + 1]),
        (3 * first, first, vec![first + 1, 2 * first + 1]),
        // No more than a record holds.
        (1 << 20, 0, vec![first + 1, 2 * first + 1, 3 * first + 1, 4 * first + 1]),
    ] {
        let mut journal = Journal::new();
        journal.append(3, false);
        let mut db = InPieces { journal, stated, lacks, asked: Vec::new() };
        let (mut reader, mut got) = (tail(From::Oldest, None, 50), Got::default());
        for _ in 0..3 {
            look(&mut reader, &mut db, &mut got).unwrap();
        }
        assert_eq!(got.ids.len(), 3, "{stated}");
        assert_eq!(db.asked, asked.repeat(3), "{stated}");
    }
}
