//! The agent in numbers, as a file that node_exporter's textfile collector and others read: `metrics.prom` in the state
//! folder, in the text format of Prometheus, written anew every ten seconds and renamed into its place.
use std::{fmt::Write as _, fs, io, path::Path, time::Duration};

use tokio::time::Instant;

use super::totals::{OutputTotals, SourceTotals, Totals};
use crate::encode::escape::printable;

/// How often the file is written.
const EVERY: Duration = Duration::from_secs(10);

/// Writes the file now and then.
pub struct Metrics {
    due: Instant,
    told: bool,
}

/// What is said of the agent as a whole.
pub struct Whole<'a> {
    /// Hash of the configuration in force.
    pub configuration: &'a str,
    /// Since the start.
    pub uptime: Duration,
    /// Bytes of the spool.
    pub spool: u64,
    /// Bytes it may have.
    pub spool_max: u64,
    /// Transactions that stored batches, since the start.
    pub commits: u64,
}

impl Metrics {
    /// The first file is written at once.
    pub fn new() -> Metrics {
        Metrics { due: Instant::now(), told: false }
    }

    /// When it is to be written next.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Writes the file. What cannot be written is told once: nothing depends on it.
    pub fn write(&mut self, folder: &Path, text: &str) {
        self.due = Instant::now() + EVERY;
        let result = write(folder, text);
        if let Err(e) = &result
            && !self.told
        {
            super::log(format_args!("{}: {e}", folder.join("metrics.prom").display()));
        }
        self.told = result.is_err();
    }
}

fn write(folder: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let new = folder.join("metrics.prom.new");
    // What stands there is of an agent that was killed, or was put there: nothing is written through it.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    fs::rename(&new, folder.join("metrics.prom"))
}

type Figure<T> = (&'static str, &'static str, &'static str, fn(&T) -> u64);

/// Name, kind, help and value.
const SOURCE: [Figure<SourceTotals>; 9] = [
    ("read_total", "counter", "Records read", |s| s.read),
    ("filtered_total", "counter", "Entries dropped by rules", |s| s.filtered),
    ("refused_total", "counter", "Entries refused because the spool was nearly full", |s| s.refused),
    ("parked_total", "counter", "Records that are no entries", |s| s.parked),
    ("spooled_total", "counter", "Entries spooled", |s| s.spooled),
    ("gaps_total", "counter", "Gaps seen: entries may be missing", |s| s.gaps),
    ("missing_entries_total", "counter", "Sequence numbers known to be missing", |s| s.missing),
    ("up", "gauge", "1 where it is read, or was read to its end; 0 where it cannot be", |s| u64::from(s.up)),
    ("down_seconds", "gauge", "Seconds since it was last read, where it cannot be; else 0", |s| s.down_seconds),
];
const OUTPUT: [Figure<OutputTotals>; 9] = [
    ("sent_total", "counter", "Entries delivered", |o| o.sent),
    ("refused_total", "counter", "Entries whose datagrams nobody took: lost", |o| o.refused),
    ("notices_total", "counter", "Events of the agent itself that were delivered", |o| o.notices),
    ("filtered_total", "counter", "Events dropped by the filter of the output", |o| o.filtered),
    ("unreadable_total", "counter", "Stored events that cannot be read again", |o| o.unreadable),
    ("resent_total", "counter", "Events sent once more", |o| o.resent),
    ("unconfirmed", "gauge", "Entries sent on a connection that ended before they arrived, and not again yet", |o| {
        o.unconfirmed
    }),
    ("waiting", "gauge", "Events not delivered yet", |o| o.waiting),
    ("answered", "gauge", "1 where a receiver answered, as none of syslog does: a wrong port?", |o| {
        u64::from(o.answered)
    }),
];

/// The text of the file.
pub fn text(totals: &Totals, whole: &Whole<'_>) -> String {
    let mut t = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let hash = whole.configuration;
    head(&mut t, "qaudjrn_info", "gauge", "Version, and the hash of the configuration in force");
    let _ = writeln!(t, "qaudjrn_info{{version=\"{version}\",configuration=\"{hash}\"}} 1");
    for (name, help, value) in [
        ("uptime_seconds", "Seconds since the start", whole.uptime.as_secs()),
        ("spool_bytes", "Bytes of database, write-ahead log and reserve", whole.spool),
        ("spool_max_bytes", "Bytes the spool may have", whole.spool_max),
    ] {
        head(&mut t, &format!("qaudjrn_{name}"), "gauge", help);
        let _ = writeln!(t, "qaudjrn_{name} {value}");
    }
    head(&mut t, "qaudjrn_spool_commits_total", "counter", "Transactions that stored batches, each synced once");
    let _ = writeln!(t, "qaudjrn_spool_commits_total {}", whole.commits);
    each(&mut t, "source", &SOURCE, &totals.sources);
    each(&mut t, "output", &OUTPUT, &totals.outputs);
    t
}

fn head(t: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(t, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn each<T>(t: &mut String, of: &str, figures: &[Figure<T>], all: &[(String, T)]) {
    for (figure, kind, help, value) in figures {
        let name = format!("qaudjrn_{of}_{figure}");
        head(t, &name, kind, help);
        for (label, totals) in all {
            // Nothing in it that a terminal obeys, and the characters that a label value escapes.
            let label = printable(label).replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(t, "{name}{{{of}=\"{label}\"}} {}", value(totals));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn h16_nothing_is_written_through_what_was_planted_for_the_metrics() {
        let dir = tempfile::tempdir().unwrap();
        let (other, new) = (dir.path().join("other"), dir.path().join("metrics.prom.new"));
        let plant: [fn(&Path, &Path) -> io::Result<()>; 2] = [|to, at| symlink(to, at), |to, at| fs::hard_link(to, at)];
        for (n, plant) in plant.iter().enumerate() {
            fs::write(&other, "precious").unwrap();
            plant(&other, &new).unwrap();
            write(dir.path(), "figures").unwrap();
            assert_eq!(fs::read_to_string(&other).unwrap(), "precious", "{n}");
            let made = dir.path().join("metrics.prom");
            assert_eq!(fs::read_to_string(&made).unwrap(), "figures", "{n}");
            assert_eq!(fs::symlink_metadata(&made).unwrap().permissions().mode() & 0o777, 0o600, "{n}");
            assert!(fs::symlink_metadata(&made).unwrap().is_file(), "{n}");
        }
        // The rest of an agent that was killed, with any mode.
        fs::write(&new, "old").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).unwrap();
        write(dir.path(), "new").unwrap();
        let made = fs::metadata(dir.path().join("metrics.prom")).unwrap();
        assert_eq!((made.len(), made.permissions().mode() & 0o777), (3, 0o600));
    }

    #[test]
    fn every_figure_has_its_kind_and_a_line_for_each_source_and_output() {
        let totals = Totals {
            sources: vec![("a\"b\n\u{1b}".into(), SourceTotals { read: 7, gaps: 1, ..SourceTotals::default() })],
            outputs: vec![("qradar".into(), OutputTotals { waiting: 3, ..OutputTotals::default() })],
            failed: false,
            damaged: 0,
        };
        let whole =
            Whole { configuration: "abc", uptime: Duration::from_secs(5), spool: 10, spool_max: 20, commits: 4 };
        let text = text(&totals, &whole);
        for line in [
            "# TYPE qaudjrn_source_gaps_total counter",
            r#"qaudjrn_source_gaps_total{source="a\"b\\x0a\\x1b"} 1"#,
            r#"qaudjrn_source_read_total{source="a\"b\\x0a\\x1b"} 7"#,
            "qaudjrn_output_waiting{output=\"qradar\"} 3",
            "qaudjrn_uptime_seconds 5",
            "qaudjrn_spool_commits_total 4",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} is not in\n{text}");
        }
    }
}
