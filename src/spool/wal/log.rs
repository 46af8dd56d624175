//! The frames of a log, their checksums, and which byte is another where a checksum fails.
use std::ops::Range;

use super::{super::head, Found};

/// Bytes of the header of a log, and of the head of each of its frames.
pub(super) const HEAD: usize = 32;
pub(super) const FRAME: usize = 24;
const FORMAT: u32 = 3_007_000;

/// The checksum of a header or frame; it begins with the one before it.
type Sum = [u32; 2];

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// What was written.
    Whole,
    /// The same, now.
    Corrected,
    /// One byte is another, and more than one may be it.
    OneByte,
    /// Anything.
    Bad,
}

/// The bytes of a log.
pub(super) struct Log {
    pub(super) bytes: Vec<u8>,
    /// Bytes of a page.
    pub(super) page: usize,
    /// Whether checksums are of words in big-endian order.
    pub(super) big: bool,
}

impl Log {
    pub(super) fn put_right(mut self) -> Option<(Vec<u8>, Found)> {
        let mut found = Found::default();
        let before = self.head();
        match before {
            Some(changed) => found.corrected += usize::from(changed),
            // Nothing says what it was: the frames have the same salts, and follow one another.
            None => {
                self.big = [false, true].into_iter().find(|big| self.with(*big).follows(1))?;
                found.doubtful += 1;
            }
        }
        let salts = self.read(if before.is_some() { 16 } else { HEAD + 8 }, 8).to_vec();
        let frames = self.frames(before.map(|_| self.stored(24)), &salts, &mut found);
        let end = self.end(&frames, &salts, &mut found);
        found.doubtful += frames.iter().take(end).filter(|f| **f != Frame::Whole).count();
        if found == Found::default() {
            return None;
        }
        let end = self.leave_out(frames.get(..end).unwrap_or_default());
        self.seal(end, &salts);
        Some((self.bytes, found))
    }

    /// What the frames are; what can be put right is.
    fn frames(&mut self, mut before: Option<Sum>, salts: &[u8], found: &mut Found) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for n in 0..self.count() {
            let (at, salted) = (self.at(n), self.read(self.at(n) + 8, 8) == salts);
            let stored = self.stored(at + 16);
            let sum = before.map(|b| self.frame_sum(n, b));
            let frame = match sum {
                Some(sum) if sum == stored && salted => Frame::Whole,
                // What is left of the log before this one has other salts too, but follows nothing of this one.
                Some(sum) if sum == stored && frames.last().is_none_or(|f| *f == Frame::Whole) => Frame::Corrected,
                Some(sum) if salted && self.goes_on(n, sum) => {
                    self.write_sum(at + 16, sum);
                    Frame::Corrected
                }
                Some(sum) if salted => self.correct(n, sum, stored),
                _ => Frame::Bad,
            };
            found.corrected += usize::from(frame == Frame::Corrected);
            frames.push(if frame == Frame::Corrected { Frame::Whole } else { frame });
            before = Some(self.stored(at + 16));
        }
        frames
    }

    /// Puts the one byte of a frame right that is another, where it is known which.
    fn correct(&mut self, frame: usize, sum: Sum, stored: Sum) -> Frame {
        let at = self.at(frame);
        let likely = self.candidates(&[at..at + 8, at + FRAME..self.at(frame + 1)], sum, stored);
        let most = self.most((0..self.count()).filter(|n| self.follows(*n)));
        // A page that the database does not have gives away that the number is it.
        let is_odd = |place: &usize| {
            let number = self.word(*place, true);
            *place < at + 8 && (number > most || *place == at && number == 0)
        };
        // Of the last frame, the sum may be it.
        let sums = self.is_last(frame) && near(stored, sum);
        let only = likely.iter().find(|(place, _)| likely.len() == 1 && !sums || is_odd(place));
        match only.copied().or_else(|| self.in_head(frame, &likely)) {
            Some((place, word)) => self.put_word(place, word),
            None if sums && likely.is_empty() => self.write_sum(at + 16, sum),
            None if likely.is_empty() => return Frame::Bad,
            None => return Frame::OneByte,
        }
        Frame::Corrected
    }

    /// The one of some words that makes the first page one of ours, where it is none.
    fn in_head(&self, frame: usize, likely: &[(usize, u32)]) -> Option<(usize, u32)> {
        let at = self.at(frame);
        let begins = at + FRAME;
        let ours = |log: &Log| head::is_ours(log.read(begins, 100));
        if self.word(at, true) != 1 || ours(self) {
            return None;
        }
        let mut other = self.with(self.big);
        let mut right = likely.iter().copied().filter(|(place, word)| {
            let before = other.word(*place, other.big);
            other.put_word(*place, *word);
            let is_right = ours(&other);
            other.put_word(*place, before);
            is_right
        });
        right.next().filter(|_| right.next().is_none())
    }

    /// How many frames are used: all, up to a bad one behind which no two commits follow one another.
    ///
    /// What a kill left of a transaction stands behind the end, with the salts of this log, and so may its commit: SQLite writes pages
    /// of one transaction twice, and their sums at its end.
    fn end(&self, frames: &[Frame], salts: &[u8], found: &mut Found) -> usize {
        let is_ours = |n: &usize| self.read(self.at(*n) + 8, 8) == salts;
        let is_bad = |n: &usize| frames.get(*n) == Some(&Frame::Bad);
        let mut end = 0;
        while let Some(bad) = (end..frames.len()).find(is_bad) {
            // Where its sum is lost, the next one follows nothing that is known.
            let run = bad..(bad + 2..frames.len()).find(is_bad).unwrap_or(frames.len());
            let commits = run.clone().filter(|n| is_ours(n) && self.word(self.at(*n) + 4, true) != 0).count();
            if commits < 2 {
                // No frame that SQLite writes has other salts than those behind it.
                let is_odd = !is_ours(&bad) && run.skip(1).any(|n| is_ours(&n));
                found.doubtful += usize::from(is_odd);
                return bad;
            }
            end = run.end;
        }
        frames.len()
    }

    /// Leaves out frames that are not whole and do not even say which page they are of. Returns how many are left.
    fn leave_out(&mut self, frames: &[Frame]) -> usize {
        let number = |n: usize, at: usize| self.word(self.at(n) + at, true);
        let good = |n: &usize| frames.get(*n) == Some(&Frame::Whole);
        let most = self.most((0..frames.len()).filter(good));
        let kept = |n: &usize| good(n) || (1..=most).contains(&number(*n, 0)) && number(*n, 4) <= most;
        let kept: Vec<usize> = (0..frames.len()).filter(kept).collect();
        let mut bytes = self.read(0, HEAD).to_vec();
        kept.iter().for_each(|n| bytes.extend(self.read(self.at(*n), FRAME + self.page)));
        bytes.extend(self.bytes.get(self.at(frames.len())..).unwrap_or_default());
        self.bytes = bytes;
        kept.len()
    }

    /// The highest page that there may be, by these frames: a commit makes the database longer by as many pages as it has at most.
    fn most(&self, frames: impl Iterator<Item = usize>) -> u32 {
        let numbers = |n: usize| self.word(self.at(n), true).max(self.word(self.at(n) + 4, true));
        frames.map(numbers).max().unwrap_or(0).saturating_add(u32::try_from(self.count()).unwrap_or(0))
    }

    /// Gives header and frames their checksums.
    fn seal(&mut self, frames: usize, salts: &[u8]) {
        let magic = 0x377F_0682 | u32::from(self.big);
        let page = u32::try_from(self.page).unwrap_or(0);
        for (at, word) in [(0, magic), (4, FORMAT), (8, page)] {
            self.put(at, &word.to_be_bytes());
        }
        self.put(16, salts);
        let mut sum = self.sum(0..24, [0; 2]);
        self.write_sum(24, sum);
        for n in 0..frames {
            self.put(self.at(n) + 8, salts);
            sum = self.frame_sum(n, sum);
            self.write_sum(self.at(n) + 16, sum);
        }
    }

    /// Reads the header, and puts it right. `true` where that changed it, `None` where that cannot be.
    fn head(&mut self) -> Option<bool> {
        let kept: Vec<u8> = self.read(0, HEAD).to_vec();
        let mut likely = Vec::new();
        for big in [false, true] {
            self.big = big;
            self.put(0, &(0x377F_0682 | u32::from(big)).to_be_bytes());
            let (is, stored) = (self.sum(0..24, [0; 2]), self.stored(24));
            if near(is, stored) {
                self.write_sum(24, is);
                likely.push((big, self.read(0, HEAD).to_vec()));
                self.write_sum(24, stored);
            }
            if is == stored {
                likely.push((big, self.read(0, HEAD).to_vec()));
            }
            for (at, word) in self.candidates(&[4..24, 0..0], is, stored) {
                let before = self.word(at, big);
                self.put_word(at, word);
                likely.push((big, self.read(0, HEAD).to_vec()));
                self.put_word(at, before);
            }
            self.put(0, &kept);
        }
        likely.retain(|(_, head)| {
            self.put(0, head);
            self.word(4, true) == FORMAT && usize::try_from(self.word(8, true)) == Ok(self.page)
        });
        // Where two would do, the first frame says which it was.
        let follows = |(big, head): &(bool, Vec<u8>)| {
            let mut other = self.with(*big);
            other.put(0, head);
            other.frame_sum(0, other.stored(24)) == other.stored(HEAD + 16)
        };
        let found = likely.iter().position(follows).unwrap_or(0);
        let (big, head) = likely.into_iter().nth(found).unwrap_or_else(|| (false, kept.clone()));
        self.put(0, &head);
        self.big = big;
        let whole = self.sum(0..24, [0; 2]) == self.stored(24);
        whole.then_some(head != kept)
    }

    /// The bytes that, each alone, make a sum what is stored: where they stand, and the word as it would be.
    ///
    /// A sum is linear: what is added to a word comes out multiplied by a number that says how far from the end it stands.
    fn candidates(&self, parts: &[Range<usize>; 2], is: Sum, stored: Sum) -> Vec<(usize, u32)> {
        let missing = [stored[0].wrapping_sub(is[0]), stored[1].wrapping_sub(is[1])];
        let places: Vec<usize> = parts.iter().flat_map(|p| p.clone().step_by(4)).collect();
        let mut found = Vec::new();
        // The first word of a pair goes into both halves of the sum, the second into one.
        let mut by: [Sum; 2] = [[1, 1], [0, 1]];
        // Pairs are counted from the end: of the header the first word is left out.
        for pair in places.rchunks(2) {
            let words = if pair.len() == 2 { &by[..] } else { &by[1..] };
            for (at, by) in pair.iter().zip(words) {
                let Some(more) = divide(missing, *by).filter(|more| *more != 0) else { continue };
                let old = self.word(*at, self.big);
                let new = old.wrapping_add(more);
                if (0..4).any(|byte| (old ^ new) & !(0xFF << (8 * byte)) == 0) {
                    found.push((*at, new));
                }
            }
            by = by.map(|[a, b]| [a.wrapping_add(b), a.wrapping_add(b.wrapping_mul(2))]);
        }
        found
    }

    fn put_word(&mut self, at: usize, word: u32) {
        let bytes = if self.big { word.to_be_bytes() } else { word.to_le_bytes() };
        self.put(at, &bytes);
    }

    fn with(&self, big: bool) -> Log {
        Log { bytes: self.bytes.clone(), page: self.page, big }
    }

    fn count(&self) -> usize {
        (self.bytes.len() - HEAD) / (FRAME + self.page)
    }

    pub(super) fn at(&self, frame: usize) -> usize {
        HEAD + frame * (FRAME + self.page)
    }

    fn is_last(&self, frame: usize) -> bool {
        frame + 1 == self.count()
    }

    /// Whether a frame is whole, if the one before it is.
    fn follows(&self, frame: usize) -> bool {
        (1..self.count()).contains(&frame)
            && self.frame_sum(frame, self.stored(self.at(frame - 1) + 16)) == self.stored(self.at(frame) + 16)
    }

    /// How many frames there are up to the last commit that follows from the first.
    pub(super) fn committed(&self) -> usize {
        let whole = |n: &usize| match n {
            0 => self.frame_sum(0, self.stored(24)) == self.stored(self.at(0) + 16),
            n => self.follows(*n),
        };
        let salted = |n: &usize| self.read(self.at(*n) + 8, 8) == self.read(16, 8);
        let frames = (0..self.count()).take_while(|n| whole(n) && salted(n));
        frames.filter(|n| self.word(self.at(*n) + 4, true) != 0).last().map_or(0, |n| n + 1)
    }

    /// Whether the next frame was written behind one with this sum.
    fn goes_on(&self, frame: usize, sum: Sum) -> bool {
        !self.is_last(frame) && self.frame_sum(frame + 1, sum) == self.stored(self.at(frame + 1) + 16)
    }

    fn frame_sum(&self, frame: usize, before: Sum) -> Sum {
        let at = self.at(frame);
        self.sum(at + FRAME..at + FRAME + self.page, self.sum(at..at + 8, before))
    }

    fn sum(&self, range: Range<usize>, before: Sum) -> Sum {
        let words = range.step_by(4).map(|at| self.word(at, self.big));
        let mut half = 0;
        words.fold(before, |mut sum, word| {
            sum[half] = sum[half].wrapping_add(word).wrapping_add(sum[1 - half]);
            half = 1 - half;
            sum
        })
    }

    fn stored(&self, at: usize) -> Sum {
        [self.word(at, true), self.word(at + 4, true)]
    }

    fn write_sum(&mut self, at: usize, [a, b]: Sum) {
        self.put(at, &a.to_be_bytes());
        self.put(at + 4, &b.to_be_bytes());
    }

    pub(super) fn word(&self, at: usize, big: bool) -> u32 {
        let bytes = self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or_default();
        if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub(super) fn read(&self, at: usize, length: usize) -> &[u8] {
        self.bytes.get(at..at + length).unwrap_or_default()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(to) = self.bytes.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    }
}

/// Whether two sums differ in one byte.
fn near(a: Sum, b: Sum) -> bool {
    let bytes = |s: Sum| [s[0].to_be_bytes(), s[1].to_be_bytes()].concat();
    bytes(a).iter().zip(bytes(b)).filter(|(a, b)| *a != b).count() == 1
}

/// What, multiplied by both numbers, gives both; one of the numbers is odd.
fn divide(sum: Sum, by: Sum) -> Option<u32> {
    let odd = usize::from(by[0].is_multiple_of(2));
    // Newton's way to 1/n modulo 2^32: each round doubles the bits that are right, three to begin with.
    let inverse = (0..4).fold(by[odd], |i, _| i.wrapping_mul(2_u32.wrapping_sub(by[odd].wrapping_mul(i))));
    let found = sum[odd].wrapping_mul(inverse);
    (found.wrapping_mul(by[1 - odd]) == sum[1 - odd]).then_some(found)
}
