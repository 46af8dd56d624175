//! Names of entries and of files, for people.
use std::path::Path;

use crate::{decode::ebcdic::Charset, encode::escape::printable};

/// A name as an entry holds it.
pub fn name(bytes: &[u8], job: &'static Charset) -> String {
    printable(&job.decode_string(bytes))
}

/// A path as people gave it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
