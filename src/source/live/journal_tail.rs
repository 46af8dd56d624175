//! Following a journal through its receivers by queries: what is asked next, when a receiver is left for the next one, and what
//! counts as missing.
//!
//! The traps are those that readers fell into (design notes of Debezium's connector and its forks): the list of receivers is
//! stale just after a roll, with the newest receiver missing or an old last number; a range that is empty or inverted is not a
//! pruned receiver; and a reader that once believes so rewinds by millions of entries. So: nothing is ever read before the place,
//! a receiver is left only when its last number stayed the same from one look to the next, and something counts as missing only
//! after five looks said so.
use super::{
    entry::{Reader, timestamp},
    news::{From, Poll, TailPlace, Update},
    query::{Answer, QueryError},
    range::{Progress, RangeReader},
    receivers::{self, Receiver},
    request::{Next, Request, Tail},
    statements::{self, Columns},
};
use crate::source::receiver_chain::{Gap, JournalPlace};

/// Looks that must agree before something counts as missing.
const CONFIRMATIONS: u32 = 5;

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

/// Follows one journal.
pub struct JournalTail {
    options: TailOptions,
    entries: RangeReader,
    place: Option<TailPlace>,
    /// The receiver that is to be left, and its last number, as the look before saw them.
    leaving: Option<(String, u64)>,
    doubts: u32,
    said: Option<String>,
    asked: Asked,
}

/// What was asked last, with the list of receivers that this look goes by.
enum Asked {
    Nothing,
    /// The receivers.
    Receivers,
    /// The first entry of the receiver at this number of the list at or after a time.
    Time(Vec<Receiver>, usize, String),
    /// Which receiver is attached: that of the place is not in the list.
    Attached(Vec<Receiver>, TailPlace),
    /// What was attached before the receiver that is to be entered. A receiver of the list was read to its end, or that of the place is gone.
    Previous(Receiver, JournalPlace, Left),
    /// Entries of the receiver at this number of the list, from one number to another.
    Entries(Vec<Receiver>, usize, (u64, u64)),
}

/// Why a receiver is left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It was read to its end.
    Read,
    /// It is not there any more, which was confirmed.
    Gone,
}

impl Tail for JournalTail {
    /// Looks once, and reads a page at most.
    fn begin(&mut self) -> Result<Request, QueryError> {
        self.asked = Asked::Receivers;
        Ok(Request::all(statements::CHAIN, &[&self.options.library, &self.options.journal]))
    }

    fn answered(&mut self, answer: Answer, news: &mut Vec<Update>) -> Result<Next, QueryError> {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => Err(QueryError::Lost("an answer that nobody asked for".to_owned())),
            Asked::Receivers => {
                let list = answer?.rows.iter().map(receivers::receiver).collect::<Result<Vec<_>, _>>()?;
                Ok(self.look(list, news))
            }
            Asked::Time(list, i, time) => self.time_answered(list, i, time, answer, news),
            Asked::Attached(list, place) => {
                let rows = answer?.rows;
                let attached = rows.first().map(receivers::attached);
                Ok(self.receiver_missing(&list, &place, attached, news))
            }
            Asked::Previous(next, read, left) => self.previous_answered(&next, read, left, answer, news),
            Asked::Entries(list, i, range) => self.entries_answered(list, i, range, answer, news),
        }
    }
}

impl JournalTail {
    /// Goes on from a place.
    pub fn new(options: TailOptions, columns: Columns, reader: Reader, place: Option<TailPlace>) -> JournalTail {
        JournalTail {
            entries: RangeReader::new(options.clone(), columns, reader),
            options,
            place,
            leaving: None,
            doubts: 0,
            said: None,
            asked: Asked::Nothing,
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

    /// By the list of receivers.
    fn look(&mut self, list: Vec<Receiver>, news: &mut Vec<Update>) -> Next {
        let (Some(oldest), Some(newest)) = (list.first(), list.last()) else {
            let text = format!(
                "{}/{} has no receivers that this user can see: is auditing set up (CRTJRN, CHGSECAUD), and has the user *USE on the journal?",
                self.options.library, self.options.journal
            );
            self.say_once(news, text);
            return Next::Done(Poll::CaughtUp);
        };
        let Some(place) = self.place.clone() else {
            let begin = match &self.options.from {
                From::Now => behind(newest, newest.last),
                From::Oldest => behind(oldest, oldest.first.saturating_sub(1)),
                From::Entry(receiver, sequence) => match list.iter().find(|r| r.name == *receiver) {
                    Some(r) => behind(r, sequence.saturating_sub(1)),
                    None => {
                        news.push(Update::Say(format!(
                            "from = \"{receiver}:{sequence}\": there is no such receiver: it begins with the oldest entry that is there"
                        )));
                        behind(oldest, oldest.first.saturating_sub(1))
                    }
                },
                From::Time(time) => {
                    let time = time.clone();
                    // The last one that was attached by then; earlier ones hold only older entries.
                    let attached_by = |r: &Receiver| timestamp(&r.attached) <= timestamp(&time);
                    let i = list.iter().rposition(attached_by).unwrap_or(0);
                    return self.ask_time(list, i, time, news);
                }
            };
            return self.begin_at(begin, news);
        };
        match list.iter().position(|r| r.holds(&place.at)) {
            Some(i) => self.read_from(list, i, place, news),
            None => {
                let request = Request::all(statements::JOURNAL, &[&self.options.library, &self.options.journal]);
                self.asked = Asked::Attached(list, place);
                Next::Ask(request)
            }
        }
    }
}

/// Where it begins.
impl JournalTail {
    fn begin_at(&mut self, place: TailPlace, news: &mut Vec<Update>) -> Next {
        self.move_to(news, place);
        Next::Done(Poll::Behind)
    }

    /// Asks a receiver for its first entry at or after a time; where there is no such receiver, it begins with what comes.
    fn ask_time(&mut self, list: Vec<Receiver>, i: usize, time: String, news: &mut Vec<Update>) -> Next {
        let (Some(r), o) = (list.get(i), &self.options) else {
            let Some(newest) = list.last() else { return Next::Done(Poll::Inconclusive) };
            return self.begin_at(behind(newest, newest.last), news);
        };
        let parameters = [&o.library, &o.journal, &r.library, &r.name, &time, &o.codes, &r.library, &r.name];
        let request = Request::all(statements::AT_TIME, &parameters.map(String::as_str));
        self.asked = Asked::Time(list, i, time);
        Next::Ask(request)
    }

    fn time_answered(
        &mut self,
        list: Vec<Receiver>,
        i: usize,
        time: String,
        answer: Answer,
        news: &mut Vec<Update>,
    ) -> Result<Next, QueryError> {
        let rows = match answer {
            Ok(found) => found.rows,
            Err(e) if e.is_no_entries() => Vec::new(),
            Err(e) => return Err(e),
        };
        let first = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        let first = first.and_then(|n| n.trim().parse::<u64>().ok());
        Ok(match (list.get(i), first) {
            (Some(r), Some(first)) => self.begin_at(behind(r, first.saturating_sub(1)), news),
            _ => self.ask_time(list, i + 1, time, news),
        })
    }
}

/// What is read.
impl JournalTail {
    /// Reads behind the place, in the receiver that it is in.
    fn read_from(&mut self, list: Vec<Receiver>, i: usize, place: TailPlace, news: &mut Vec<Update>) -> Next {
        let Some(r) = list.get(i) else { return Next::Done(Poll::Inconclusive) };
        if let Some(text) = receivers::replaced(r, &place.at, &place.attached) {
            // Or the list is wrong.
            self.doubts += 1;
            if self.doubts <= CONFIRMATIONS {
                return Next::Done(Poll::Inconclusive);
            }
            self.enter_receiver(r, place.at, Some(text), news);
            return Next::Done(Poll::Behind);
        }
        // Kept for the day on which it is gone.
        if let Some(own) = &mut self.place {
            own.attached.clone_from(&r.attached);
        }
        let from = place.at.sequence.saturating_add(1).max(r.first);
        if r.last < from {
            self.said = None;
            let Some(next) = list.get(i + 1) else {
                // What was doubted before is as it should be.
                self.doubts = 0;
                return Next::Done(Poll::CaughtUp);
            };
            return self.next_receiver(r, next);
        }
        let to = r.last.min(from.saturating_add(self.options.page.saturating_sub(1)));
        let request = self.entries.begin(r, from, to);
        self.asked = Asked::Entries(list, i, (from, to));
        Next::Ask(request)
    }

    /// Rows of the range that is read, data of an entry of it, or why there are none.
    fn entries_answered(
        &mut self,
        list: Vec<Receiver>,
        i: usize,
        range: (u64, u64),
        answer: Answer,
        news: &mut Vec<Update>,
    ) -> Result<Next, QueryError> {
        let Some(r) = list.get(i) else { return Ok(Next::Done(Poll::Inconclusive)) };
        let request = match self.entries.answered(answer) {
            Ok(Progress::Ask(request)) => Some(request),
            Ok(Progress::Read(records, next)) => {
                if let Some(last) = records.numbers.last() {
                    let place = TailPlace { at: r.at(*last), attached: r.attached.clone() };
                    self.place = Some(place.clone());
                    news.push(Update::Records(records.bytes, records.numbers, place));
                }
                next
            }
            Err(e) if e.is_no_entries() => None,
            Err(e) => return self.entries_refused(&list, i, range, e, news).map(Next::Done),
        };
        if let Some(request) = request {
            self.asked = Asked::Entries(list, i, range);
            return Ok(Next::Ask(request));
        }
        (self.doubts, self.said) = (0, None);
        // What the range holds was read. At the very end something may still come to be seen below the last number (journal
        // caching): there the place stays at the last entry that was.
        let to = range.1;
        if i + 1 < list.len() || to < r.last {
            if self.sequence() < to {
                self.move_to(news, TailPlace { at: r.at(to), attached: r.attached.clone() });
            }
            return Ok(Next::Done(Poll::Behind));
        }
        Ok(Next::Done(Poll::CaughtUp))
    }

    /// The system answers a range with an error: what that means.
    fn entries_refused(
        &mut self,
        list: &[Receiver],
        i: usize,
        (from, to): (u64, u64),
        e: QueryError,
        news: &mut Vec<Update>,
    ) -> Result<Poll, QueryError> {
        let Some(r) = list.get(i) else { return Ok(Poll::Inconclusive) };
        if e.message_id() == Some("CPF7054") {
            self.say_once(news, format!("{e}: {from} to {to} of {}: this is a mistake of the agent", r.name));
            Ok(Poll::CaughtUp)
        } else if e.is_loss() {
            Ok(self.suspect_loss(list, i, &e, news))
        } else if e.is_denied() {
            let text = format!("{e}: the user needs *USE on the journal and on receiver {}/{}", r.library, r.name);
            self.say_once(news, text);
            Ok(Poll::CaughtUp)
        } else {
            Err(e)
        }
    }

    fn sequence(&self) -> u64 {
        self.place.as_ref().map_or(0, |p| p.at.sequence)
    }

    fn move_to(&mut self, news: &mut Vec<Update>, place: TailPlace) {
        self.place = Some(place.clone());
        news.push(Update::Moved(place));
    }

    fn say_once(&mut self, news: &mut Vec<Update>, text: String) {
        if self.said.as_ref() != Some(&text) {
            news.push(Update::Say(text.clone()));
            self.said = Some(text);
        }
    }
}

/// When a receiver is left, and for which.
impl JournalTail {
    /// A receiver was read to its end, and there is another: its last number must stay as it is for two looks.
    fn next_receiver(&mut self, r: &Receiver, next: &Receiver) -> Next {
        let seen = (r.name.clone(), r.last);
        if self.leaving.as_ref() != Some(&seen) {
            self.leaving = Some(seen);
            return Next::Done(Poll::Inconclusive);
        }
        self.ask_previous(next.clone(), r.at(r.last.max(self.sequence())), Left::Read)
    }

    /// Asks what was attached before a receiver that is to be entered behind what was read.
    fn ask_previous(&mut self, next: Receiver, read: JournalPlace, left: Left) -> Next {
        let parameters = [&next.library, &next.name, &self.options.library, &self.options.journal];
        let request = Request::all(statements::PREVIOUS, &parameters.map(String::as_str));
        self.asked = Asked::Previous(next, read, left);
        Next::Ask(request)
    }

    fn previous_answered(
        &mut self,
        next: &Receiver,
        read: JournalPlace,
        left: Left,
        answer: Answer,
        news: &mut Vec<Update>,
    ) -> Result<Next, QueryError> {
        let previous = match answer {
            // It went meanwhile: the next list shows that.
            Ok(found) if found.rows.is_empty() && self.doubts <= CONFIRMATIONS => {
                self.doubts += 1;
                return Ok(Next::Done(Poll::Inconclusive));
            }
            Ok(found) => found.rows.first().and_then(receivers::previous),
            // A system that cannot say it.
            Err(QueryError::Sql { .. }) => None,
            Err(e) => return Err(e),
        };
        let missing = receivers::missing(&read, next, previous.as_ref());
        if left == Left::Read && missing.is_some() && self.doubts < CONFIRMATIONS {
            self.doubts += 1;
            return Ok(Next::Done(Poll::Inconclusive));
        }
        self.enter_receiver(next, read, missing, news);
        Ok(Next::Done(Poll::Behind))
    }

    /// Goes on at the beginning of a receiver.
    fn enter_receiver(&mut self, next: &Receiver, read: JournalPlace, missing: Option<String>, news: &mut Vec<Update>) {
        let place = behind(next, next.first.saturating_sub(1));
        (self.leaving, self.doubts) = (None, 0);
        match missing {
            None => self.move_to(news, place),
            Some(text) => {
                let gap = Gap { before: read, after: next.at(next.first), text, back: false, numbers: None };
                self.place = Some(place.clone());
                news.push(Update::Missing(gap, place));
            }
        }
    }

    /// The receiver of the place is not in the list; this one is attached.
    fn receiver_missing(
        &mut self,
        list: &[Receiver],
        place: &TailPlace,
        attached: Option<(&str, &str)>,
        news: &mut Vec<Update>,
    ) -> Next {
        if attached == Some((place.at.library.as_str(), place.at.receiver.as_str())) {
            // It is the newest one, and the list is older.
            return Next::Done(Poll::Inconclusive);
        }
        self.doubts += 1;
        // The oldest one that came behind it; without its time, the oldest of all.
        let next = list.iter().find(|r| place.attached.is_empty() || r.attached > place.attached);
        let Some(next) = next.filter(|_| self.doubts > CONFIRMATIONS) else {
            return Next::Done(Poll::Inconclusive);
        };
        // Numbers that go on say that it held no more; those that begin again, that nothing of it was read: none is without an entry.
        if next.first > 1 && place.at.sequence.checked_add(1) == Some(next.first) {
            return self.ask_previous(next.clone(), place.at.clone(), Left::Gone);
        }
        let text = format!(
            "receiver {}/{} is not there any more: what it held behind {} is missing, and all up to receiver {}/{}, where it goes on with {}",
            place.at.library, place.at.receiver, place.at.sequence, next.library, next.name, next.first
        );
        self.enter_receiver(next, place.at.clone(), Some(text), news);
        Next::Done(Poll::Behind)
    }

    /// The system says that the place, or its receiver, is not there.
    fn suspect_loss(&mut self, list: &[Receiver], i: usize, why: &QueryError, news: &mut Vec<Update>) -> Poll {
        self.doubts += 1;
        if self.doubts <= CONFIRMATIONS {
            return Poll::Inconclusive;
        }
        let read = self.place.clone().unwrap_or_default().at;
        // Entries of it that are still there, behind the place; else the next receiver. Never back.
        let same = list.get(i).filter(|r| r.first > read.sequence.saturating_add(1));
        let Some(next) = same.or_else(|| list.get(i + 1)) else {
            self.say_once(news, format!("{why}; there is nothing to go on with"));
            return Poll::CaughtUp;
        };
        let text = format!(
            "the place {read} is not there any more ({why}): it goes on in receiver {}/{} with {}",
            next.library, next.name, next.first
        );
        self.enter_receiver(next, read, Some(text), news);
        Poll::Behind
    }
}

/// The place behind an entry of a receiver.
fn behind(r: &Receiver, sequence: u64) -> TailPlace {
    TailPlace { at: r.at(sequence), attached: r.attached.clone() }
}
