//! Where in its journal a source is: the chain of receivers, followed at the price of one comparison an entry.
use super::receiver_chain::{Count, Gap, JournalPlace, ReceiverChain, is_jump};
use crate::{
    decode::{
        ebcdic::Charset,
        history::MARK,
        journal::{Entry, HeadingKind, pattern::Pattern},
    },
    encode::{HeadingDefaults, escape::printable},
    event::EntryTime,
};

/// Follows the journal of a source.
pub struct GapDetector {
    chain: ReceiverChain,
    charset: &'static Charset,
    count: Count,
    /// The next entry may be one that was read before.
    again: bool,
    /// Whether an entry was seen since the start: `names` are of it.
    seen: bool,
    /// System, receiver library and receiver of the last entry, where and as its heading has them.
    names: Pattern,
    /// Which heading that is.
    kind: HeadingKind,
    system: String,
    last: JournalPlace,
    /// The last entry whose number can be true: where a sender goes on.
    sure: JournalPlace,
    time: Option<i64>,
    /// What headings do not hold.
    given: [Vec<u8>; 3],
}

impl GapDetector {
    /// Goes on from what was stored. `given` is what headings do not hold.
    pub fn new(
        charset: &'static Charset,
        given: HeadingDefaults,
        count: Count,
        (chain, system, last): (ReceiverChain, String, JournalPlace),
    ) -> GapDetector {
        GapDetector {
            chain,
            charset,
            count,
            sure: last.clone(),
            again: false,
            seen: false,
            names: Pattern::default(),
            kind: HeadingKind::Type5,
            system,
            last,
            time: None,
            given: [given.system, given.receiver_library, given.receiver],
        }
    }

    /// Takes the next entry; returns what is missing before it.
    #[inline]
    pub fn observe(&mut self, entry: &Entry<'_>, time: Option<EntryTime>) -> Option<Gap> {
        // Messages of the history log are in no journal.
        if entry.journal_code() == MARK.0 {
            return None;
        }
        let time = time.map(|t| t.utc_micros);
        let follows = match self.count {
            Count::Numbers => self.last.sequence.checked_add(1) == Some(entry.sequence),
            Count::Receivers => entry.sequence > self.last.sequence && !is_jump(self.last.sequence, entry.sequence),
        };
        if self.seen && follows && self.kind == entry.heading.kind && self.names.matches(entry.record) {
            self.last.sequence = entry.sequence;
            if !is_jump(self.sure.sequence, entry.sequence) {
                self.sure.sequence = entry.sequence;
            }
            self.time = time.or(self.time);
            return None;
        }
        self.compare(entry, time)
    }

    #[cold]
    fn compare(&mut self, entry: &Entry<'_>, time: Option<i64>) -> Option<Gap> {
        let (h, sequence) = (entry.heading, entry.sequence);
        let spans = [h.system_name, h.receiver_library, h.receiver_name];
        let raw = spans.map(|span| entry.head(span));
        let mut named = raw.iter().zip(&self.given).map(|(entry, given)| {
            let bytes = if entry.is_empty() { given } else { *entry };
            printable(self.charset.decode_string(bytes).trim_end())
        });
        let mut next = || named.next().unwrap_or_default();
        let (system, library, receiver) = (next(), next(), next());
        let after = JournalPlace { library, receiver, sequence };
        self.chain.advance(&self.system, self.last.sequence, self.time);
        self.last = after.clone();
        if !is_jump(self.sure.sequence, sequence) {
            self.sure = after.clone();
        }
        self.seen = true;
        self.system = system;
        (self.names, self.kind) = (Pattern::default(), h.kind);
        for (span, name) in spans.iter().zip(raw) {
            span.iter().for_each(|s| self.names.bytes(s.at, name));
        }
        let again = std::mem::take(&mut self.again);
        let gap = self.chain.see(&self.system, after, time, self.count).filter(|g| !(again && g.back));
        self.time = time.or(self.time);
        gap
    }

    /// What comes next may begin before the last entry.
    pub fn allow_replay(&mut self) {
        self.again = true;
        self.seen = false;
    }

    /// What is missing before the next entry is known already, or nothing is.
    pub fn reset(&mut self) {
        self.chain.forget(&self.system);
        self.seen = false;
    }

    /// The place of the last entry whose number can be true: of one that jumps farther than a journal grows it is not moved, for a
    /// sender would be told to go on behind it.
    pub fn sure(&self) -> &JournalPlace {
        &self.sure
    }

    /// The system of the last entry.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The places of all systems, to be stored.
    pub fn chain(&mut self) -> &ReceiverChain {
        self.chain.advance(&self.system, self.last.sequence, self.time);
        &self.chain
    }
}
