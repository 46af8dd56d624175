//! The control socket as a file: made such that only its owner gets in, found from the state folder, taken away at the end.
use std::{
    fs, io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use crate::net::unix::{self, SocketFile};

/// Who can connect: its owner, and root.
const MODE: u32 = 0o600;

/// The socket, and the link by which it is found, until it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    file: SocketFile,
    sign: Option<PathBuf>,
}

impl ControlSocket {
    /// Makes it. A `sign` is a link to it in the state folder, where the socket itself is elsewhere.
    pub fn open(path: &Path, sign: Option<PathBuf>) -> io::Result<(UnixListener, ControlSocket)> {
        let (listener, file) = unix::listen(path, MODE)?;
        let sign = sign.filter(|sign| sign != path);
        if let Some(sign) = &sign {
            // What an agent before this one left, as a link or as its socket: nobody else has this name in a state folder.
            match fs::remove_file(sign) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            std::os::unix::fs::symlink(path, sign)?;
        }
        Ok((listener, ControlSocket { file, sign }))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let Some(sign) = &self.sign else { return };
        if fs::read_link(sign).is_ok_and(|to| to == self.file.path()) {
            let _ = fs::remove_file(sign);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::MetadataExt as _, net::UnixStream};

    use super::*;

    #[test]
    fn it_is_found_from_the_state_folder_and_gone_behind_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        let (path, sign) = (dir.path().join("run"), dir.path().join("state"));
        // As an agent leaves it that was killed.
        fs::write(&sign, "").unwrap();
        let (_listener, socket) = ControlSocket::open(&path, Some(sign.clone())).unwrap();
        assert!(UnixStream::connect(&sign).is_ok());
        assert_eq!(fs::metadata(&sign).unwrap().mode() & 0o777, 0o600);
        drop(socket);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // In the state folder itself there is no link.
        let (_listener, socket) = ControlSocket::open(&sign, Some(sign.clone())).unwrap();
        assert!(UnixStream::connect(&sign).is_ok());
        drop(socket);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
