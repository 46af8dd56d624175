//! Opening the next file of a folder: which of the places that are known is its own, and what is said where none is, though one begins alike.
use std::{collections::HashMap, io, path::Path};

use super::{DirectoryFeed, Reading};
use crate::source::{CaptureError, FeedError, FeedEvent, FilePlace, follow::FileStat};

impl DirectoryFeed {
    /// Opens the next file of the queue where there is something new in it.
    pub(super) fn open(&mut self) -> Option<()> {
        let (path, stat) = self.queue.pop_front()?;
        if stat.size == 0 {
            self.settle(&path, None);
            self.say.push_back(FeedEvent::Log(format!("{} is empty", path.display())));
            return Some(());
        }
        match self.look_into(&path, stat) {
            Ok(()) => {}
            Err(e) if self.is_not_now(&e) => self.retry(&path, e.to_string()),
            Err(e) => {
                self.settle(&path, None);
                // A file that was taken away meanwhile was never complete.
                let gone = matches!(&e, FeedError::Capture(CaptureError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound);
                if !gone {
                    let text = format!("a file cannot be read, and stays where it is: {e}");
                    self.say.push_back(FeedEvent::Incomplete { text, newly: true });
                }
            }
        }
        Some(())
    }

    /// Opens a file, and goes on in it where it was read before: its first bytes say which of the places is its own.
    fn look_into(&mut self, path: &Path, stat: FileStat) -> Result<(), FeedError> {
        let mut capture = self.opener.open_file(path)?;
        // Another file, or what a link points to, came under the name: it is looked at anew.
        if !FileStat::of(&capture.metadata()?).is_same_file(&stat) {
            self.seen.remove(path);
            return Ok(());
        }
        let mut known: Option<(String, FilePlace, i64)> = None;
        let mut begins_alike: Option<String> = None;
        // Most files have the same length of front: each is read once.
        let mut fronts: HashMap<u64, String> = HashMap::new();
        for (name, (place, batch)) in &self.files {
            let front = match fronts.get(&place.front_length) {
                Some(front) => front.clone(),
                None => {
                    let front = FilePlace::front_of(&capture, place.front_length)?;
                    fronts.insert(place.front_length, front.clone());
                    front
                }
            };
            if front != place.front {
                continue;
            }
            if !place.is_in(&capture)? {
                begins_alike = Some(place.front.clone());
            } else if known.as_ref().is_none_or(|(_, best, _)| best.order() < place.order()) {
                known = Some((name.clone(), place.clone(), *batch));
            }
        }
        let heading = capture.found().heading.clone();
        let mut undecodable = 0;
        let (key, batch) = match known {
            Some((key, place, batch)) => {
                undecodable = place.undecodable;
                if let Some(from) = place.resume(&mut capture)? {
                    let text = format!("{}: the record that was cut off at byte {from} is read again", path.display());
                    self.say.push_back(FeedEvent::Rewound(text));
                }
                // The shorter one keeps its place, so that it is known when it comes again.
                let grown = capture.file_size()? > place.offset;
                let base = key.split_once('+').map_or(key.as_str(), |(base, _)| base);
                (Some(if grown { format!("{base}+{}", place.offset) } else { key }), batch)
            }
            None => (None, 0),
        };
        let key = match (key, begins_alike) {
            (None, Some(front)) => {
                self.say.push_back(FeedEvent::Rewound(format!(
                    "{}: it begins as a file that was read, but is not the same: it is read from its start",
                    path.display()
                )));
                // The other file keeps its place too.
                (1..).map(|n| format!("{front}~{n}")).find(|name| !self.files.contains_key(name))
            }
            (key, _) => key,
        };
        let path = path.to_owned();
        let undecodable_before = undecodable;
        self.reading = Some(Reading {
            path,
            stat,
            capture,
            heading,
            key,
            batch,
            broken: false,
            undecodable,
            undecodable_before,
            not_now: None,
        });
        Ok(())
    }
}
