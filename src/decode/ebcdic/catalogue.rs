//! Which CCSIDs there are, and where their tables come from.
//!
//! For: finding a character set by number and reading its table once. Not for: what the numbers
//! mean, which the tables in `formats/ccsid/` say themselves.
//!
//! Invariants: the list is ascending; a table is read when first asked for and kept for the life of
//! the process; mixed CCSIDs of one double-byte set share its table, and 5026, 5035, 290 and 1027 are read with the
//! tables of 930 and 939, whose code pages they are; every committed table is readable (a
//! test reads them all), so `None` means an unknown number.

use super::double_byte::DoubleByte;
use super::single_byte::SingleByte;
use super::{Ccsid, Charset, Form};
use std::sync::OnceLock;

/// Every EBCDIC CCSID that [`Charset::of`] knows, ascending.
pub const SUPPORTED: &[u16] = &NUMBERS;

static UTF_16: Charset = unicode(1200, Form::Utf16Be);
static UCS_2: Charset = unicode(13488, Form::Utf16Be);
static UTF_8: Charset = unicode(1208, Form::Utf8);

const fn unicode(ccsid: u16, form: Form) -> Charset {
    let ccsid = Ccsid(ccsid);
    Charset { ccsid, form }
}

/// The character set of a CCSID.
pub(super) fn charset(ccsid: Ccsid) -> Option<&'static Charset> {
    match ccsid.0 {
        1200 => Some(&UTF_16),
        13488 => Some(&UCS_2),
        1208 => Some(&UTF_8),
        number => {
            let at = NUMBERS.binary_search(&number).ok()?;
            ENTRIES.get(at)?.charset()
        }
    }
}

/// One EBCDIC CCSID: its number, the text of its single-byte table, its double-byte table.
struct Entry {
    ccsid: Ccsid,
    text: &'static str,
    double: Option<&'static Double>,
    read: OnceLock<Option<Charset>>,
}

/// One double-byte table, which several CCSIDs may share.
struct Double {
    text: &'static str,
    read: OnceLock<Option<DoubleByte>>,
}

impl Entry {
    const fn new(number: u16, text: &'static str, double: Option<&'static Double>) -> Self {
        Self { ccsid: Ccsid(number), text, double, read: OnceLock::new() }
    }

    fn charset(&'static self) -> Option<&'static Charset> {
        let read = || {
            let single = SingleByte::parse(self.text)?;
            let form = match self.double {
                None => Form::Single(single),
                Some(double) => Form::Mixed(single, double.table()?),
            };
            Some(Charset { ccsid: self.ccsid, form })
        };
        self.read.get_or_init(read).as_ref()
    }
}

impl Double {
    const fn new(text: &'static str) -> Self {
        Self { text, read: OnceLock::new() }
    }

    fn table(&'static self) -> Option<&'static DoubleByte> {
        let read = || DoubleByte::parse(self.text);
        self.read.get_or_init(read).as_ref()
    }
}

/// The text of a file in `formats/ccsid/`.
macro_rules! table {
    ($name:expr) => {
        include_str!(concat!("../../../formats/ccsid/", $name, ".txt"))
    };
}

/// The list of CCSIDs, each with the one whose single-byte table it has, where that is not its own, and the double-byte table of a mixed one.
macro_rules! catalogue {
    ($($number:literal $(= $like:literal)? $(+ $double:ident)?),+ $(,)?) => {
        const NUMBERS: [u16; [$($number),+].len()] = [$($number),+];
        static ENTRIES: [Entry; NUMBERS.len()] =
            [$(Entry::new($number, catalogue!(@table $number $($like)?), catalogue!(@double $($double)?))),+];
    };
    (@table $number:literal) => { table!($number) };
    (@table $number:literal $like:literal) => { table!($like) };
    (@double) => { None };
    (@double $double:ident) => { Some(&$double) };
}

static DBCS_300: Double = Double::new(table!("dbcs-300"));
static DBCS_834: Double = Double::new(table!("dbcs-834"));
static DBCS_835: Double = Double::new(table!("dbcs-835"));
static DBCS_837: Double = Double::new(table!("dbcs-837"));
static DBCS_4930: Double = Double::new(table!("dbcs-4930"));
static DBCS_4933: Double = Double::new(table!("dbcs-4933"));
static DBCS_9027: Double = Double::new(table!("dbcs-9027"));
static DBCS_16684: Double = Double::new(table!("dbcs-16684"));

catalogue! {
    37, 273, 277, 278, 280, 284, 285, 290 = 930, 297, 420, 424, 500, 838, 870, 871, 875, 880, 905,
    930 + DBCS_300, 933 + DBCS_834, 935 + DBCS_837, 937 + DBCS_835, 939 + DBCS_300, 1025, 1026,
    1027 = 939, 1047, 1112, 1122, 1123, 1140, 1141, 1142, 1143, 1144, 1145, 1146, 1147, 1148, 1149, 1153,
    1154, 1155, 1156, 1157, 1158, 1160, 1164, 1364 + DBCS_4930, 1371 + DBCS_9027, 1388 + DBCS_4933,
    1390 + DBCS_16684, 1399 + DBCS_16684, 5026 = 930 + DBCS_300, 5035 = 939 + DBCS_300,
}
