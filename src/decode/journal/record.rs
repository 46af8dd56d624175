//! Cutting a run of bytes into records: fixed-length ones (an outfile) or length-prefixed ones (a pipe).
//!
//! Pure over slices: the caller owns the buffer, says whether more bytes can come, and moves on by `used`.

/// How records follow one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Records of this many bytes.
    Fixed(usize),
    /// Each record after its 4-byte big-endian length.
    Stream,
}

/// The longest record accepted: an entry of an audit journal is far below 64 KiB, a length above this is no length.
pub const MAX_RECORD: usize = 1 << 20;

/// What stands at the front of the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split<'a> {
    /// A whole record; `used` bytes of the buffer are spent by it.
    Record {
        /// Without the length prefix.
        bytes: &'a [u8],
        /// Prefix included.
        used: usize,
    },
    /// More bytes are needed: this many in all at the front of the buffer.
    Need(usize),
    /// Nothing is left.
    End,
    /// The input ends within a record; its bytes so far, without a prefix.
    Cut(&'a [u8]),
    /// The length prefix cannot be one.
    BadLength(u32),
}

/// Looks for one record at the front of `buffer`; `ended` when no more bytes can come.
#[inline]
pub fn split(framing: Framing, buffer: &[u8], ended: bool) -> Split<'_> {
    let (skip, length) = match framing {
        Framing::Fixed(n) => (0, n),
        Framing::Stream => match buffer.first_chunk::<4>() {
            Some(prefix) => {
                let n = u32::from_be_bytes(*prefix);
                match usize::try_from(n) {
                    Ok(length) if n > 0 && length <= MAX_RECORD => (4, length),
                    _ => return Split::BadLength(n),
                }
            }
            None if buffer.is_empty() && ended => return Split::End,
            None if ended => return Split::Cut(buffer),
            None => return Split::Need(4),
        },
    };
    match buffer.get(skip..skip + length) {
        Some(bytes) => Split::Record { bytes, used: skip + length },
        None if !ended => Split::Need(skip + length),
        None if buffer.is_empty() => Split::End,
        None => Split::Cut(buffer.get(skip..).unwrap_or(&[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_records_end_cleanly_or_cut() {
        let f = Framing::Fixed(3);
        assert_eq!(split(f, b"abcdef", true), Split::Record { bytes: b"abc", used: 3 });
        assert_eq!(split(f, b"ab", false), Split::Need(3));
        assert_eq!(split(f, b"ab", true), Split::Cut(b"ab"));
        assert_eq!(split(f, b"", true), Split::End);
    }

    #[test]
    fn a_prefix_of_zero_or_a_giant_is_no_length() {
        let f = Framing::Stream;
        assert_eq!(split(f, &[0, 0, 0, 2, 7, 8, 9], true), Split::Record { bytes: &[7, 8], used: 6 });
        assert_eq!(split(f, &[0, 0, 0, 0, 7], true), Split::BadLength(0));
        assert_eq!(split(f, &[0x7F, 0, 0, 0, 7], true), Split::BadLength(0x7F00_0000));
        assert_eq!(split(f, &[0, 0], true), Split::Cut(&[0, 0]));
        assert_eq!(split(f, &[0, 0, 0, 9, 1], true), Split::Cut(&[1]));
    }
}
