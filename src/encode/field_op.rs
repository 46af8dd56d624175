//! One value of a line as its plan has it: the bytes around it, where it stands, what is special about it.
use crate::event::ValueLocation;

/// Bytes that are copied into every line. Most are short, and a copy of a known length costs less than one that asks.
#[derive(Clone, Debug, Default)]
pub struct Constant {
    short: [u8; 32],
    length: usize,
    long: Vec<u8>,
}

impl Constant {
    /// These bytes.
    pub fn new(bytes: &[u8]) -> Constant {
        let mut short = [0; 32];
        match short.get_mut(..bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                Constant { short, length: bytes.len(), long: Vec::new() }
            }
            None => Constant { short, length: bytes.len(), long: bytes.to_vec() },
        }
    }

    /// Appends them.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        if self.length <= 32 {
            let end = out.len() + self.length;
            out.extend_from_slice(&self.short);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.long);
        }
    }

    /// How many they are.
    #[allow(clippy::len_without_is_empty)] // a key is never empty
    pub fn len(&self) -> usize {
        self.length
    }
}

/// One value of a line.
pub struct FieldOp {
    /// Before the value: separator and key.
    pub key_prefix: Constant,
    /// After it.
    pub value_suffix: &'static [u8],
    /// What is special about it.
    pub kind: OpKind,
    /// Where it stands.
    pub location: ValueLocation,
    /// Its name in the mark of a line that was cut.
    pub name: String,
}

/// What is special about a value.
pub enum OpKind {
    /// Nothing.
    Value,
    /// CEF and LEEF keep `src` for addresses: other keys for IPv6 and for what is no address.
    Address {
        /// Key before an IPv6 address.
        v6: Vec<u8>,
        /// Key before anything else.
        other: Vec<u8>,
    },
    /// CEF and LEEF keep `spt` and the like for numbers of 0 to 65535: the key before anything else.
    Port(Vec<u8>),
    /// One `name: value` of CEF's msg; `key_prefix` is for the first, this for the others.
    Msg(Constant),
    /// The entry time as RFC 3339 text.
    Rfc3339,
    /// A number of JSON, where it is one that every reader holds.
    Number,
    /// The text of this number of another product's line (`EventConstants::other`).
    Template(usize),
}
