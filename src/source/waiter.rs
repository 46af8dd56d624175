//! Waiting for more of a file or a folder.
//!
//! The system tells where it can: of what is on a disk of this machine ([`watch`]). Elsewhere (a network mount, where others write
//! unseen; another system; no more watches to be had) it is looked again with pauses that grow to a second. The end of the agent ends
//! each wait.
#[cfg(target_os = "linux")]
mod watch;

use std::{
    io::Read,
    os::{fd::BorrowedFd, unix::net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

#[cfg(not(target_os = "linux"))]
use self::untold::Watch;
#[cfg(target_os = "linux")]
use self::watch::Watch;
use super::{MOST, TOLD, WAIT};

/// How long more is waited for behind a change: whoever writes often is not looked at with each write.
const GATHER: Duration = Duration::from_millis(20);

/// How long is waited where nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// As long as the system tells of changes; else as [`Until::Soon`].
    Told,
    /// A pause that grows to a second: something is to be looked at though nothing changes.
    Soon,
    /// So long.
    After(Duration),
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something changed.
    Changed,
    /// The time is over, or the end begins.
    Time,
}

/// See the module. To be used by a thread, and not by a task: it is the kernel that wakes it.
#[derive(Default)]
pub struct Waiter {
    end: Option<End>,
    pause: Duration,
    watch: Watch,
}

/// A socket whose other end is closed when the end begins.
struct End {
    socket: UnixStream,
    /// Without a waiter nobody waits for the end.
    _guard: DropGuard,
}

impl End {
    /// `None` outside of a runtime, and where the system has no descriptors to give: then a wait ends by its time.
    fn of(stop: &CancellationToken) -> Option<End> {
        let runtime = Handle::try_current().ok()?;
        let (socket, theirs) = UnixStream::pair().ok()?;
        socket.set_nonblocking(true).ok()?;
        let stop = stop.child_token();
        let guard = stop.clone().drop_guard();
        runtime.spawn(async move {
            stop.cancelled().await;
            drop(theirs);
        });
        Some(End { socket, _guard: guard })
    }

    /// Whether the end has begun.
    fn has_begun(&self) -> bool {
        matches!((&self.socket).read(&mut [0]), Ok(0))
    }
}

/// What is ready.
#[derive(PartialEq, Eq)]
enum Ready {
    End,
    Watch,
    Nothing,
}

impl Waiter {
    /// Waits end when this does.
    pub fn until(&mut self, stop: &CancellationToken) {
        self.end = End::of(stop);
    }

    /// From now on changes of the file of this name are waited for, whichever it is then.
    pub fn watch_file(&mut self, path: &Path) {
        self.watch.file(path);
    }

    /// From now on files that come into this folder, or go out of it, are waited for, and those that are written and closed.
    pub fn watch_folder(&mut self, path: &Path) {
        self.watch.folder(path);
    }

    /// Whether every change is told.
    pub fn is_told(&self) -> bool {
        self.watch.is_sure()
    }

    /// Something came: pauses begin anew.
    pub fn reset(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// Waits for a change since it was asked for, but not longer than that.
    pub fn wait(&mut self, until: Until) -> Woken {
        let limit = match until {
            Until::After(time) => time,
            Until::Told if self.watch.is_sure() => TOLD,
            Until::Told | Until::Soon => {
                self.pause = (self.pause * 3 / 2).clamp(WAIT, MOST);
                self.pause
            }
        };
        // Of an end that is not told it is asked often enough.
        let limit = if self.end.is_some() { limit } else { limit.min(MOST) };
        let end = Instant::now() + limit;
        loop {
            match ready(self.end.as_ref(), self.watch.descriptor(), end) {
                Ready::Watch if self.watch.take() => {
                    ready(self.end.as_ref(), None, Instant::now() + GATHER);
                    return Woken::Changed;
                }
                // Of something else in the same folder.
                Ready::Watch => {}
                Ready::End | Ready::Nothing => return Woken::Time,
            }
        }
    }
}

/// Waits for one of the two, until then.
fn ready(end: Option<&End>, watch: Option<BorrowedFd<'_>>, until: Instant) -> Ready {
    loop {
        let mut ends: Vec<PollFd<'_>> = end.iter().map(|e| PollFd::new(&e.socket, PollFlags::IN)).collect();
        let own = ends.len();
        ends.extend(watch.iter().map(|w| PollFd::new(w, PollFlags::IN)));
        let left = until.saturating_duration_since(Instant::now());
        let limit =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let found = poll(&mut ends, Some(&limit));
        if found == Err(Errno::INTR) {
            continue;
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        if end.is_some_and(End::has_begun) {
            return Ready::End;
        }
        return if ends.iter().skip(own).any(is_ready) { Ready::Watch } else { Ready::Nothing };
    }
}

/// Systems that tell nothing that is understood here.
#[cfg(not(target_os = "linux"))]
mod untold {
    use std::{os::fd::BorrowedFd, path::Path};

    /// Never tells.
    #[derive(Default)]
    pub struct Watch;

    impl Watch {
        pub fn file(&mut self, _: &Path) {}

        pub fn folder(&mut self, _: &Path) {}

        pub fn is_sure(&self) -> bool {
            false
        }

        pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        pub fn take(&self) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::*;

    /// Longer than any test waits: what ends such a wait is a change.
    const LONG: Until = Until::After(Duration::from_secs(600));

    /// One that nobody ends.
    fn waiter() -> Waiter {
        let mut waiter = Waiter::default();
        waiter.until(&CancellationToken::new());
        waiter
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn without_a_watch_pauses_grow_to_a_second_and_begin_anew_when_something_came() {
        let mut waiter = Waiter::default();
        let wait = |waiter: &mut Waiter| {
            let began = Instant::now();
            assert_eq!(waiter.wait(Until::Soon), Woken::Time);
            began.elapsed()
        };
        assert!(wait(&mut waiter) >= WAIT);
        assert_eq!(waiter.pause, WAIT);
        for _ in 0..10 {
            waiter.pause = (waiter.pause * 3 / 2).min(MOST);
        }
        assert_eq!(waiter.pause, MOST);
        waiter.reset();
        wait(&mut waiter);
        assert_eq!(waiter.pause, WAIT);
    }

    #[test]
    fn the_end_ends_a_wait_at_once() {
        let runtime = runtime();
        let _in = runtime.enter();
        let mut waiter = Waiter::default();
        let stop = CancellationToken::new();
        waiter.until(&stop);
        let end = std::thread::spawn(move || stop.cancel());
        assert_eq!(waiter.wait(LONG), Woken::Time);
        end.join().unwrap();
        assert_eq!(waiter.wait(LONG), Woken::Time);
    }

    #[cfg(target_os = "linux")]
    #[cfg_attr(target_endian = "big", ignore = "inotify under qemu-user is not what is tested")]
    #[test]
    fn changes_of_a_file_are_told_and_those_of_its_neighbours_are_not() {
        use std::io::Write;
        let runtime = runtime();
        let _in = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("day"), dir.path().join("other"));
        let mut waiter = waiter();
        waiter.watch_file(&path);
        // It comes to be, it grows, it is renamed, and another one comes under its name.
        let append = |path: &Path| {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(b"more").unwrap();
        };
        let steps: [&dyn Fn(); 4] =
            [&|| append(&path), &|| append(&path), &|| fs::rename(&path, dir.path().join("old")).unwrap(), &|| {
                append(&path)
            }];
        for (n, step) in steps.iter().enumerate() {
            append(&other);
            assert_eq!(waiter.wait(Until::After(Duration::from_millis(1))), Woken::Time, "{n}");
            step();
            assert_eq!(waiter.wait(LONG), Woken::Changed, "{n}");
            // What came meanwhile is part of it.
            waiter.watch_file(&path);
            while waiter.wait(Until::After(Duration::from_millis(1))) == Woken::Changed {}
        }
    }

    #[cfg(target_os = "linux")]
    #[cfg_attr(target_endian = "big", ignore = "inotify under qemu-user is not what is tested")]
    #[test]
    fn what_comes_into_a_folder_is_told_and_a_folder_that_is_not_there_is_looked_for() {
        let runtime = runtime();
        let _in = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("in");
        let mut waiter = waiter();
        waiter.watch_folder(&folder);
        assert!(!waiter.is_told());
        fs::create_dir(&folder).unwrap();
        waiter.watch_folder(&folder);
        fs::write(folder.join("a"), "x").unwrap();
        assert_eq!(waiter.wait(LONG), Woken::Changed);
        fs::rename(dir.path().join("in"), dir.path().join("out")).unwrap();
        assert_eq!(waiter.wait(LONG), Woken::Changed);
        waiter.watch_folder(&folder);
        assert!(!waiter.is_told());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_link_and_what_is_no_file_of_a_disk_are_looked_at() {
        let runtime = runtime();
        let _in = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("day"), dir.path().join("link"));
        fs::write(&path, "x").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [link.as_path(), Path::new("/proc/self/status"), Path::new("/nowhere/day")] {
            let mut waiter = waiter();
            waiter.watch_file(path);
            assert!(!waiter.is_told(), "{}", path.display());
        }
    }
}
