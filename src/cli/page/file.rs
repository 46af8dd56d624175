//! The file of the page: opened before the captures are read, so that a wrong path costs no waiting; written at the
//! end, so that a run that fails leaves an older page as it was.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use crate::{cli::exit::Failure, encode::escape::printable};

/// An open file that is to become the page.
pub struct PageFile {
    path: PathBuf,
    file: File,
    /// It was not there before: a run that fails takes it away again.
    is_new: bool,
}

impl PageFile {
    /// Opens it; what is in it stays until [`PageFile::write`].
    pub fn open(path: &Path, captures: &[PathBuf]) -> Result<PageFile, Failure> {
        let real = |path: &Path| fs::canonicalize(path).ok();
        let own = real(path);
        if own.is_some() && captures.iter().any(|c| real(c) == own) {
            return Err(Failure::usage(anyhow!("--html {}: this is one of the captures", shown(path))));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|e| failure(path, &e))?;
        Ok(PageFile { path: path.to_owned(), file, is_new: own.is_none() })
    }

    /// Writes it.
    pub fn write(mut self, html: &str) -> Result<(), Failure> {
        self.is_new = false;
        self.put(html.as_bytes()).map_err(|e| failure(&self.path, &e))
    }

    fn put(&mut self, html: &[u8]) -> io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(html)
    }
}

impl Drop for PageFile {
    fn drop(&mut self) {
        if self.is_new {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn failure(path: &Path, e: &io::Error) -> Failure {
    Failure::failed(anyhow!("cannot write {}: {e}", shown(path)))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}
