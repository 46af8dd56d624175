//! The figures as a file that node_exporter's textfile collector and others read: written anew every ten seconds and renamed into its
//! place, so that nobody reads half of it.
use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

use crate::{agent, config::metrics};

/// How often the file is written.
const EVERY: Duration = Duration::from_secs(10);

/// Writes the file now and then.
pub struct MetricsFile {
    due: Instant,
    told: String,
    path: PathBuf,
    mode: u32,
}

impl MetricsFile {
    /// The first is written at once.
    pub fn new() -> MetricsFile {
        MetricsFile { due: Instant::now(), told: String::new(), path: PathBuf::new(), mode: 0 }
    }

    /// Another place, or other rights, from now on. What stands in the old place is not of this agent any more, and goes away.
    pub fn configure(&mut self, config: &metrics::MetricsConfig, state_dir: &Path) {
        let path = config.file.clone().unwrap_or_else(|| state_dir.join(metrics::NAME));
        if path == self.path && config.mode == self.mode {
            return;
        }
        if path != self.path && !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
        (self.path, self.mode, self.due) = (path, config.mode, Instant::now());
    }

    /// When it is to be written next.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Writes it. What cannot be written is told once: nothing depends on it.
    pub fn write(&mut self, text: &str) {
        self.due = Instant::now() + EVERY;
        let told = write(&self.path, self.mode, text).err().map_or(String::new(), |e| e.to_string());
        if !told.is_empty() && told != self.told {
            agent::log(format_args!("{}: {told}", self.path.display()));
        }
        self.told = told;
    }
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut new = OsString::from(path);
    new.push(".new");
    // What stands there is of an agent that was killed, or was put there: nothing is written through it.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    // Whatever the mask of the process takes away.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn h16_nothing_is_written_through_what_was_planted_for_the_metrics() {
        let dir = tempfile::tempdir().unwrap();
        let (other, new) = (dir.path().join("other"), dir.path().join("metrics.prom.new"));
        let plant: [fn(&Path, &Path) -> io::Result<()>; 2] = [|to, at| symlink(to, at), |to, at| fs::hard_link(to, at)];
        for (n, plant) in plant.iter().enumerate() {
            fs::write(&other, "precious").unwrap();
            plant(&other, &new).unwrap();
            write(&dir.path().join("metrics.prom"), 0o600, "figures").unwrap();
            assert_eq!(fs::read_to_string(&other).unwrap(), "precious", "{n}");
            let made = dir.path().join("metrics.prom");
            assert_eq!(fs::read_to_string(&made).unwrap(), "figures", "{n}");
            assert_eq!(fs::symlink_metadata(&made).unwrap().permissions().mode() & 0o777, 0o600, "{n}");
            assert!(fs::symlink_metadata(&made).unwrap().is_file(), "{n}");
        }
        // The rest of an agent that was killed, with any mode.
        fs::write(&new, "old").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).unwrap();
        write(&dir.path().join("metrics.prom"), 0o644, "new").unwrap();
        let made = fs::metadata(dir.path().join("metrics.prom")).unwrap();
        assert_eq!((made.len(), made.permissions().mode() & 0o777), (3, 0o644));
    }

    #[test]
    fn a_file_that_moves_leaves_nothing_old_behind() {
        let dir = tempfile::tempdir().unwrap();
        let config =
            |name: &str, mode| metrics::MetricsConfig { file: Some(dir.path().join(name)), mode, listen: None };
        let mut file = MetricsFile::new();
        file.configure(&metrics::MetricsConfig::default(), dir.path());
        file.write("one");
        file.configure(&config("agent.prom", 0o640), dir.path());
        assert!(!dir.path().join("metrics.prom").exists() && file.due() <= Instant::now());
        file.write("two");
        let made = fs::metadata(dir.path().join("agent.prom")).unwrap();
        assert_eq!((made.len(), made.permissions().mode() & 0o777), (3, 0o640));
        assert!(file.due() > Instant::now());
    }
}
