//! What Linux tells of files and folders (inotify).
//!
//! Each watch is asked for before something is looked at, so that nothing is missed between the look and the wait. An instance of inotify
//! is one descriptor, of which a user has 128 at first (`fs.inotify.max_user_instances`): without one it is looked with pauses.
use std::{
    ffi::OsString,
    fs,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        statfs,
    },
    io::Errno,
};

/// File systems of this machine's own disks and memory, by their magic numbers (linux/magic.h): all that is written there is told. Through
/// others, such as NFS, SMB, FUSE and 9p, others may write.
const LOCAL: [u64; 9] = [
    0xEF53,      // ext2 to ext4
    0x5846_5342, // XFS
    0x9123_683E, // Btrfs
    0x0102_1994, // tmpfs
    0x794C_7630, // overlay, as in containers
    0x2FC1_2FC1, // ZFS
    0xF2F5_2010, // F2FS
    0x3153_464A, // JFS
    0x8584_58F6, // ramfs
];

/// What is asked for of the folder of a file: which file has its name.
const NAMES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR);
/// Of a file itself.
const BYTES: WatchFlags =
    WatchFlags::MODIFY.union(WatchFlags::ATTRIB).union(WatchFlags::MOVE_SELF).union(WatchFlags::DELETE_SELF);
/// What concerns the folder itself, or all that is watched.
const ITSELF: ReadFlags =
    ReadFlags::MOVE_SELF.union(ReadFlags::DELETE_SELF).union(ReadFlags::UNMOUNT).union(ReadFlags::QUEUE_OVERFLOW);

/// What is watched.
#[derive(Default)]
pub struct Watch {
    inotify: Option<OwnedFd>,
    folder: Option<i32>,
    file: Option<i32>,
    /// The name within the folder that counts; `None` where all do.
    name: Option<OsString>,
    sure: bool,
}

impl Watch {
    /// Changes of the file of this name are told from now on.
    pub fn file(&mut self, path: &Path) {
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        self.name = path.file_name().map(ToOwned::to_owned);
        self.watch_folder(&parent, NAMES);
        let before = self.file.take();
        let file = self.add(path, BYTES);
        self.file = file.ok();
        if let Some(before) = before.filter(|before| self.file != Some(*before)) {
            self.remove(before);
        }
        // A link may come to lead elsewhere, in folders that are not watched.
        let is_link = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
        let is_watched = match file {
            Ok(_) => is_local(path),
            Err(e) => e == Errno::NOENT,
        };
        self.sure &= is_watched && !is_link;
    }

    /// Files that come into this folder, go, or are closed by who wrote them, are told from now on.
    pub fn folder(&mut self, path: &Path) {
        self.watch_folder(path, NAMES | WatchFlags::CLOSE_WRITE);
    }

    fn watch_folder(&mut self, path: &Path, flags: WatchFlags) {
        let before = self.folder.take();
        self.folder = self.add(path, flags).ok();
        if let Some(before) = before.filter(|before| self.folder != Some(*before)) {
            self.remove(before);
        }
        self.sure = self.folder.is_some() && is_local(path);
    }

    /// Whether every change is told.
    pub fn is_sure(&self) -> bool {
        self.sure
    }

    /// Asks for the events of a path. The same file has the same number.
    fn add(&mut self, path: &Path, flags: WatchFlags) -> Result<i32, Errno> {
        let inotify = match self.inotify.take() {
            Some(inotify) => inotify,
            None => inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
        };
        let inotify = self.inotify.insert(inotify);
        inotify::add_watch(inotify, path, flags)
    }

    fn remove(&self, watch: i32) {
        // It is gone by itself where the file is.
        let _ = self.inotify.as_ref().map(|i| inotify::remove_watch(i, watch));
    }

    /// What is readable when something changed.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Takes all that was told; whether some of it counts.
    pub fn take(&self) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut counts = false;
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_bytes());
            let in_folder = Some(event.wd()) == self.folder
                && self
                    .name
                    .as_ref()
                    .is_none_or(|own| name == Some(own.as_bytes()) || event.events().intersects(ITSELF));
            let is_file = Some(event.wd()) == self.file && !event.events().contains(ReadFlags::IGNORED);
            counts |= in_folder || is_file || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        }
        counts
    }
}

fn is_local(path: &Path) -> bool {
    statfs(path).is_ok_and(|fs| u64::try_from(fs.f_type).is_ok_and(|kind| LOCAL.contains(&kind)))
}
