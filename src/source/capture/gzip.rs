//! Captures that came compressed with gzip: unpacked as they are read, in a bounded buffer, one member behind the other.
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

use flate2::read::MultiGzDecoder;

use crate::source::derived::read_trace::WrittenOver;

/// The first bytes of a gzip file.
pub const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Why it cannot be unpacked further, found in an [`io::Error`] of [`Unpacked`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Torn(String);

/// Why it cannot be unpacked further, where that is what an error says.
pub fn why(e: &io::Error) -> Option<String> {
    e.get_ref().and_then(|e| e.downcast_ref::<Torn>()).map(|torn| torn.0.clone())
}

/// Reads what is in a gzip file.
pub struct Unpacked<R>(MultiGzDecoder<R>);

impl<R: Read> Unpacked<R> {
    /// Over the bytes of the file.
    pub fn new(packed: R) -> Unpacked<R> {
        Unpacked(MultiGzDecoder::new(packed))
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to).map_err(|e| {
            // What the disk or the file itself fails with is not the fault of what is in it.
            if e.get_ref().is_some_and(|inner| inner.is::<WrittenOver>()) || e.raw_os_error().is_some() {
                return e;
            }
            match e.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::other(Torn("the gzip data end before their end is said".to_owned()))
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    io::Error::other(Torn(format!("the gzip data are damaged ({e})")))
                }
                _ => e,
            }
        })
    }
}

/// A file read from its start, whatever else is read of it.
pub struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl FromStart<'_> {
    /// Of a file.
    pub fn of(file: &File) -> FromStart<'_> {
        FromStart { file, at: 0 }
    }
}

impl Read for FromStart<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(to, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
