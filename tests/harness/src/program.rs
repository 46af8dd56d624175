//! Running the program, and making captures for it with `tests/tools/make_capture.py`.
use std::{
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{built, record::tables, root, temporary};

/// The program under test. Cargo builds it before the tests of its package, and says where it is; a test program that is run by hand,
/// as `./test` does, finds it beside its own folder.
pub fn executable() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(|| {
        let told = std::env::var_os("CARGO_BIN_EXE_qaudjrn").map(PathBuf::from);
        let path = told.unwrap_or_else(|| built().join("qaudjrn"));
        assert!(path.is_file(), "{} is missing: build it with `cargo test --profile ci --no-run`", path.display());
        path.into_os_string().into_string().expect("a path of UTF-8")
    })
}

/// A folder for the files of one test.
pub fn folder() -> TempDir {
    TempDir::with_prefix("qaudjrn-test-").expect("a temporary folder")
}

/// A capture and its truth.
pub struct Made {
    pub path: PathBuf,
    pub truth: Vec<Value>,
}

/// Makes `NAME` in the folder: `make_capture.py ARGS`.
pub fn make(folder: &TempDir, name: &str, args: &str) -> Made {
    let path = folder.path().join(name);
    let truth = folder.path().join(format!("{name}.truth"));
    let made = Command::new("python3")
        .arg(root().join("tests/tools/make_capture.py"))
        .args([OsStr::new("--layouts"), root().join("formats/journal").as_os_str()])
        .args([OsStr::new("--out"), path.as_os_str(), OsStr::new("--truth"), truth.as_os_str()])
        .args(args.split_whitespace())
        .output()
        .expect("python3 starts");
    assert!(made.status.success(), "make_capture.py {args}: {}", String::from_utf8_lossy(&made.stderr));
    let truth = fs::read_to_string(&truth).expect("the truth");
    Made { path, truth: truth.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect() }
}

/// Bytes of a record that `make_capture.py` writes when nothing else is asked of it.
const RECORD: usize = 1_500;
/// How many entries are made where that many are enough.
const ENOUGH: [u32; 3] = [500, 6_000, 60_000];

/// Writes the first `count` entries of `make_capture.py ARGS` to a file: entries do not depend on how many are made.
pub fn first_of(args: &str, count: u32, path: &Path) -> Made {
    let all = ENOUGH.into_iter().find(|enough| count <= *enough).unwrap_or(count);
    let args = format!("{args} --count {all}");
    let kept = kept(&args, |new| drop(make(new, "capture", &args)));
    let mut bytes = vec![0; count as usize * RECORD];
    fs::File::open(kept.join("capture")).and_then(|mut f| f.read_exact(&mut bytes)).expect("a capture");
    fs::write(path, bytes).expect("a capture");
    let truth = fs::File::open(kept.join("capture.truth")).expect("its truth");
    let lines = BufReader::new(truth).lines().take(count as usize).map(|l| l.expect("UTF-8"));
    Made { path: path.to_owned(), truth: lines.map(|l| serde_json::from_str(&l).expect("JSON")).collect() }
}

/// A folder below target/ with what `make` puts there: made once for all tests and runs that ask for `what`, as long as the tools and the
/// layouts stay as they are. Nobody writes to it.
pub fn kept(what: &str, make: impl FnOnce(&TempDir)) -> PathBuf {
    let folder = temporary().join("made");
    fs::create_dir_all(&folder).expect("a folder");
    let kept = folder.join(format!("{:016x}", fingerprint(what)));
    let lock = fs::File::create(kept.with_extension("lock")).expect("a lock");
    lock.lock().expect("the lock");
    if !kept.exists() {
        // Under a name of its own until it is whole.
        let new = TempDir::with_prefix_in("new-", &folder).expect("a temporary folder");
        make(&new);
        fs::rename(new.path(), &kept).expect("it is moved");
    }
    kept
}

/// Of all that files are made from.
fn fingerprint(what: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let folders = ["formats/journal", "formats/history", "tests/tools"];
    let read = |folder| fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut files: Vec<PathBuf> = folders.into_iter().flat_map(read).map(|f| f.expect("a file").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "py" || e == "toml"));
    files.sort();
    for file in files {
        fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).hash(&mut hasher);
    }
    hasher.finish()
}

/// Runs `tests/tools/TOOL --out OUT --truth TRUTH ARGS`, which writes a file and its truth; returns the lines of the truth.
pub fn tool(tool: &str, out: &Path, truth: &Path, args: &str) -> Vec<Value> {
    let made = Command::new("python3")
        .arg(root().join("tests/tools").join(tool))
        .args([OsStr::new("--out"), out.as_os_str(), OsStr::new("--truth"), truth.as_os_str()])
        .args(args.split_whitespace())
        .output()
        .expect("python3 starts");
    assert!(made.status.success(), "{tool} {args}: {}", String::from_utf8_lossy(&made.stderr));
    // A text may hold U+0085 and the like, where `lines` would not cut.
    let text = fs::read_to_string(truth).expect("the truth");
    text.split('\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// A line of JSON. Here, where it is optimised: tests take tens of thousands apart.
pub fn object(line: &str) -> serde_json::Result<Map<String, Value>> {
    serde_json::from_str(line)
}

/// A heading field of a truth, as text.
pub fn head<'a>(truth: &'a Value, name: &str) -> &'a str {
    truth["header"][name].as_str().unwrap_or("")
}

/// Sequence number of a truth.
pub fn sequence(truth: &Value) -> u64 {
    match &truth["header"]["sequence_number"] {
        Value::String(digits) => digits.trim().parse().expect("digits"),
        number => number.as_u64().expect("a number"),
    }
}

/// Entry type and detail code of a truth: `PW` and `P`.
pub fn event(truth: &Value) -> (String, String) {
    let code = head(truth, "journal_entry_type").to_owned();
    let fields = tables().types.get(&code).map_or(&[][..], Vec::as_slice);
    let detail = fields.iter().find(|f| f.role.as_deref() == Some("detail"));
    let detail = detail.and_then(|f| truth["fields"][&f.name].as_str()).unwrap_or("").to_owned();
    (code, detail)
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Run {
    /// Exit code; 128 and the signal where one ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// The object that `--summary json` writes.
    pub fn summary(&self) -> Value {
        let line = self.stderr.lines().find(|l| l.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no summary: {}", self.stderr))).expect("JSON")
    }

    /// Asserts the exit code and what standard error says.
    #[track_caller]
    pub fn assert_output(&self, code: i32, words: &[&str]) -> &Run {
        assert_eq!(self.code, code, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        self
    }
}

/// `qaudjrn ARGS FILES...`, for at most five minutes.
pub fn qaudjrn(args: &str, files: &[&Path]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "300", executable()]).args(args.split_whitespace()).args(files);
    finish(command)
}

/// `qaudjrn replay --summary json --timezone UTC ARGS FILES...`
pub fn replay(args: &str, files: &[&Path]) -> Run {
    qaudjrn(&format!("replay --summary json --timezone UTC {args}"), files)
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Run {
    use std::os::unix::process::ExitStatusExt;
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    Run {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A number of a summary.
#[track_caller]
pub fn count(summary: &Value, key: &str) -> u64 {
    summary[key].as_u64().unwrap_or_else(|| panic!("{key} is no count in {summary}"))
}

/// The sequence numbers in the lines of `--format json`.
pub fn sequences(run: &Run) -> Vec<u64> {
    let number = |line: &&str| -> u64 {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["sequence"].as_str().and_then(|s| s.parse().ok()).expect("a sequence number")
    };
    run.lines().iter().map(number).collect()
}

/// A library of `tests/tools`, built below target/.
pub fn shim(name: &str) -> PathBuf {
    let to = temporary().join(format!("{name}.{}.so", std::process::id()));
    let source = root().join("tests/tools").join(format!("{name}.c"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&to).arg(&source).arg("-ldl").output();
    let built = built.expect("cc starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    to
}
