//! Looking which files of the folder are complete, and which of them need not be looked into again.
use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Instant, SystemTime},
};

use super::{Complete, DirectoryFeed, Order, PARTS, Seen, away, with_end};
use crate::source::{FeedError, Step, file::Look};

/// Names of files that are on their way, or marks of others.
const PASSED_OVER: [&str; 4] = [".done", ".tmp", ".part", ".filepart"];

impl DirectoryFeed {
    /// Looks which files are complete. Whether some are there that are not yet.
    pub(super) fn scan(&mut self) -> Result<bool, FeedError> {
        if self.scanned.is_none() {
            self.say.extend(away::tidy(&self.options.path, &self.options.after).into_iter().map(Step::Say));
        }
        self.scanned = Some(Instant::now());
        let io = |source| FeedError::Io { what: self.options.path.display().to_string(), source };
        let mut found: Vec<(OsString, Look)> = Vec::new();
        let mut incomplete = false;
        let mut there = HashSet::new();
        let entries = match fs::read_dir(&self.options.path) {
            Err(e) if self.options.follow && e.kind() == io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.missing, true) {
                    let text = format!("{} is not there yet: waiting for it", self.options.path.display());
                    self.say.push_back(Step::Say(text));
                }
                return Ok(false);
            }
            entries => entries.map_err(io)?,
        };
        self.missing = false;
        for entry in entries {
            let entry = entry.map_err(io)?;
            let (path, name) = (entry.path(), entry.file_name());
            // Gone between the two, or not to be looked at: it is not there.
            let Ok(meta) = fs::metadata(&path) else { continue };
            let text = name.to_string_lossy();
            if !meta.is_file() || text.starts_with('.') || PASSED_OVER.iter().any(|end| text.ends_with(end)) {
                continue;
            }
            if !matches(self.options.pattern.as_bytes(), text.as_bytes()) {
                continue;
            }
            let modified = meta.modified().ok();
            let look = Look { device: meta.dev(), inode: meta.ino(), size: meta.len(), modified };
            there.insert(path.clone());
            let new = Seen { look, since: Instant::now(), done: false, part: None };
            let seen = self.seen.entry(path.clone()).or_insert_with(|| new.clone());
            if seen.look != look {
                *seen = new;
            }
            let (since, done) = (seen.since, seen.done);
            if done || self.reading.as_ref().is_some_and(|r| r.path == path) {
                continue;
            }
            if self.is_complete(&path, &look, since) {
                found.push((name, look));
            } else {
                incomplete = true;
            }
        }
        self.seen.retain(|path, _| there.contains(path));
        match self.options.order {
            Order::Name => found.sort_by(|a, b| a.0.cmp(&b.0)),
            Order::Time => found.sort_by(|a, b| (a.1.modified, &a.0).cmp(&(b.1.modified, &b.0))),
        }
        self.queue = found.into_iter().map(|(name, look)| (self.options.path.join(name), look)).collect();
        Ok(incomplete)
    }

    fn is_complete(&self, path: &Path, look: &Look, since: Instant) -> bool {
        match self.options.complete {
            Complete::Rename => true,
            Complete::Done => with_end(path, ".done").exists(),
            Complete::Stable(quiet) => {
                let age = look.modified.and_then(|m| SystemTime::now().duration_since(m).ok());
                since.elapsed() >= quiet || age.is_some_and(|a| a >= quiet)
            }
        }
    }

    /// Marks a file as one that need not be looked into until it changes.
    pub(super) fn settle(&mut self, path: &Path, part: Option<String>) {
        if let Some(seen) = self.seen.get_mut(path) {
            seen.done = true;
            seen.part = part;
        }
    }

    /// Forgets the parts that were read longest ago, where there are very many; never one that is in the folder. To be
    /// called when every file that is there is known.
    pub(super) fn forget(&mut self) {
        let Some(over) = self.parts.len().checked_sub(PARTS).filter(|n| *n > 0) else { return };
        let there: HashSet<&str> = self.seen.values().filter_map(|s| s.part.as_deref()).collect();
        let mut old: Vec<(i64, &String)> =
            self.parts.iter().filter(|(name, _)| !there.contains(name.as_str())).map(|(n, (_, b))| (*b, n)).collect();
        old.sort_unstable();
        let old: Vec<String> = old.into_iter().take(over).map(|(_, name)| name.clone()).collect();
        for name in &old {
            self.parts.remove(name);
        }
        self.forgotten.extend(old);
    }
}

/// Whether a name matches a pattern with `*` and `?`. Goes back to the last star only, so it never takes long.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(w) if *w == b'?' || w == c => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|w| *w == b'*'))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

    use super::*;
    use crate::{
        decode::{
            ebcdic::Charset,
            journal::{Catalog, detect::Wanted},
        },
        source::{
            Feed, FilePlace,
            capture::Opener,
            directory::{After, DirectoryOptions},
        },
    };

    #[test]
    fn of_very_many_parts_the_oldest_are_forgotten_and_never_one_that_is_in_the_folder() {
        let options = DirectoryOptions {
            path: PathBuf::new(),
            pattern: "*".to_owned(),
            complete: Complete::Rename,
            order: Order::Name,
            after: After::Keep,
            follow: true,
        };
        let place = serde_json::to_string(&FilePlace::default()).unwrap();
        let parts: BTreeMap<String, (String, i64)> =
            (0..PARTS as i64 + 3).map(|n| (format!("part{n}"), (place.clone(), n))).collect();
        let catalog = Arc::new(Catalog::shipped().unwrap());
        let opener = Opener::new(&catalog, Charset::ebcdic(37).unwrap(), Wanted::default());
        let mut feed = DirectoryFeed::new(options, opener, parts);
        let look = Look { device: 0, inode: 0, size: 0, modified: None };
        let seen = Seen { look, since: Instant::now(), done: true, part: Some("part1".to_owned()) };
        feed.seen.insert(PathBuf::from("there"), seen);
        feed.forget();
        assert_eq!(feed.forgotten(), ["part0", "part2", "part3"]);
        assert_eq!(feed.parts.len(), PARTS);
        feed.forget();
        assert!(feed.forgotten().is_empty());
    }

    #[test]
    fn names_match_patterns_with_stars_and_question_marks() {
        for (pattern, name, is) in [
            ("*", "a", true),
            ("*.jrn", "day.jrn", true),
            ("*.jrn", "day.jrn.gz", false),
            ("A?D*", "AUD0042", true),
            ("A?D*", "AUUD", false),
            ("day", "day", true),
            ("", "x", false),
            ("**a*", "bab", true),
            ("*ab", "aab", true),
            ("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), is, "{pattern} {name}");
        }
    }
}
