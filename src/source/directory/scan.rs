//! Looking which files of the folder are complete, and which of them need not be looked into again.
use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use super::{Complete, DirectoryFeed, KEPT_FILES, Order, Seen, dispose, order, retry::Retry, with_end};
use crate::source::{FeedError, FeedEvent, WAIT, follow::FileStat};

/// Names of files that are on their way, or marks of others.
const PASSED_OVER: [&str; 4] = [".done", ".tmp", ".part", ".filepart"];

/// How often the folder is looked through while files in it are not complete yet, or where nobody can tell whether it changed.
const SOON: Duration = Duration::from_secs(1);
/// How often where it did not change: files that were read may grow.
const LATER: Duration = Duration::from_secs(5);
/// How much longer than it takes to look through it a folder is left alone, however many files it has.
const SHARE: u32 = 500;

/// When the folder was looked through.
pub(super) struct Scanned {
    /// When that was done.
    at: Instant,
    /// How long it took.
    took: Duration,
    /// When a name in it changed last.
    changed: Option<SystemTime>,
    /// Files are there that are not complete.
    incomplete: bool,
    /// Something changed since.
    told: bool,
}

impl DirectoryFeed {
    /// Whether the folder is to be looked through: it has changed, or some time has passed.
    pub(super) fn is_scan_due(&self) -> bool {
        let Some(last) = &self.scanned else { return true };
        if last.at.elapsed() >= self.pause_behind(last) {
            return true;
        }
        // Where nothing is told of the folder, the time of its last change is looked at.
        let may_look = self.options.follow && last.at.elapsed() >= SOON && !last.incomplete && !self.missing;
        may_look && !self.waiter.is_told() && (last.changed.is_none() || last.changed != changed(&self.options.path))
    }

    /// How long the folder is left alone behind a look through it: the longer, the longer that took.
    fn pause_behind(&self, last: &Scanned) -> Duration {
        let pause = last.took * SHARE;
        if !self.options.follow {
            WAIT
        } else if last.told {
            pause.min(SOON)
        } else if last.incomplete || self.missing {
            pause.clamp(SOON, LATER)
        } else {
            pause.max(LATER)
        }
    }

    /// How long it is until that is due, if nothing changes.
    pub(super) fn scan_due_in(&self) -> Duration {
        self.scanned.as_ref().map_or(Duration::ZERO, |last| self.pause_behind(last).saturating_sub(last.at.elapsed()))
    }

    /// The folder was told to have changed.
    pub(super) fn mark_changed(&mut self) {
        if let Some(last) = &mut self.scanned {
            last.told = true;
        }
    }

    /// Looks which files are complete. Whether some are there that are not yet.
    pub(super) fn scan(&mut self) -> Result<bool, FeedError> {
        let (began, changed) = (Instant::now(), changed(&self.options.path));
        if self.scanned.is_none() {
            self.say.extend(
                dispose::finish_interrupted(&self.options.path, &self.options.after).into_iter().map(FeedEvent::Log),
            );
        }
        let result = self.look_through();
        let incomplete = *result.as_ref().unwrap_or(&true);
        self.scanned = Some(Scanned { at: Instant::now(), took: began.elapsed(), changed, incomplete, told: false });
        result
    }

    fn look_through(&mut self) -> Result<bool, FeedError> {
        let io = |source: io::Error| {
            let advice = match source.kind() {
                io::ErrorKind::NotFound => " (is the path right? With follow = true a folder is waited for)",
                io::ErrorKind::NotADirectory => " (a file is read with kind = \"capture\")",
                io::ErrorKind::PermissionDenied => " (the user that the agent runs as needs the right to read it)",
                _ => "",
            };
            FeedError::Io { what: format!("{}: cannot look into it{advice}", self.options.path.display()), source }
        };
        let mut found: Vec<(OsString, FileStat)> = Vec::new();
        let mut incomplete = false;
        let (mut there, mut others) = (HashSet::new(), HashSet::new());
        let entries = match fs::read_dir(&self.options.path) {
            Err(e) if self.options.follow && e.kind() == io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.missing, true) {
                    let text = format!("{} is not there yet: waiting for it", self.options.path.display());
                    self.say.push_back(FeedEvent::Log(text));
                }
                return Ok(false);
            }
            entries => entries.map_err(io)?,
        };
        self.missing = false;
        for entry in entries {
            let entry = entry.map_err(io)?;
            let (path, name) = (entry.path(), entry.file_name());
            let text = name.to_string_lossy();
            if text.starts_with('.') || PASSED_OVER.iter().any(|end| text.ends_with(end)) {
                continue;
            }
            if !matches(self.options.pattern.as_bytes(), text.as_bytes()) {
                continue;
            }
            // Gone between the two: it is not there. What a link points to is not in this folder.
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            if !meta.is_file() {
                let kind = meta.file_type();
                // Folders stand in folders, such as the one for files that are done.
                if !kind.is_dir() && self.passed_over.insert(path.clone()) {
                    let what = if kind.is_symlink() { "a symbolic link" } else { "no regular file" };
                    let text =
                        format!("{}: not read: it is {what}; put the file itself into the folder", path.display());
                    self.say.push_back(FeedEvent::Log(text));
                }
                others.insert(path);
                continue;
            }
            let stat = FileStat::of(&meta);
            there.insert(path.clone());
            let new = Seen { stat, since: Instant::now(), done: false, key: None, retry: None };
            let seen = self.seen.entry(path.clone()).or_insert_with(|| new.clone());
            if seen.stat != stat {
                *seen = new;
            }
            let (since, done) = (seen.since, seen.done);
            if seen.retry.as_ref().is_some_and(Retry::is_pausing) {
                incomplete = true;
                continue;
            }
            if done || self.reading.as_ref().is_some_and(|r| r.path == path) {
                continue;
            }
            if self.is_complete(&path, &stat, since) {
                found.push((name, stat));
            } else {
                incomplete = true;
            }
        }
        self.seen.retain(|path, _| there.contains(path));
        self.passed_over.retain(|path| others.contains(path));
        match self.options.order {
            Order::Name => found.sort_by_cached_key(|(name, _)| order::key(name)),
            Order::Time => found.sort_by_cached_key(|(name, stat)| (stat.modified, order::key(name))),
        }
        self.queue = found.into_iter().map(|(name, stat)| (self.options.path.join(name), stat)).collect();
        Ok(incomplete)
    }

    fn is_complete(&self, path: &Path, stat: &FileStat, since: Instant) -> bool {
        match self.options.complete {
            Complete::Rename => true,
            Complete::Done => with_end(path, ".done").exists(),
            Complete::Stable(quiet) => {
                let age = stat.modified.and_then(|m| SystemTime::now().duration_since(m).ok());
                since.elapsed() >= quiet || age.is_some_and(|a| a >= quiet)
            }
        }
    }

    /// Marks a file as one that need not be looked into until it changes.
    pub(super) fn settle(&mut self, path: &Path, key: Option<String>) {
        if let Some(seen) = self.seen.get_mut(path) {
            seen.done = true;
            seen.key = key;
            seen.retry = None;
        }
    }

    /// Forgets the files that were read longest ago, where there are very many; never one that is in the folder. To be
    /// called when every file that is there is known.
    pub(super) fn forget(&mut self) {
        let Some(over) = self.files.len().checked_sub(KEPT_FILES).filter(|n| *n > 0) else { return };
        let there: HashSet<&str> = self.seen.values().filter_map(|s| s.key.as_deref()).collect();
        let mut old: Vec<(i64, &String)> =
            self.files.iter().filter(|(name, _)| !there.contains(name.as_str())).map(|(n, (_, b))| (*b, n)).collect();
        old.sort_unstable();
        let old: Vec<String> = old.into_iter().take(over).map(|(_, name)| name.clone()).collect();
        for name in &old {
            self.files.remove(name);
        }
        self.forgotten.extend(old);
    }
}

/// When a name in a folder changed last.
fn changed(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder).and_then(|m| m.modified()).ok()
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
        let files: BTreeMap<String, (String, i64)> =
            (0..KEPT_FILES as i64 + 3).map(|n| (format!("part{n}"), (place.clone(), n))).collect();
        let catalog = Arc::new(Catalog::shipped().unwrap());
        let opener = Opener::new(&catalog, Charset::ebcdic(37).unwrap(), Wanted::default());
        let mut feed = DirectoryFeed::new(options, opener, files);
        let stat = FileStat { device: 0, inode: 0, size: 0, modified: None };
        let seen = Seen { stat, since: Instant::now(), done: true, key: Some("part1".to_owned()), retry: None };
        feed.seen.insert(PathBuf::from("there"), seen);
        feed.forget();
        assert_eq!(feed.take_forgotten(), ["part0", "part2", "part3"]);
        assert_eq!(feed.files.len(), KEPT_FILES);
        feed.forget();
        assert!(feed.take_forgotten().is_empty());
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
