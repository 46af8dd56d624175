//! Following a journal through its receivers by queries: what is read next, when a receiver is left for the next one, and what
//! counts as missing.
//!
//! The traps are those that readers fell into (design notes of Debezium's connector and its forks): the list of receivers is
//! stale just after a roll, with the newest receiver missing or an old last number; a range that is empty or inverted is not a
//! pruned receiver; and a reader that once believes so rewinds by millions of entries. So: nothing is ever read before the place,
//! a receiver is left only when its last number stayed the same from one look to the next, and something counts as missing only
//! after five looks said so.
use super::{
    entry::Reader,
    news::{From, Poll, TailPlace, Update},
    query::{Endless, Query, QueryError},
    receivers::{self, Receiver},
    statements::{self, Columns, DATA},
};
use crate::source::{
    chain::{Gap, JournalPlace},
    frame,
};

/// Looks that must agree before something counts as missing.
const CONFIRMATIONS: u32 = 5;
/// Bytes of an answer, by those of the answer before; and rows that are asked for while nothing is known of their bytes. Entries
/// may be 200 bytes or 30,000, twice that in hexadecimal.
const ANSWER: usize = 4 << 20;
const FEW_ROWS: usize = 100;
/// Bytes of data of an entry that are asked for: a record holds no more.
const MOST_DATA: usize = 65_535;

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Library of the journal.
    pub library: String,
    /// The journal.
    pub journal: String,
    /// Where it begins.
    pub from: From,
    /// Journal codes that are asked for, with commas.
    pub codes: String,
    /// Numbers asked for at a time.
    pub page: u64,
    /// Rows of one answer.
    pub rows: usize,
}

/// Takes news; `false` where nobody wants them any more.
pub type Sink<'a> = dyn FnMut(Update) -> bool + 'a;

/// Follows one journal.
pub struct JournalTail {
    options: TailOptions,
    page: String,
    rest: String,
    reader: Reader,
    place: Option<TailPlace>,
    /// The receiver that is to be left, and its last number, as the look before saw them.
    leaving: Option<(String, u64)>,
    doubts: u32,
    said: Option<String>,
    /// Rows that are asked for at a time, so that an answer is no longer than it may be.
    rows: usize,
}

impl JournalTail {
    /// Goes on from a place.
    pub fn new(options: TailOptions, columns: Columns, reader: Reader, place: Option<TailPlace>) -> JournalTail {
        JournalTail {
            page: statements::page(columns),
            rest: statements::rest(),
            options,
            reader,
            place,
            leaving: None,
            doubts: 0,
            said: None,
            rows: FEW_ROWS,
        }
    }

    /// Why nothing is read though the system answers; it was said.
    pub fn trouble(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// Where it is.
    pub fn place(&self) -> Option<&TailPlace> {
        self.place.as_ref()
    }

    /// Looks once, and reads a page at most.
    pub fn look(&mut self, db: &mut dyn Query, sink: &mut Sink<'_>) -> Result<Poll, QueryError> {
        let chain = receivers::read(db, &self.options.library, &self.options.journal)?;
        if chain.is_empty() {
            self.say_once(sink, format!(
                "{}/{} has no receivers that this user can see: is auditing set up (CRTJRN, CHGSECAUD), and has the user *USE on the journal?",
                self.options.library, self.options.journal
            ));
            return Ok(Poll::CaughtUp);
        }
        let Some(place) = self.place.clone() else {
            let place = self.initial_position(db, &chain, sink)?;
            self.move_to(sink, place);
            return Ok(Poll::Behind);
        };
        match chain.iter().position(|r| r.holds(&place.at)) {
            Some(i) => self.read_from(db, &chain, i, place, sink),
            None => self.receiver_missing(db, &chain, &place, sink),
        }
    }

    /// The first place.
    fn initial_position(
        &mut self,
        db: &mut dyn Query,
        chain: &[Receiver],
        sink: &mut Sink<'_>,
    ) -> Result<TailPlace, QueryError> {
        let (oldest, newest) = (&chain[0], &chain[chain.len() - 1]);
        let before = |r: &Receiver, sequence: u64| TailPlace { at: r.at(sequence), attached: r.attached.clone() };
        let text = match self.options.from.clone() {
            From::Now => return Ok(before(newest, newest.last)),
            From::Oldest => return Ok(before(oldest, oldest.first.saturating_sub(1))),
            From::Entry(receiver, sequence) => match chain.iter().find(|r| r.name == receiver) {
                Some(r) => return Ok(before(r, sequence.saturating_sub(1))),
                None => format!("from = \"{receiver}:{sequence}\": there is no such receiver"),
            },
            From::Time(time) => {
                let comparable = |text: &str| super::entry::timestamp(text);
                // The last one that was attached by then; earlier ones hold only older entries.
                let found = chain.iter().rposition(|r| comparable(&r.attached) <= comparable(&time)).unwrap_or(0);
                for r in chain.iter().skip(found) {
                    let o = &self.options;
                    let parameters =
                        [&o.library, &o.journal, &r.library, &r.name, &time, &o.codes, &r.library, &r.name];
                    match db.all(statements::AT_TIME, &parameters.map(String::as_str)) {
                        Ok(rows) => {
                            let first = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
                            if let Some(first) = first.and_then(|n| n.trim().parse::<u64>().ok()) {
                                return Ok(before(r, first.saturating_sub(1)));
                            }
                        }
                        Err(e) if is_empty(&e) => {}
                        Err(e) => return Err(e),
                    }
                }
                return Ok(before(newest, newest.last));
            }
        };
        sink(Update::Say(format!("{text}: it begins with the oldest entry that is there")));
        Ok(before(oldest, oldest.first.saturating_sub(1)))
    }

    /// Reads behind the place, in the receiver that it is in.
    fn read_from(
        &mut self,
        db: &mut dyn Query,
        chain: &[Receiver],
        i: usize,
        place: TailPlace,
        sink: &mut Sink<'_>,
    ) -> Result<Poll, QueryError> {
        let r = &chain[i];
        if let Some(text) = receivers::replaced(r, &place.at, &place.attached) {
            // Or the list is wrong.
            self.doubts += 1;
            if self.doubts <= CONFIRMATIONS {
                return Ok(Poll::Inconclusive);
            }
            self.enter_receiver(r, place.at, Some(text), sink);
            return Ok(Poll::Behind);
        }
        // Kept for the day on which it is gone.
        if let Some(own) = &mut self.place {
            own.attached.clone_from(&r.attached);
        }
        let next = chain.get(i + 1);
        let from = place.at.sequence.saturating_add(1).max(r.first);
        if r.last < from {
            self.said = None;
            let Some(next) = next else {
                // What was doubted before is as it should be.
                self.doubts = 0;
                return Ok(Poll::CaughtUp);
            };
            return Ok(self.next_receiver(r, next, sink));
        }
        let end = r.last.min(from.saturating_add(self.options.page - 1));
        match self.read(db, r, from, end, sink) {
            Ok(()) => self.doubts = 0,
            Err(e) if is_empty(&e) => self.doubts = 0,
            Err(e) if e.message_id() == Some("CPF7054") => {
                self.say_once(sink, format!("{e}: {from} to {end} of {}: this is a mistake of the agent", r.name));
                return Ok(Poll::CaughtUp);
            }
            Err(e) if is_loss(&e) => return Ok(self.suspect_loss(chain, i, &e, sink)),
            Err(e) if is_authority(&e) => {
                self.say_once(
                    sink,
                    format!("{e}: the user needs *USE on the journal and on receiver {}/{}", r.library, r.name),
                );
                return Ok(Poll::CaughtUp);
            }
            Err(e) => return Err(e),
        }
        self.said = None;
        // What the range holds was read. At the very end something may still come to be seen below the last number (journal
        // caching): there the place stays at the last entry that was.
        if next.is_some() || end < r.last {
            if self.sequence() < end {
                let place = TailPlace { at: r.at(end), attached: r.attached.clone() };
                self.move_to(sink, place);
            }
            return Ok(Poll::Behind);
        }
        Ok(Poll::CaughtUp)
    }

    fn sequence(&self) -> u64 {
        self.place.as_ref().map_or(0, |p| p.at.sequence)
    }

    /// A receiver was read to its end, and there is another: its last number must stay as it is for two looks.
    fn next_receiver(&mut self, r: &Receiver, next: &Receiver, sink: &mut Sink<'_>) -> Poll {
        let seen = (r.name.clone(), r.last);
        if self.leaving.as_ref() != Some(&seen) {
            self.leaving = Some(seen);
            return Poll::Inconclusive;
        }
        let read = r.at(r.last.max(self.sequence()));
        let missing = receivers::missing(&read, next);
        if missing.is_some() && self.doubts < CONFIRMATIONS {
            self.doubts += 1;
            return Poll::Inconclusive;
        }
        self.enter_receiver(next, read, missing, sink);
        Poll::Behind
    }

    /// Goes on at the beginning of a receiver.
    fn enter_receiver(&mut self, next: &Receiver, read: JournalPlace, missing: Option<String>, sink: &mut Sink<'_>) {
        let place = TailPlace { at: next.at(next.first.saturating_sub(1)), attached: next.attached.clone() };
        (self.leaving, self.doubts) = (None, 0);
        match missing {
            None => self.move_to(sink, place),
            Some(text) => {
                let gap = Gap { before: read, after: next.at(next.first), text, back: false, numbers: None };
                self.place = Some(place.clone());
                sink(Update::Missing(gap, place));
            }
        }
    }

    /// The receiver of the place is not in the list.
    fn receiver_missing(
        &mut self,
        db: &mut dyn Query,
        chain: &[Receiver],
        place: &TailPlace,
        sink: &mut Sink<'_>,
    ) -> Result<Poll, QueryError> {
        let attached = receivers::attached(db, &self.options.library, &self.options.journal)?;
        if attached
            .is_some_and(|(library, name)| (library, name) == (place.at.library.clone(), place.at.receiver.clone()))
        {
            // It is the newest one, and the list is older.
            return Ok(Poll::Inconclusive);
        }
        self.doubts += 1;
        // The oldest one that came behind it; without its time, the oldest of all.
        let next = chain.iter().find(|r| place.attached.is_empty() || r.attached > place.attached);
        let Some(next) = next.filter(|_| self.doubts > CONFIRMATIONS) else { return Ok(Poll::Inconclusive) };
        let follows = place.at.sequence.checked_add(1) == Some(next.first);
        let text = (!follows).then(|| {
            format!(
                "receiver {}/{} is not there any more: what it held behind {} is missing, and all up to receiver {}/{}, where it goes on with {}",
                place.at.library, place.at.receiver, place.at.sequence, next.library, next.name, next.first
            )
        });
        self.enter_receiver(next, place.at.clone(), text, sink);
        Ok(Poll::Behind)
    }

    /// The system says that the place, or its receiver, is not there.
    fn suspect_loss(&mut self, chain: &[Receiver], i: usize, why: &QueryError, sink: &mut Sink<'_>) -> Poll {
        self.doubts += 1;
        if self.doubts <= CONFIRMATIONS {
            return Poll::Inconclusive;
        }
        let (r, read) = (&chain[i], self.place.clone().unwrap_or_default().at);
        // Entries of it that are still there, behind the place; else the next receiver. Never back.
        let next = if r.first > read.sequence.saturating_add(1) { Some(r) } else { chain.get(i + 1) };
        let Some(next) = next else {
            self.say_once(sink, format!("{why}; there is nothing to go on with"));
            return Poll::CaughtUp;
        };
        let text = format!(
            "the place {read} is not there any more ({why}): it goes on in receiver {}/{} with {}",
            next.library, next.name, next.first
        );
        self.enter_receiver(next, read, Some(text), sink);
        Poll::Behind
    }

    /// Reads a range and hands out what it holds, an answer at a time.
    fn read(
        &mut self,
        db: &mut dyn Query,
        r: &Receiver,
        from: u64,
        to: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let wrong = |e: &dyn std::fmt::Display| QueryError::Lost(e.to_string());
        let (first, last) = (from.to_string(), to.to_string());
        let o = self.options.clone();
        let range = |first: &str, last: &str| -> [String; 9] {
            [&o.library, &o.journal, &r.library, &r.name, first, &o.codes, &r.library, &r.name, last].map(str::to_owned)
        };
        let parameters = range(&first, &last);
        let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let mut found = db.start(&self.page, &parameters, self.rows.min(o.rows))?;
        let mut read = from - 1;
        let mut endless = Endless::default();
        loop {
            endless.check(&found)?;
            if !found.rows.is_empty() {
                self.rows = (ANSWER / (found.size() / found.rows.len()).max(1)).clamp(1, o.rows);
            }
            let (mut bytes, mut numbers) = (Vec::new(), Vec::with_capacity(found.rows.len()));
            for row in &found.rows {
                let sequence = self.reader.sequence(row).map_err(|e| wrong(&e))?;
                if sequence <= read || sequence > to || self.reader.receiver(row) != (&r.library, &r.name) {
                    let (library, name) = self.reader.receiver(row);
                    let why = format!(
                        "asked for {} to {to} of {}, the system answers with {library}/{name}:{sequence}",
                        read + 1,
                        r.name
                    );
                    return Err(wrong(&why));
                }
                let (stated, mut data) = self.reader.data(row).map_err(|e| wrong(&e))?;
                while data.len() < stated.min(MOST_DATA) {
                    let number = sequence.to_string();
                    let at = (data.len() + 1).to_string();
                    let range = range(&number, &number);
                    let mut parameters = vec![at.as_str()];
                    parameters.extend(range.iter().map(String::as_str));
                    let more = db.all(&self.rest, &parameters)?;
                    let more = more.first().and_then(|row| row.first()).and_then(Option::as_deref).unwrap_or("");
                    let more = super::entry::hex(more).map_err(|e| wrong(&e))?;
                    // A short answer is the end: what is stated and not there makes the entry an incomplete one.
                    let short = more.len() < DATA;
                    data.extend(more);
                    if short {
                        break;
                    }
                }
                let record = self.reader.record(row, sequence, &data, stated);
                frame(&mut bytes, record);
                numbers.push(sequence);
                read = sequence;
            }
            if !numbers.is_empty() {
                let place = TailPlace { at: r.at(read), attached: r.attached.clone() };
                if !sink(Update::Records(bytes, numbers, place.clone())) {
                    return Err(QueryError::Stopped);
                }
                self.place = Some(place);
            }
            let Some(rest) = found.rest.take() else { return Ok(()) };
            found = db.more(&rest, self.rows)?;
        }
    }

    fn move_to(&mut self, sink: &mut Sink<'_>, place: TailPlace) {
        self.place = Some(place.clone());
        sink(Update::Moved(place));
    }

    fn say_once(&mut self, sink: &mut Sink<'_>, text: String) {
        if self.said.as_ref() != Some(&text) {
            sink(Update::Say(text.clone()));
            self.said = Some(text);
        }
    }
}

/// Nothing in the range: CPF7062, which is normal.
pub fn is_empty(e: &QueryError) -> bool {
    e.message_id() == Some("CPF7062")
}

/// The receiver or the number is not there.
pub fn is_loss(e: &QueryError) -> bool {
    matches!(e.message_id(), Some("CPF9801" | "CPF9810" | "CPF9812" | "CPF7025" | "CPF7053"))
}

/// The user may not.
fn is_authority(e: &QueryError) -> bool {
    let QueryError::Sql { state, .. } = e else { return false };
    e.message_id() == Some("CPF9802") || state == "42501"
}
