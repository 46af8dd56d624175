//! A file that lines are appended to: no line is glued to half a line, none counts before it is on the disk, and a file that
//! goes by another name (logrotate) is noticed and begun anew.
//!
//! * Opened without waiting, and judged by its descriptor: a FIFO would hold up who opens or writes it.
//! * Whose name it is, is asked before and behind each write: what was written between a rename and our noticing is
//!   written to the new file too, because whoever packs the old one may have read it before. The old one is synced first.
//! * Where a write ends within a line, because the disk is full, that piece is cut off again; a piece that something else
//!   left (kill -9, power) is ended by a line feed before the first line.
use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{Framing, OutputError};

/// What a line is when the call that wrote it returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// In memory of the system: power takes it away.
    PageCache,
    /// On the disk.
    Synced,
}

/// Flags of [`open`](OpenOptions::open): nothing waits, and a terminal does not become ours.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// See the module.
pub struct LineFile {
    path: PathBuf,
    file: File,
    framing: Framing,
    /// Device and inode.
    id: (u64, u64),
    /// It has a length and can be cut and synced; `/dev/null` cannot.
    regular: bool,
    /// Something was written since it was last synced.
    dirty: bool,
    /// The next line needs a line feed before it.
    torn: bool,
    /// How often the file was begun anew, for the log.
    renewed: u64,
}

impl LineFile {
    /// Opens it to append, or makes it, for us alone (0600).
    pub fn open(path: &Path, framing: Framing) -> Result<LineFile, OutputError> {
        let error = |source| OutputError::File { path: path.display().to_string(), source };
        let (file, of) = open(path).map_err(error)?;
        let kind = of.file_type();
        let what = match () {
            () if kind.is_file() || kind.is_char_device() => None,
            () if kind.is_fifo() => Some("a FIFO (named pipe)"),
            () if kind.is_dir() => Some("a folder"),
            () if kind.is_socket() => Some("a socket"),
            () => Some("a device"),
        };
        if let Some(what) = what {
            return Err(OutputError::NoFile { path: path.display().to_string(), what });
        }
        let mut opened = LineFile {
            path: path.to_owned(),
            file,
            framing,
            id: (of.dev(), of.ino()),
            regular: kind.is_file(),
            dirty: false,
            torn: false,
            renewed: 0,
        };
        opened.look_at_end(of.len()).map_err(error)?;
        Ok(opened)
    }

    /// Looks whether what is there ends with a whole line.
    fn look_at_end(&mut self, length: u64) -> io::Result<()> {
        if !self.regular || length == 0 {
            return Ok(());
        }
        match self.framing {
            Framing::Newline => {
                let mut last = [0];
                // One that we may only write to cannot be looked at: an empty line more harms nobody.
                let read = self.file.read_exact_at(&mut last, length - 1);
                self.torn = read.is_err() || last != *b"\n";
                Ok(())
            }
            // A line feed would be within a frame, so the half one is taken away.
            Framing::Octet => match whole_frames(&mut self.file) {
                Some(whole) if whole < length => self.file.set_len(whole),
                _ => Ok(()),
            },
        }
    }

    /// Writes lines. An error says how many bytes of them are in the file: whole lines, the rest is cut off again.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.renew().map_err(|e| (0, e))?;
        loop {
            self.put(lines)?;
            // Renamed while it was written: who packs the old one may have read it before.
            if !self.renew().map_err(|e| (0, e))? {
                return Ok(());
            }
        }
    }

    fn put(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.dirty = true;
        if std::mem::take(&mut self.torn) {
            let put = self.put_all(b"\n");
            if let Err((_, e)) = put {
                self.torn = true;
                return Err((0, e));
            }
        }
        let (at, e) = match self.put_all(lines) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let whole = self.whole(lines, at);
        if at > whole && !self.cut(lines.get(whole..at).unwrap_or_default()) {
            self.torn = true;
        }
        Err((whole, e))
    }

    fn put_all(&mut self, mut bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut at = 0;
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err((at, io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    at += n;
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err((at, e)),
            }
        }
        Ok(())
    }

    /// How many of the first `at` bytes are whole lines.
    fn whole(&self, lines: &[u8], at: usize) -> usize {
        let wrote = lines.get(..at).unwrap_or(lines);
        match self.framing {
            Framing::Newline => memchr::memrchr(b'\n', wrote).map_or(0, |n| n + 1),
            Framing::Octet => frames(wrote).1,
        }
    }

    /// Takes the piece away that the file ends with. Nothing of what others wrote behind it.
    fn cut(&mut self, piece: &[u8]) -> bool {
        let mut last = vec![0; piece.len()];
        let Ok(length) = self.file.metadata().map(|m| m.len()) else { return false };
        let Some(good) = length.checked_sub(piece.len() as u64).filter(|_| self.regular) else { return false };
        self.file.read_exact_at(&mut last, good).is_ok() && last == piece && self.file.set_len(good).is_ok()
    }

    /// Everything that was written is on the disk afterwards.
    pub fn sync(&mut self) -> io::Result<Durability> {
        if !self.regular {
            // A device keeps nothing that could be synced.
            self.dirty = false;
            return Ok(Durability::PageCache);
        }
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(Durability::Synced)
    }

    /// Whether something was written and not synced.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Begins the file anew when another goes by its name, or none does. Whether it did.
    pub fn renew(&mut self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(of) if (of.dev(), of.ino()) == self.id => return Ok(false),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        self.sync()?;
        let again = LineFile::open(&self.path, self.framing).map_err(|e| match e {
            OutputError::File { source, .. } => source,
            other => io::Error::other(other),
        })?;
        *self = LineFile { renewed: self.renewed + 1, ..again };
        Ok(true)
    }

    /// How often the file was begun anew.
    pub fn renewed(&self) -> u64 {
        self.renewed
    }
}

/// Opens a file to append without waiting, to read too where that is allowed.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let how = |read| OpenOptions::new().create(true).read(read).append(true).mode(0o600).custom_flags(FLAGS).open(path);
    let file = match how(true) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => how(false)?,
        other => other?,
    };
    let of = file.metadata()?;
    Ok((file, of))
}

/// The bytes of a frame's head (its length and a blank), and of its line.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let digits = bytes.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let number = std::str::from_utf8(bytes.get(..digits)?).ok()?.parse().ok()?;
    (bytes.get(digits) == Some(&b' ')).then_some((digits + 1, number))
}

/// How many whole frames bytes begin with, and how many bytes these are.
pub fn frames(bytes: &[u8]) -> (u64, usize) {
    let (mut count, mut whole) = (0, 0);
    while let Some((head, body)) = frame(bytes.get(whole..).unwrap_or_default()) {
        let next = whole + head + body;
        if next > bytes.len() {
            break;
        }
        (count, whole) = (count + 1, next);
    }
    (count, whole)
}

/// The bytes of the whole frames that a file begins with; `None` where it holds something else.
fn whole_frames(file: &mut File) -> Option<u64> {
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(0)).ok()?;
    let mut reader = io::BufReader::new(file);
    let mut whole = 0;
    while whole < length {
        let mut head = Vec::with_capacity(12);
        let mut byte = [0];
        while head.len() < 11 && reader.read(&mut byte).ok()? == 1 {
            head.extend_from_slice(&byte);
            if byte == *b" " {
                break;
            }
        }
        let Some((head, body)) = frame(&head) else {
            // Half a head at the end is torn; anything else is no frame.
            let cut = head.iter().all(u8::is_ascii_digit) && whole + head.len() as u64 == length;
            return cut.then_some(whole);
        };
        let next = whole + (head + body) as u64;
        if next > length {
            break;
        }
        reader.seek_relative(i64::try_from(body).ok()?).ok()?;
        whole = next;
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn h15_half_a_line_is_ended_and_half_a_frame_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        fs::write(&path, "one\ntw").unwrap();
        LineFile::open(&path, Framing::Newline).unwrap().write(b"three\n").unwrap();
        assert_eq!(read(&path), "one\ntw\nthree\n");
        LineFile::open(&path, Framing::Newline).unwrap().write(b"four\n").unwrap();
        assert_eq!(read(&path), "one\ntw\nthree\nfour\n");
        for torn in ["", "1", "12", "5 ", "5 abc"] {
            fs::write(&path, format!("3 one10 0123456789{torn}")).unwrap();
            LineFile::open(&path, Framing::Octet).unwrap().write(b"2 ok").unwrap();
            assert_eq!(read(&path), "3 one10 01234567892 ok", "{torn:?}");
        }
        // What is no frame is left alone.
        fs::write(&path, "one\n").unwrap();
        LineFile::open(&path, Framing::Octet).unwrap().write(b"2 ok").unwrap();
        assert_eq!(read(&path), "one\n2 ok");
    }

    #[test]
    fn a4_a_piece_is_cut_off_and_nothing_that_others_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let mut file = LineFile::open(&path, Framing::Newline).unwrap();
        file.write(b"one\ntwo\n").unwrap();
        assert_eq!(file.whole(b"one\ntwo\nthr", 11), 8);
        assert_eq!(file.whole(b"one\ntwo\nthr", 2), 0);
        file.put_all(b"thr").unwrap();
        assert!(file.cut(b"thr"));
        assert_eq!(read(&path), "one\ntwo\n");
        file.put_all(b"thr").unwrap();
        fs::write(&path, "one\ntwo\nthrother").unwrap();
        assert!(!file.cut(b"thr"));
        assert_eq!(read(&path), "one\ntwo\nthrother");
        let mut frames = LineFile::open(&path, Framing::Octet).unwrap();
        assert_eq!(frames.whole(b"3 one3 two5 thr", 15), 10);
        assert!(!frames.cut(b"thr"));
    }

    #[test]
    fn n1_a_file_that_goes_by_another_name_is_begun_anew_and_links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old, link) = (dir.path().join("lines"), dir.path().join("lines.1"), dir.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut file = LineFile::open(&link, Framing::Newline).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        file.write(b"one\n").unwrap();
        fs::rename(&path, &old).unwrap();
        file.write(b"two\n").unwrap();
        assert_eq!((read(&old), read(&path), file.renewed()), ("one\n".into(), "two\n".into(), 1));
        fs::remove_file(&path).unwrap();
        assert!(file.renew().unwrap() && !file.renew().unwrap());
        assert_eq!(file.sync().unwrap(), Durability::Synced);
        assert_eq!(read(&path), "");
    }

    #[test]
    fn h6_what_is_no_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let refused = |path: &Path| LineFile::open(path, Framing::Newline).err().unwrap().to_string();
        assert!(refused(&fifo).contains("FIFO"), "{}", refused(&fifo));
        assert!(refused(dir.path()).contains("directory") || refused(dir.path()).contains("folder"));
        let mut null = LineFile::open(Path::new("/dev/null"), Framing::Newline).unwrap();
        null.write(b"one\n").unwrap();
        assert_eq!(null.sync().unwrap(), Durability::PageCache);
    }
}
