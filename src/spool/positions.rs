//! The position file: per source, the position that every output has passed. It is read only when the database cannot
//! be used, so that nothing is lost with it. Two generations, each with a checksum; the newer valid one counts.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::digest::{checksum, hex};
use serde::{Deserialize, Serialize};

/// Positions by source.
pub type Positions = BTreeMap<String, SourcePosition>;

/// Parts of a source that are kept here; the database keeps more.
const MOST_FILES: usize = 1_000;
/// The file is written at most so often: an older one costs duplicates, and only where the database is lost.
const EVERY: Duration = Duration::from_secs(5);

/// The positions of a source, as it wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// Of the whole.
    pub position: String,
    /// Of its files.
    #[serde(default, rename = "parts", skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

impl SourcePosition {
    /// Goes on from here to what came later.
    pub fn advance(&mut self, to: SourcePosition) {
        self.position = to.position;
        for (name, position) in to.files {
            if self.files.len() >= MOST_FILES && !self.files.contains_key(&name) {
                self.files.pop_first();
            }
            self.files.insert(name, position);
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Generation {
    generation: u64,
    positions: Positions,
}

/// The two files.
#[derive(Debug)]
pub struct PositionFile {
    folder: PathBuf,
    generation: u64,
    last: Positions,
    /// When it was written, and whether there is something newer.
    written: Option<Instant>,
    unwritten: bool,
}

impl PositionFile {
    /// Reads what is there; a generation that is torn, empty or foreign does not count.
    pub fn open(folder: &Path) -> PositionFile {
        let newest = (0..2).filter_map(|n| read(&path(folder, n))).max_by_key(|g| g.generation);
        let (generation, last) = newest.map_or((0, Positions::new()), |g| (g.generation, g.positions));
        PositionFile { folder: folder.to_owned(), generation, last, written: None, unwritten: false }
    }

    /// The positions.
    pub fn positions(&self) -> &Positions {
        &self.last
    }

    /// Whether there is something newer than what is written.
    pub fn is_unwritten(&self) -> bool {
        self.unwritten
    }

    /// Takes new positions, and writes them where the last were not written just now.
    pub fn write(&mut self, positions: &Positions) -> io::Result<()> {
        if *positions != self.last {
            self.last.clone_from(positions);
            self.unwritten = true;
        }
        self.write_in_time()
    }

    /// Writes what is new, where the last was not written just now.
    pub fn write_in_time(&mut self) -> io::Result<()> {
        if self.written.is_some_and(|at| at.elapsed() < EVERY) { Ok(()) } else { self.write_now() }
    }

    /// Writes what is new over the older generation, and waits until it is on the disk.
    pub fn write_now(&mut self) -> io::Result<()> {
        if !self.unwritten {
            return Ok(());
        }
        let next = Generation { generation: self.generation + 1, positions: self.last.clone() };
        let body = serde_json::to_string(&next).map_err(io::Error::other)?;
        let mut text = hex(&checksum(body.as_bytes()));
        text.push('\n');
        text.push_str(&body);
        text.push('\n');
        let to = path(&self.folder, next.generation % 2);
        let mut file = super::files::options().write(true).create(true).truncate(true).open(&to)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        self.generation = next.generation;
        (self.written, self.unwritten) = (Some(Instant::now()), false);
        Ok(())
    }
}

impl Drop for PositionFile {
    fn drop(&mut self) {
        // Without it, the next start may read more again than it needs to.
        let _ = self.write_now();
    }
}

fn path(folder: &Path, n: u64) -> PathBuf {
    folder.join(format!("position.{n}"))
}

fn read(path: &Path) -> Option<Generation> {
    let text = fs::read_to_string(path).ok()?;
    let (sum, body) = text.trim_end().split_once('\n')?;
    (sum == hex(&checksum(body.as_bytes()))).then(|| serde_json::from_str(body).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(n: u64) -> Positions {
        let position = format!("{{\"offset\":{n}}}");
        [("prod01".to_owned(), SourcePosition { position, files: BTreeMap::new() })].into()
    }

    #[test]
    fn the_newer_of_two_generations_counts_and_a_torn_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = PositionFile::open(dir.path());
        assert!(file.positions().is_empty());
        for n in 1..=5 {
            file.write(&positions(n)).unwrap();
            file.write_now().unwrap();
            assert_eq!(*PositionFile::open(dir.path()).positions(), positions(n));
        }
        // The fifth is in position.1: damaged in any way, the fourth counts.
        let newest = dir.path().join("position.1");
        let good = fs::read(&newest).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            fs::write(&newest, &bad).unwrap();
            let found = PositionFile::open(dir.path());
            assert!([positions(4), positions(5)].contains(found.positions()), "byte {at}");
            fs::write(&newest, &good[..at]).unwrap();
            let found = PositionFile::open(dir.path());
            assert!([positions(4), positions(5)].contains(found.positions()), "cut at {at}");
        }
        for nothing in [&b""[..], &[0; 300]] {
            fs::write(&newest, nothing).unwrap();
            assert_eq!(*PositionFile::open(dir.path()).positions(), positions(4));
        }
        fs::remove_file(&newest).unwrap();
        assert_eq!(*PositionFile::open(dir.path()).positions(), positions(4));
        // Written again, it is the newest again.
        let mut file = PositionFile::open(dir.path());
        file.write(&positions(6)).unwrap();
        assert_eq!(*PositionFile::open(dir.path()).positions(), positions(6));
    }

    #[test]
    fn c9_what_changes_often_is_written_every_few_seconds_and_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = PositionFile::open(dir.path());
        for n in 1..=1_000 {
            file.write(&positions(n)).unwrap();
            assert_eq!(*file.positions(), positions(n));
        }
        assert!(file.generation < 10, "written {} times", file.generation);
        drop(file);
        assert_eq!(*PositionFile::open(dir.path()).positions(), positions(1_000));
    }
}
