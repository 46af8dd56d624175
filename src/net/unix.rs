//! Unix sockets that others connect to, made such that nobody gets in who may not, at no moment.
use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// The longest path of a Unix socket: systems take 107 bytes, of which 14 are for the name under which it is made.
pub const LONGEST_PATH: usize = 93;

/// The name of a socket, which is taken away behind it, unless another one is there by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    mark: Option<Mark>,
}

impl SocketFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if mark(&self.path) == self.mark {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device, inode and time of a file: the number of an inode is used again at once.
type Mark = (u64, u64, i64, i64);

fn mark(path: &Path) -> Option<Mark> {
    fs::symlink_metadata(path).ok().map(|m| (m.dev(), m.ino(), m.mtime(), m.mtime_nsec()))
}

/// How many bytes a path of a socket is too long to be made here; 0 for one that is short enough.
pub fn excess(path: &Path) -> usize {
    path.as_os_str().len().saturating_sub(LONGEST_PATH)
}

/// Makes a Unix socket that those whom the mode names can write to, and nobody else at any moment; it never waits. One that nobody
/// listens on is left over and taken away; anything else at the path stays, and is an error.
pub fn listen(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Ok(m) if m.file_type().is_socket() => match UnixStream::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(e) => return Err(e),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there")),
        },
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something is there that is no socket")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut folder = path.as_os_str().to_owned();
    folder.push(format!(".{}.new", std::process::id()));
    let folder = PathBuf::from(folder);
    let inner = folder.join("s");
    // What an agent of the same number left behind when it was killed.
    let _ = fs::remove_file(&inner);
    let _ = fs::remove_dir(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = UnixListener::bind(&inner).and_then(|listener| {
        fs::set_permissions(&inner, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        // A link, because that never replaces what came to be there meanwhile.
        fs::hard_link(&inner, path)?;
        Ok((listener, SocketFile { path: path.to_owned(), mark: mark(path) }))
    });
    let _ = fs::remove_file(&inner);
    let _ = fs::remove_dir(&folder);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_left_over_is_replaced_and_one_that_answers_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (first, file) = listen(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(listen(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // As kill -9 leaves it.
        drop(first);
        let (_second, second_file) = listen(&path, 0o600).unwrap();
        // The first one goes last: what is there by then is not its own.
        drop(file);
        assert!(UnixStream::connect(&path).is_ok());
        drop(second_file);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert_eq!(listen(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_path_is_too_long_where_the_system_refuses_it() {
        let dir = tempfile::tempdir().unwrap();
        let room = LONGEST_PATH - dir.path().as_os_str().len() - 1;
        let longest = dir.path().join("x".repeat(room));
        assert_eq!((excess(&longest), listen(&longest, 0o600).is_ok()), (0, true));
        assert_eq!(excess(&dir.path().join("x".repeat(room + 7))), 7);
        assert!(listen(&dir.path().join("x".repeat(108)), 0o600).is_err());
    }
}
