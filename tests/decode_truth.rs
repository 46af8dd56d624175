//! N1: `qaudjrn decode` says of every capture what the truth beside it says, field by field.
//!
//! The captures and their truth come from `tests/tools/make_capture.py`, an encoder that shares no code with the
//! decoder; each is made in a temporary folder, decoded, compared and deleted, so nothing is stored and a failure
//! names the command that makes its capture again. Not here: captures that lie about themselves (those are the
//! faults tests), the bytes no text of the encoder holds (those are the tests of the code page tables).
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Map, Value};

const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/make_capture.py");
const LAYOUTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/formats/journal");
/// Entries of each type a run must hold at least.
const EACH: usize = 20;
/// Captures made and decoded at the same time.
const WORKERS: usize = 2;
/// Mismatches printed of one capture.
const SHOWN: usize = 5;

/// The job CCSIDs every heading, framing and variant is tried in.
const MATRIX_CCSIDS: [u32; 4] = [37, 273, 500, 1140];
/// The other CCSIDs of one byte a character.
const SINGLE_BYTE_CCSIDS: [u32; 41] = [
    277, 278, 280, 284, 285, 297, 420, 424, 838, 870, 871, 875, 880, 905, 1025, 1026, 1047, 1112, 1122, 1123, 1141,
    1142, 1143, 1144, 1145, 1146, 1147, 1148, 1149, 1153, 1154, 1155, 1156, 1157, 1158, 1160, 1164, 37, 273, 500, 1140,
];
/// The CCSIDs with double-byte text between shift-out and shift-in.
const MIXED_CCSIDS: [u32; 8] = [930, 933, 935, 937, 939, 1364, 1388, 1399];
/// Where glibc has no table and the encoder asks a JDK for it.
const JDK_CCSID: u32 = 838;

/// A heading of DSPJRN, the column of the layout tables that goes with it, and the bytes before the entry data.
struct Heading {
    name: &'static str,
    column: &'static str,
    data_at: usize,
}

const TYPE1: Heading = Heading { name: "type1", column: "je", data_at: 125 };
const TYPE2: Heading = Heading { name: "type2", column: "je", data_at: 155 };
const TYPE3: Heading = Heading { name: "type3", column: "j4", data_at: 223 };
const TYPE4: Heading = Heading { name: "type4", column: "j4", data_at: 223 };
const TYPE5: Heading = Heading { name: "type5", column: "j5", data_at: 609 };

/// How the records stand in the file.
#[derive(Clone, Copy)]
enum Framing {
    /// Records with so many bytes of entry data, cut or padded: DSPJRN OUTFILE(...) ENTDTALEN(n).
    Outfile(usize),
    /// A length before each record.
    Stream,
}

impl Framing {
    /// Entries cut short, entries whole, entries as they come.
    const ALL: [Self; 3] = [Self::Outfile(891), Self::Outfile(16_000), Self::Stream];
}

/// Texts made to break escaping, numbers blank or without digits, unknown types and other journal codes. They touch
/// different fields and entries, so that one capture can have them all.
const TROUBLES: [&str; 3] = ["--hostile", "--blanks", "--foreign"];
/// Entries of each type to make when one in ten is foreign, to have [`EACH`].
const EACH_AND_FOREIGN: usize = EACH + 16;

/// One capture: how to make it, how to decode it, what it must hold.
#[derive(Clone, Default)]
struct Run {
    make: Vec<String>,
    decode: Vec<String>,
    /// The types that must be there, and how many entries of each.
    types: usize,
    each: usize,
}

impl Run {
    /// A capture of `count` entries in the heading and framing; `auto`: let the decoder find both out.
    fn new(heading: &Heading, framing: Framing, ccsid: u32, count: usize, auto: bool) -> Self {
        let run = Self::default()
            .make(&["--type", heading.name, "--ccsid", &ccsid.to_string(), "--count", &count.to_string()])
            .decode(&["--ccsid", &ccsid.to_string()]);
        let run = match framing {
            Framing::Outfile(length) => run.make(&["--framing", "outfile", "--entdtalen", &length.to_string()]),
            Framing::Stream => run.make(&["--framing", "stream"]),
        };
        match (auto, framing) {
            (true, _) => run,
            (false, Framing::Outfile(length)) => run.told(heading, heading.data_at + length),
            (false, Framing::Stream) => run.decode(&["--input", heading.name, "--input-framing", "stream"]),
        }
    }

    /// A capture of every type in turn, `each` times.
    fn every_type(heading: &Heading, framing: Framing, ccsid: u32, each: usize, auto: bool) -> Self {
        let types = types_with(heading.column).len();
        let run = Self::new(heading, framing, ccsid, each * types, auto).make(&["--mix", "all"]);
        Self { types, each: EACH.min(each), ..run }
    }

    fn make(mut self, options: &[&str]) -> Self {
        self.make.extend(options.iter().map(ToString::to_string));
        self
    }

    fn decode(mut self, options: &[&str]) -> Self {
        self.decode.extend(options.iter().map(ToString::to_string));
        self
    }

    /// Tells the decoder the heading and the record length.
    fn told(self, heading: &Heading, record: usize) -> Self {
        self.decode(&["--input", heading.name, "--input-framing", "fixed", "--record-length", &record.to_string()])
    }

    /// Makes, decodes, compares and deletes; what is wrong as text, with the commands that show it again.
    fn fails(&self, dir: &Path, number: usize) -> Option<String> {
        let (capture, truth) = (dir.join(format!("{number}.bin")), dir.join(format!("{number}.jsonl")));
        let mut make = Command::new("python3");
        make.arg(TOOL).args(["--layouts", LAYOUTS]).args(&self.make);
        make.args(["--seed", &(number + 1).to_string(), "--out"]).arg(&capture).arg("--truth").arg(&truth);
        let mut decode = Command::new(env!("CARGO_BIN_EXE_qaudjrn"));
        decode.arg("decode").args(&self.decode).arg(&capture);

        let wrong = succeed(&mut make)
            .and_then(|_| succeed(&mut decode))
            .and_then(|decoded| {
                self.compare(&fs::read_to_string(&truth).expect("the truth just made"), &decoded.stdout)
            })
            .err();
        for file in [capture, truth] {
            let _ = fs::remove_file(file);
        }
        // The folder is gone by the time somebody reads this.
        let again = |command| shell(command).replace(&*dir.to_string_lossy(), "/tmp");
        wrong.map(|wrong| format!("{}\n{}\n{wrong}", again(&make), again(&decode)))
    }

    fn compare(&self, truth: &str, decoded: &[u8]) -> Result<(), String> {
        let decoded = str::from_utf8(decoded).map_err(|e| format!("the output is not UTF-8: {e}"))?;
        let (mut told, mut got) = (truth.lines(), decoded.lines());
        let (mut entries, mut wrong, mut report) = (0, 0, String::new());
        let mut seen = BTreeMap::<String, usize>::new();
        loop {
            let (told, got) = match (told.next(), got.next()) {
                (None, None) => break,
                (Some(told), Some(got)) => (told, got),
                (told, _) => {
                    let which = if told.is_some() { "fewer" } else { "more" };
                    let _ = writeln!(
                        report,
                        "{which} entries than the truth has: the difference begins after entry {entries}"
                    );
                    wrong += 1;
                    break;
                }
            };
            entries += 1;
            let told = object(told).expect("the truth is JSON");
            let entry_type = told["header"]["journal_entry_type"].as_str().expect("a type").to_owned();
            let difference = match object(got) {
                Ok(got) if got == told => String::new(),
                Ok(got) => difference(&told, &got),
                Err(e) => format!("    not a JSON object: {e}: {got}\n"),
            };
            if !difference.is_empty() {
                wrong += 1;
                if wrong <= SHOWN {
                    let _ = write!(report, "  entry {entries}, {entry_type}\n{difference}");
                }
            }
            if told.contains_key("fields") {
                *seen.entry(entry_type).or_default() += 1;
            }
        }
        let short = |(_, count): &(&String, &usize)| **count < self.each;
        if self.types > 0 && (seen.len() != self.types || seen.iter().any(|s| short(&s))) {
            let _ = writeln!(report, "not {} entries of each of {} types: {seen:?}", self.each, self.types);
            wrong += 1;
        }
        if entries == 0 {
            return Err("no entries".into());
        }
        if wrong == 0 { Ok(()) } else { Err(format!("{wrong} of {entries} entries differ\n{report}")) }
    }
}

/// The entry types that have this column in their layout table.
fn types_with(column: &str) -> Vec<String> {
    let has = |path: &Path| fs::read_to_string(path).expect("a layout table").contains(&format!("\n{column} = "));
    let mut types: Vec<String> = fs::read_dir(LAYOUTS)
        .expect("formats/journal")
        .map(|file| file.expect("a layout table").path())
        .filter(|path| path.file_name().is_some_and(|name| name.len() == "XX.toml".len()) && has(path))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    types.sort();
    types
}

/// One line of the truth or of the output; "parts" without any is as good as none.
fn object(line: &str) -> Result<Map<String, Value>, serde_json::Error> {
    let mut object = harness::program::object(line)?;
    if object.get("parts").is_some_and(|parts| parts.as_object().is_some_and(Map::is_empty)) {
        object.remove("parts");
    }
    Ok(object)
}

/// What differs, a line a field: the section, the name, the truth, what was decoded.
fn difference(told: &Map<String, Value>, got: &Map<String, Value>) -> String {
    let mut lines = String::new();
    let none = Map::new();
    let mut line = |name: &str, told: Option<&Value>, got: Option<&Value>| {
        let show = |value: Option<&Value>| value.map_or_else(|| "nothing".into(), Value::to_string);
        if told != got {
            let _ = writeln!(lines, "    {name}: expected {}, got {}", show(told), show(got));
        }
    };
    for section in told.keys().chain(got.keys().filter(|key| !told.contains_key(*key))) {
        let fields = |of: &Map<String, Value>| of.get(section).and_then(Value::as_object).cloned();
        match (fields(told), fields(got)) {
            (None, None) => line(section, told.get(section), got.get(section)),
            (told, got) => {
                let (told, got) = (told.unwrap_or_else(|| none.clone()), got.unwrap_or_else(|| none.clone()));
                for name in told.keys().chain(got.keys().filter(|key| !told.contains_key(*key))) {
                    line(&format!("{section}.{name}"), told.get(name), got.get(name));
                }
            }
        }
    }
    lines
}

/// Runs a command to its end; what it said where it did not succeed.
fn succeed(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{} ended with {}: {}",
        command.get_program().display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The command as one would type it.
fn shell(command: &Command) -> String {
    let quoted = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
    std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

/// Does the runs, [`WORKERS`] at a time over all tests of this file, and fails with what is wrong.
fn all_decode_to_the_truth(runs: &[Run]) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(run) = runs.get(number) else { break };
                    if let Some(text) = run.fails(dir.path(), number) {
                        wrong.lock().expect("no worker panics with it").push(text);
                    }
                }
            });
        }
    });
    drop(turn);
    let wrong = wrong.into_inner().expect("no worker panics with it");
    let shown = wrong.iter().take(SHOWN).fold(String::new(), |all, one| all + one + "\n");
    assert!(wrong.is_empty(), "{} of {} captures do not decode to their truth\n{shown}", wrong.len(), runs.len());
}

/// Whether all is tried, which takes ten minutes and more: `QAUDJRN_LONG=1`. Else each heading in each framing with two of the CCSIDs,
/// which are others for each, and fewer entries of each code page.
fn is_long() -> bool {
    std::env::var_os("QAUDJRN_LONG").is_some()
}

/// Every type under one heading, in every framing and CCSID of the matrix, plain and with all troubles; the plain
/// ones without a word to the decoder about heading and framing.
fn matrix(heading: &Heading) {
    let mut runs = Vec::new();
    for (n, framing) in Framing::ALL.into_iter().enumerate() {
        for (m, ccsid) in MATRIX_CCSIDS.into_iter().enumerate() {
            let turn = (n + m + usize::from(heading.name.as_bytes()[4])) % MATRIX_CCSIDS.len();
            if turn == 0 || is_long() {
                runs.push(Run::every_type(heading, framing, ccsid, EACH, true));
            }
            if turn == 2 || is_long() {
                runs.push(Run::every_type(heading, framing, ccsid, EACH_AND_FOREIGN, false).make(&TROUBLES));
            }
        }
    }
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_every_type_decodes_to_the_truth_in_type1() {
    matrix(&TYPE1);
}

#[test]
fn n1_every_type_decodes_to_the_truth_in_type2() {
    matrix(&TYPE2);
}

#[test]
fn n1_every_type_decodes_to_the_truth_in_type3() {
    matrix(&TYPE3);
}

#[test]
fn n1_every_type_decodes_to_the_truth_in_type4() {
    matrix(&TYPE4);
}

#[test]
fn n1_every_type_decodes_to_the_truth_in_type5() {
    assert_eq!(types_with(TYPE5.column).len(), 86, "the entry types of QAUDJRN");
    matrix(&TYPE5);
}

#[test]
fn n1_the_tables_of_a_layouts_folder_decode_like_those_built_in() {
    let run = |framing| Run::every_type(&TYPE5, framing, 37, EACH, true).decode(&["--layouts", LAYOUTS]);
    all_decode_to_the_truth(&Framing::ALL.map(run));
}

#[test]
fn n1_each_trouble_alone_decodes_to_the_truth() {
    let mut runs = Vec::new();
    for framing in Framing::ALL {
        for trouble in TROUBLES {
            runs.push(Run::every_type(&TYPE5, framing, 37, EACH_AND_FOREIGN, true).make(&[trouble]));
        }
    }
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_entries_cut_anywhere_decode_to_the_truth() {
    let run = |(heading, bytes)| {
        let run = Run::every_type(heading, Framing::Outfile(bytes), 500, EACH_AND_FOREIGN, false);
        run.make(&TROUBLES)
    };
    all_decode_to_the_truth(&[(&TYPE1, 61), (&TYPE2, 137), (&TYPE3, 100), (&TYPE4, 222), (&TYPE5, 333)].map(run));
}

#[test]
fn n1_single_byte_ccsids_decode_to_the_truth() {
    let java = Command::new("java").arg("-version").output().is_ok_and(|java| java.status.success());
    if !java {
        eprintln!("CCSID {JDK_CCSID} is left out: its table comes from a JDK, and there is none");
    }
    let each = if is_long() { EACH } else { EACH / 5 };
    let run = |&ccsid: &u32| Run::every_type(&TYPE5, Framing::Stream, ccsid, each, true).make(&["--national"]);
    let runs: Vec<Run> = SINGLE_BYTE_CCSIDS.iter().filter(|ccsid| java || **ccsid != JDK_CCSID).map(run).collect();
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_mixed_ccsids_decode_to_the_truth_between_the_shifts() {
    let run = |ccsid| Run::every_type(&TYPE5, Framing::Stream, ccsid, EACH, true);
    all_decode_to_the_truth(&MIXED_CCSIDS.map(run));
}

#[test]
fn n1_a_mixed_text_cut_by_the_record_end_keeps_its_whole_characters() {
    let cuts = MIXED_CCSIDS.into_iter().zip([62, 63, 64, 65].into_iter().cycle());
    let run =
        |(ccsid, length)| Run::every_type(&TYPE5, Framing::Outfile(length), ccsid, EACH, false).make(&["--hostile"]);
    all_decode_to_the_truth(&cuts.map(run).collect::<Vec<_>>());
}

#[test]
fn n1_model_outfiles_decode_to_the_truth() {
    let mut runs = Vec::new();
    for heading in [&TYPE2, &TYPE4, &TYPE5] {
        let there = types_with(heading.column);
        let some = ["AD", "AF", "AU", "CD", "CP", "DI", "IS", "JS", "OM", "PW", "SF", "SV", "X0", "ZC", "ZR"];
        for (n, entry_type) in some.into_iter().filter(|some| there.iter().any(|t| t == some)).enumerate() {
            let ccsid = MATRIX_CCSIDS[n % MATRIX_CCSIDS.len()].to_string();
            let run = Run { types: 1, each: EACH, ..Run::default() }
                .make(&["--type", heading.name, "--framing", "model", "--mix", entry_type, "--count", "60"])
                .make(&["--ccsid", &ccsid, "--hostile", "--blanks"])
                .decode(&["--ccsid", &ccsid]);
            runs.push(if n % 3 == 0 {
                run.decode(&["--input", heading.name, "--input-framing", "fixed"])
            } else {
                run
            });
        }
    }
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_sequence_numbers_decode_in_every_style_of_type5() {
    let mut runs = Vec::new();
    for style in ["zero", "left", "right"] {
        for (framing, first) in Framing::ALL.into_iter().zip(["1", "999999999", "18446744073709500000"]) {
            let run = Run::new(&TYPE5, framing, 37, 1_000, true);
            runs.push(run.make(&["--sequence-style", style, "--first-sequence", first]));
        }
    }
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_access_data_expands_to_its_parts() {
    let mut runs = Vec::new();
    for heading in [&TYPE1, &TYPE2, &TYPE3, &TYPE4, &TYPE5] {
        for (framing, more) in [(Framing::Outfile(891), "--hostile"), (Framing::Stream, "--national")] {
            let run = Run::new(heading, framing, 273, 600, true).decode(&["--expand"]);
            runs.push(run.make(&["--mix", "ZC,ZR", "--access-data", more]));
        }
    }
    all_decode_to_the_truth(&runs);
}

#[test]
fn n1_the_attack_stories_decode_to_the_truth() {
    let run = |framing| Run::new(&TYPE5, framing, 37, 1_000, true).make(&["--stories"]);
    all_decode_to_the_truth(&Framing::ALL.map(run));
}
