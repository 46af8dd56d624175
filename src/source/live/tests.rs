//! Following a journal that rolls, begins again, loses receivers and lies about its list, with hundreds of random histories.
use std::collections::VecDeque;

use super::{
    entry::Reader,
    journal_tail::{JournalTail, TailOptions},
    news::{From, Poll, TailPlace, Update},
    query::{Query, QueryError, Row, Rows},
    receivers::Receiver,
    statements::{self, Columns},
};
use crate::decode::{
    ebcdic::Charset,
    journal::{Catalog, HeadingKind, compose::Composer},
};

/// A journal in memory that answers the statements.
#[derive(Default)]
struct Journal {
    /// Receivers with the numbers of their entries that are asked for.
    receivers: Vec<(Receiver, Vec<u64>)>,
    made: u64,
    /// The next lists are these.
    stale: VecDeque<Vec<Receiver>>,
    /// The next statements that fail.
    fails: VecDeque<QueryError>,
}

impl Journal {
    fn new() -> Journal {
        let mut journal = Journal::default();
        journal.roll(1);
        journal
    }

    fn roll(&mut self, first: u64) {
        self.made += 1;
        let name = format!("AUDRCV{:04}", self.made);
        let attached = format!("2026-07-20-13.{:02}.{:02}.000000", self.made / 60, self.made % 60);
        let receiver = Receiver { library: "QGPL".into(), name, first, last: first.saturating_sub(1), attached };
        self.receivers.push((receiver, Vec::new()));
    }

    /// Numbers go up, and some of them are of entries that are not asked for.
    fn append(&mut self, count: u64, hidden: bool) {
        let (receiver, numbers) = self.receivers.last_mut().unwrap();
        for n in 0..count {
            receiver.last += 1;
            if !(hidden && n % 3 == 0) {
                numbers.push(receiver.last);
            }
        }
    }

    fn next_number(&self) -> u64 {
        self.receivers.last().unwrap().0.last + 1
    }

    fn list(&self) -> Vec<Receiver> {
        self.receivers.iter().map(|(r, _)| r.clone()).collect()
    }
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn sql(message: &str) -> QueryError {
    QueryError::Sql { message: message.to_owned(), state: "38501".to_owned(), code: -443 }
}

impl Query for Journal {
    fn start(&mut self, statement: &str, parameters: &[&str], _: usize) -> Result<Rows, QueryError> {
        if let Some(e) = self.fails.pop_front() {
            return Err(e);
        }
        let rows: Vec<Row> = match statement {
            statements::CHAIN => {
                let list = self.stale.pop_front().unwrap_or_else(|| self.list());
                let row = |r: &Receiver| {
                    vec![
                        text(&r.library),
                        text(&r.name),
                        text(r.first),
                        text(r.last),
                        text(&r.attached),
                        text("ONLINE"),
                    ]
                };
                list.iter().map(row).collect()
            }
            statements::JOURNAL => {
                let r = &self.receivers.last().unwrap().0;
                vec![vec![text(&r.library), text(&r.name), text("1"), text("*NO")]]
            }
            _ => {
                let (name, from, to) =
                    (parameters[3], parameters[4].parse::<u64>().unwrap(), parameters[8].parse::<u64>().unwrap());
                let Some((r, numbers)) = self.receivers.iter().find(|(r, _)| r.name == name) else {
                    return Err(sql("[CPF9801] Object not found."));
                };
                assert!(from <= to, "an inverted range: {from} to {to}");
                assert!(from >= r.first && to <= r.last, "{from} to {to} is not in {r:?}");
                let found: Vec<u64> = numbers.iter().copied().filter(|n| (from..=to).contains(n)).collect();
                if found.is_empty() {
                    return Err(sql("[CPF7062] No entries converted or received from journal."));
                }
                let row = |n: &u64| {
                    let mut row: Row = vec![text(n), text("2026-07-20-13.03.14.123456"), text("T"), text("PW")];
                    row.resize(12, text("X"));
                    row.extend([text(&r.library), text(&r.name), text(2), text("D740")]);
                    row
                };
                found.iter().map(row).collect()
            }
        };
        Ok(Rows { rows, rest: None })
    }

    fn more(&mut self, _: &str, _: usize) -> Result<Rows, QueryError> {
        unreachable!("all rows come at once")
    }

    fn close(&mut self, _: &str) -> Result<(), QueryError> {
        Ok(())
    }
}

fn tail(from: From, place: Option<TailPlace>, page: u64) -> JournalTail {
    let heading = Catalog::shipped().unwrap().heading(HeadingKind::Type5).unwrap().clone();
    let columns = Columns { user_name: true, remote: false };
    let reader = Reader::new(Composer::new(heading), Charset::ebcdic(37).unwrap(), columns);
    let options =
        TailOptions { library: "QSYS".into(), journal: "QAUDJRN".into(), from, codes: "T,J".into(), page, rows: 1_000 };
    JournalTail::new(options, columns, reader, place)
}

/// What a reader got: ids in order, and the gaps.
#[derive(Default)]
struct Got {
    ids: Vec<(String, u64)>,
    gaps: Vec<String>,
}

fn look(tail: &mut JournalTail, journal: &mut Journal, got: &mut Got) -> Result<Poll, QueryError> {
    tail.look(journal, &mut |news| {
        match news {
            Update::Records(_, numbers, place) => {
                got.ids.extend(numbers.into_iter().map(|n| (place.at.receiver.clone(), n)));
            }
            Update::Missing(gap, _) => got.gaps.push(gap.text),
            Update::Moved(_) | Update::Began(_) | Update::Offset(_) | Update::Say(_) | Update::History(..) => {}
        }
        true
    })
}

/// How many: thousands with QAUDJRN_LONG=1.
fn histories() -> u64 {
    if std::env::var("QAUDJRN_LONG").is_ok() { 3_000 } else { 300 }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn upto(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn n3_in_random_histories_every_entry_comes_once_in_order_and_nothing_is_called_missing() {
    for seed in 0..histories() {
        let mut dice = Dice(seed);
        let mut journal = Journal::new();
        let mut reader = tail(From::Oldest, None, 1 + dice.upto(40));
        let (mut got, mut want) = (Got::default(), Vec::new());
        for _ in 0..60 {
            match dice.upto(12) {
                0..=4 => {
                    let count = 1 + dice.upto(30);
                    journal.append(count, dice.upto(3) == 0);
                }
                5 | 6 => {
                    // Just after a roll the list may lack the newest receiver, or have an old last number, for a look or two.
                    let mut before = journal.list();
                    let first = if dice.upto(3) == 0 { 1 } else { journal.next_number() };
                    if dice.upto(2) == 0 {
                        let newest = before.last_mut().unwrap();
                        newest.last = newest.last.saturating_sub(dice.upto(4)).max(newest.first.saturating_sub(1));
                    }
                    journal.roll(first);
                    if dice.upto(2) == 0 {
                        // The newest is there, and the one before has its old number.
                        before.push(journal.list().pop().unwrap());
                    }
                    for _ in 0..dice.upto(2) {
                        journal.stale.push_back(before.clone());
                    }
                }
                7 => journal.fails.push_back(QueryError::Lost("the server has closed".into())),
                8 => journal.fails.push_back(sql("[CPF7062] nothing")),
                9 => {
                    // Another connection, or another agent, goes on from the place.
                    let place = reader.place().cloned();
                    reader = tail(From::Oldest, place, 1 + dice.upto(40));
                }
                _ => {}
            }
            let _ = look(&mut reader, &mut journal, &mut got);
        }
        for _ in 0..4_000 {
            let at_end = reader.place().is_some_and(|p| {
                journal
                    .receivers
                    .last()
                    .is_some_and(|(r, n)| r.holds(&p.at) && n.last().is_none_or(|last| p.at.sequence >= *last))
            });
            if at_end && journal.fails.is_empty() {
                break;
            }
            let _ = look(&mut reader, &mut journal, &mut got);
        }
        for (r, numbers) in &journal.receivers {
            want.extend(numbers.iter().map(|n| (r.name.clone(), *n)));
        }
        assert_eq!(got.gaps, Vec::<String>::new(), "seed {seed}");
        assert_eq!(got.ids.len(), want.len(), "seed {seed}");
        assert_eq!(got.ids, want, "seed {seed}");
    }
}

#[test]
fn n3_receivers_that_are_deleted_unread_are_one_gap_each_time_and_reading_never_goes_back() {
    for seed in 0..histories() / 3 {
        let mut dice = Dice(seed);
        let mut journal = Journal::new();
        let mut reader = tail(From::Oldest, None, 50);
        let mut got = Got::default();
        journal.append(20, false);
        for _ in 0..5 {
            look(&mut reader, &mut journal, &mut got).unwrap();
        }
        assert_eq!(got.ids.len(), 20);
        // Some more that nobody reads, and all but the newest are deleted, or only those between.
        journal.append(dice.upto(2) * 5, false);
        let unread = journal.receivers[0].1.len() > 20;
        for _ in 0..=dice.upto(3) {
            let first = journal.next_number();
            journal.roll(first);
            journal.append(1 + dice.upto(9), false);
        }
        let first = journal.next_number();
        journal.roll(first);
        journal.append(5, false);
        let newest = journal.receivers.len() - 1;
        let keep_first = dice.upto(2) == 0;
        journal.receivers = journal
            .receivers
            .drain(..)
            .enumerate()
            .filter(|(i, _)| *i == newest || keep_first && *i == 0)
            .map(|(_, r)| r)
            .collect();
        for _ in 0..60 {
            let _ = look(&mut reader, &mut journal, &mut got);
        }
        assert_eq!(got.gaps.len(), 1, "seed {seed}: {:?}", got.gaps);
        let of_first = if keep_first && unread { 25 } else { 20 };
        assert_eq!(got.ids.len(), of_first + 5, "seed {seed}");
        assert!(got.ids.windows(2).all(|w| w[0] < w[1]), "seed {seed}");
    }
}

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
    fn answer(&mut self, at_most: usize) -> Rows {
        let rows: Vec<Row> = self.rows.drain(..at_most.min(self.rows.len())).collect();
        let found = Rows { rows, rest: (!self.rows.is_empty()).then(|| "the rest".to_owned()) };
        self.answers.push(found.clone());
        found
    }
}

impl Query for Sized {
    fn start(&mut self, statement: &str, parameters: &[&str], at_most: usize) -> Result<Rows, QueryError> {
        let found = self.journal.start(statement, parameters, at_most)?;
        if matches!(statement, statements::CHAIN | statements::JOURNAL) {
            return Ok(found);
        }
        let data = self.data;
        self.rows = found.rows.into_iter().collect();
        for row in &mut self.rows {
            row.splice(14.., [text(data), text("40".repeat(data))]);
        }
        Ok(self.answer(at_most))
    }

    fn more(&mut self, _: &str, at_most: usize) -> Result<Rows, QueryError> {
        Ok(self.answer(at_most))
    }

    fn close(&mut self, _: &str) -> Result<(), QueryError> {
        Ok(())
    }
}

#[test]
fn c6_an_answer_has_as_many_rows_as_fit_into_four_mebibytes() {
    for (data, most_rows) in [(2, 1_000), (statements::DATA, 200)] {
        let mut journal = Journal::new();
        journal.append(3_000, false);
        let mut db = Sized { journal, data, rows: VecDeque::new(), answers: Vec::new() };
        let mut reader = tail(From::Oldest, None, 5_000);
        let mut numbers = Vec::new();
        for _ in 0..5 {
            let mut sink = |news| {
                if let Update::Records(_, some, _) = news {
                    numbers.extend(some);
                }
                true
            };
            reader.look(&mut db, &mut sink).unwrap();
        }
        assert_eq!(numbers, (1..=3_000).collect::<Vec<u64>>(), "{data}");
        let (rows, bytes) =
            db.answers.iter().map(|a| (a.rows.len(), a.size())).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).unwrap();
        assert!(rows <= most_rows && rows * 4 > most_rows, "{data}: {rows}");
        assert!(bytes <= 4 << 20, "{data}: {bytes} bytes");
    }
}
