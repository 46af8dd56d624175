//! A system in memory that answers what readers ask, and readers of it.
use std::collections::{BTreeMap, VecDeque};

use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Catalog, HeadingKind, compose::Composer},
    },
    source::live::{
        entry::Reader,
        journal_tail::{JournalTail, TailOptions},
        news::{From, Poll, TailPlace, Update},
        query::{Answer, QueryError, Row, Rows},
        receivers::Receiver,
        request::{Next, Request, Tail},
        statements::{self, Columns},
    },
};

/// What answers.
pub trait System {
    fn answer(&mut self, request: &Request) -> Answer;
}

/// A journal in memory that answers the statements.
#[derive(Default)]
pub struct Journal {
    /// Receivers with the numbers of their entries that are asked for.
    pub receivers: Vec<(Receiver, Vec<u64>)>,
    made: u64,
    /// Which receiver was attached before another, by its name; a system that cannot say it has forgotten it.
    pub previous: BTreeMap<String, String>,
    /// The next lists are these.
    pub stale: VecDeque<Vec<Receiver>>,
    /// The next statements that fail.
    pub fails: VecDeque<QueryError>,
    /// Rows of an answer at most, and those of the last one that were not asked for yet.
    pub most_rows: usize,
    rest: Vec<Row>,
}

impl Journal {
    pub fn new() -> Journal {
        let mut journal = Journal { most_rows: 1_000, ..Journal::default() };
        journal.roll(1);
        journal
    }

    pub fn roll(&mut self, first: u64) {
        self.made += 1;
        let name = format!("AUDRCV{:04}", self.made);
        let attached = format!("2026-07-20-13.{:02}.{:02}.000000", self.made / 60, self.made % 60);
        if let Some((before, _)) = self.receivers.last() {
            self.previous.insert(name.clone(), before.name.clone());
        }
        let receiver = Receiver { library: "QGPL".into(), name, first, last: first.saturating_sub(1), attached };
        self.receivers.push((receiver, Vec::new()));
    }

    /// Numbers go up, and some of them are of entries that are not asked for.
    pub fn append(&mut self, count: u64, hidden: bool) {
        let (receiver, numbers) = self.receivers.last_mut().unwrap();
        for n in 0..count {
            receiver.last += 1;
            if !(hidden && n % 3 == 0) {
                numbers.push(receiver.last);
            }
        }
    }

    pub fn next_number(&self) -> u64 {
        self.receivers.last().unwrap().0.last + 1
    }

    pub fn list(&self) -> Vec<Receiver> {
        self.receivers.iter().map(|(r, _)| r.clone()).collect()
    }
}

pub fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

pub fn sql(message: &str) -> QueryError {
    QueryError::Sql { message: message.to_owned(), state: "38501".to_owned(), code: -443 }
}

impl System for Journal {
    fn answer(&mut self, request: &Request) -> Answer {
        if let Some(e) = self.fails.pop_front() {
            return Err(e);
        }
        match request {
            Request::All { sql, .. } if sql == statements::CHAIN => {
                let list = self.stale.pop_front().unwrap_or_else(|| self.list());
                let row = |r: &Receiver| {
                    let (first, last) = (text(r.first), text(r.last));
                    vec![text(&r.library), text(&r.name), first, last, text(&r.attached), text("ONLINE")]
                };
                Ok(Rows { rows: list.iter().map(row).collect(), rest: None })
            }
            Request::All { sql, .. } if sql == statements::JOURNAL => {
                let r = &self.receivers.last().unwrap().0;
                Ok(Rows { rows: vec![vec![text(&r.library), text(&r.name), text("1"), text("*NO")]], rest: None })
            }
            Request::All { sql: statement, parameters } if statement == statements::PREVIOUS => {
                // As a system without these columns answers, where nothing is known.
                if self.previous.is_empty() {
                    return Err(sql("[SQL0206] Column or global variable PREVIOUS_JOURNAL_RECEIVER not found."));
                }
                let row = self.previous.get(&parameters[1]).map(|name| vec![text("QGPL"), text(name)]);
                Ok(Rows { rows: row.into_iter().collect(), rest: None })
            }
            Request::Start { parameters, rows, .. } => {
                self.rest = self.entries(parameters)?;
                Ok(self.some(*rows))
            }
            Request::More { rest, rows } => {
                assert_eq!(rest, "the rest");
                Ok(self.some(*rows))
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Journal {
    /// The next of the rows that were found.
    fn some(&mut self, at_most: usize) -> Rows {
        let rows = self.rest.drain(..at_most.min(self.most_rows).min(self.rest.len())).collect();
        Rows { rows, rest: (!self.rest.is_empty()).then(|| "the rest".to_owned()) }
    }

    fn entries(&self, parameters: &[String]) -> Result<Vec<Row>, QueryError> {
        let (name, from, to) = (&parameters[3], number(&parameters[4]), number(&parameters[8]));
        let Some((r, numbers)) = self.receivers.iter().find(|(r, _)| r.name == *name) else {
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
        Ok(found.iter().map(row).collect())
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

pub fn tail(from: From, place: Option<TailPlace>, page: u64) -> JournalTail {
    let heading = Catalog::shipped().unwrap().heading(HeadingKind::Type5).unwrap().clone();
    let columns = Columns { user_name: true, remote: false };
    let reader = Reader::new(Composer::new(heading), Charset::ebcdic(37).unwrap(), columns);
    let options =
        TailOptions { library: "QSYS".into(), journal: "QAUDJRN".into(), from, codes: "T,J".into(), page, rows: 1_000 };
    JournalTail::new(options, columns, reader, place)
}

/// What a reader got: ids in order, and the gaps.
#[derive(Default)]
pub struct Got {
    pub ids: Vec<(String, u64)>,
    pub gaps: Vec<String>,
}

/// Looks once.
pub fn look(tail: &mut JournalTail, system: &mut impl System, got: &mut Got) -> Result<Poll, QueryError> {
    let mut request = tail.begin()?;
    loop {
        let mut news = Vec::new();
        let next = tail.answered(system.answer(&request), &mut news);
        got.take(news);
        request = match next? {
            Next::Ask(request) => request,
            Next::Done(seen) => return Ok(seen),
        };
    }
}

impl Got {
    pub fn take(&mut self, news: Vec<Update>) {
        for update in news {
            match update {
                Update::Records(_, numbers, place) => {
                    self.ids.extend(numbers.into_iter().map(|n| (place.at.receiver.clone(), n)));
                }
                Update::Missing(gap, _) => self.gaps.push(gap.text),
                Update::Moved(_) | Update::Began(_) | Update::Offset(_) | Update::Say(_) | Update::History(..) => {}
            }
        }
    }
}
