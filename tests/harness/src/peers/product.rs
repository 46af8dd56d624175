//! Runs the product: a hostile capture made once, and `qaudjrn replay` over it.

use super::truth::Truth;
use crate::{program::executable, root, temporary};
use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Entries of the capture: every entry type in turn, half of the texts made to break escaping.
pub const ENTRIES: usize = 10_000;

/// A capture and its truth.
pub struct Capture {
    pub path: PathBuf,
    pub truth: Vec<Truth>,
}

/// The capture all tests share, made by the first that asks.
pub fn capture() -> &'static Capture {
    static CAPTURE: OnceLock<Capture> = OnceLock::new();
    CAPTURE.get_or_init(|| {
        let folder = temporary().join("receivers");
        fs::create_dir_all(&folder).expect("folder");
        // Made under names of our own, then renamed: another test run may be reading the same files.
        let name =
            |end: &str| (folder.join(format!("{}.{end}", std::process::id())), folder.join(format!("hostile.{end}")));
        let ((new_path, path), (new_truth, truth)) = (name("type5"), name("jsonl"));
        let made = Command::new("python3")
            .current_dir(root())
            .args(["tests/tools/make_capture.py", "--layouts", "formats/journal", "--mix", "all", "--hostile"])
            .args(["--count", &ENTRIES.to_string(), "--entdtalen", "891", "--seed", "20261120"])
            .args(["--out".as_ref(), new_path.as_os_str(), "--truth".as_ref(), new_truth.as_os_str()])
            .output()
            .expect("python3 starts");
        assert!(made.status.success(), "make_capture.py: {}", String::from_utf8_lossy(&made.stderr));
        fs::rename(&new_path, &path).expect("rename");
        fs::rename(&new_truth, &truth).expect("rename");
        let truth = Truth::read(&truth);
        assert_eq!(truth.len(), ENTRIES);
        Capture { path, truth }
    })
}

/// One product at a time: two would measure each other, and a UDP receiver that gets no processor loses datagrams.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a run of the product left behind.
pub struct Run {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// The last line of standard error, which `--summary json` makes one object.
    pub summary: Value,
    pub stderr: String,
}

impl Run {
    /// The lines of standard output.
    pub fn lines(self) -> Vec<String> {
        let text = String::from_utf8(self.stdout).expect("the product writes UTF-8");
        assert!(text.ends_with('\n'), "the output does not end with a line feed");
        text.trim_end_matches('\n').split('\n').map(str::to_string).collect()
    }
}

/// `qaudjrn replay ARGS --summary json CAPTURE`, killed after `timeout`. Panics unless it ends well.
pub fn replay(args: &[&str], timeout: Duration) -> Run {
    let run = try_replay(args, timeout);
    assert!(run.status.success(), "qaudjrn replay {args:?} ended with {}: {}", run.status, run.stderr);
    assert!(run.summary.is_object(), "no JSON summary on standard error: {}", run.stderr);
    run
}

/// The same, whatever its end.
fn try_replay(args: &[&str], timeout: Duration) -> Run {
    let folder = TempDir::with_prefix("qaudjrn-replay-").expect("temporary folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    // It ends with this thread, as the receivers do.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", executable()])
        .current_dir(folder.path())
        .arg("replay")
        .args(args)
        .args(["--summary", "json"])
        .arg(&capture().path)
        .stdin(Stdio::null())
        .stdout(File::create(&out).expect("out"))
        .stderr(File::create(&err).expect("err"))
        .spawn()
        .expect("qaudjrn starts");
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait().expect("child state") {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                child.kill().expect("kill");
                child.wait().expect("wait");
                panic!(
                    "qaudjrn replay {args:?} runs longer than {timeout:?}: {}",
                    fs::read_to_string(&err).unwrap_or_default()
                );
            }
            None => sleep(Duration::from_millis(20)),
        }
    };
    let stderr = String::from_utf8_lossy(&fs::read(&err).expect("err")).into_owned();
    let summary = stderr.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    Run { status, stdout: fs::read(&out).expect("out"), summary, stderr }
}
