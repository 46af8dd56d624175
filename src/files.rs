//! Opening files whose names somebody else may write to: never waiting for a pipe to have a writer, and judged by what was
//! opened, not by what goes by the name a moment later.
use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

/// Opens a file to be read. What is no regular file is an error ([`io::ErrorKind::InvalidInput`]) that says what it is.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "a device or a socket"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a file, found {what}")))
}

/// All of a file that has no more than so many bytes; one that has more is an error.
pub fn read_regular(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(at_most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most {
        let text = format!("expected {at_most} bytes at most, found more");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn h6_a_pipe_is_refused_at_once_and_a_file_that_is_too_long_too() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, file) = (dir.path().join("pipe"), dir.path().join("file"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read_regular(&pipe, 10).unwrap_err().to_string().contains("found a named pipe"));
        assert!(read_regular(dir.path(), 10).unwrap_err().to_string().contains("found a directory"));
        fs::write(&file, "12345").unwrap();
        assert_eq!(read_regular(&file, 5).unwrap(), b"12345");
        assert!(read_regular(&file, 4).unwrap_err().to_string().contains("at most"));
    }
}
