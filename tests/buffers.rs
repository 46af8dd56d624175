//! Saved buffers of QjoRetrieveJournalEntries, written by `tests/tools/make_rjne.py`, which shares no code with the product.

use std::{fs, path::PathBuf};

use harness::program::{Run, folder, qaudjrn, tool};
use serde_json::Value;
use tempfile::TempDir;

/// Buffers, and what must come out of them: for each entry where its buffer begins in the file, and its truth.
struct Made {
    path: PathBuf,
    entries: Vec<(u64, Value)>,
}

fn make(dir: &TempDir, args: &str) -> Made {
    let path = dir.path().join("day.rjne");
    let truth = dir.path().join("day.rjne.truth");
    let (mut buffer, mut entries) = (0, Vec::new());
    for line in tool("make_rjne.py", &path, &truth, args) {
        match line["buffer"]["offset"].as_u64() {
            Some(offset) => buffer = offset,
            None => entries.push((buffer, line)),
        }
    }
    Made { path, entries }
}

fn decode(made: &Made, format: &str) -> (Run, Vec<Value>) {
    let run = qaudjrn(&format!("decode --input {format}"), &[&made.path]);
    let entries = run.stdout.split('\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect();
    (run, entries)
}

/// Every value of the truth that the decoder is to know: numbers and texts alike as they stand in JSON.
#[track_caller]
fn same(want: &Value, got: &Value) {
    let plain = |v: &Value| v.as_str().map_or_else(|| v.to_string(), |s| s.trim_end().to_owned());
    for (name, value) in want["header"].as_object().unwrap() {
        // How long a logical unit of work is there was not seen anywhere: it is left out.
        if name == "remote_address_form" || name == "logical_unit_of_work" || name.starts_with("null_value") {
            continue;
        }
        // Numbers of 20 digits are text in one and numbers in the other.
        let (value, found) = (plain(value), plain(&got["header"][name]));
        let number = |s: &str| s.trim_start_matches('0').to_owned();
        assert!(
            value == found || number(&value) == number(&found) && !value.is_empty() && value != "null",
            "{name}: want {value}, got {found}: {want} {got}"
        );
    }
    for key in ["fields", "data", "complete", "cut"] {
        if !want[key].is_null() {
            assert_eq!(got[key], want[key], "{key}");
        }
    }
}

#[test]
fn n1_buffers_of_both_formats_decode_as_they_were_made() {
    for (format, args) in [
        ("rjne0200", "--count 400 --seed 1"),
        (
            "rjne0200",
            "--count 300 --seed 2 --padding 40 --shuffle-parts --sparse-receivers --odd-buffers --receiver-every 37",
        ),
        ("rjne0200", "--count 430 --seed 3 --padding 9 --entries-per-buffer 7 --make=--mix=all"),
        ("rjne0100", "--count 400 --seed 4 --format RJNE0100 --padding 11"),
    ] {
        let dir = folder();
        let made = make(&dir, args);
        let (run, got) = decode(&made, format);
        run.assert_output(0, &[]);
        assert_eq!(got.len(), made.entries.len(), "{args}");
        for ((_, want), got) in made.entries.iter().zip(&got) {
            same(want, got);
        }
    }
}

#[test]
fn a_buffer_that_is_cut_anywhere_is_an_error_with_its_offset_and_what_is_whole_comes_out() {
    let dir = folder();
    let made = make(&dir, "--count 12 --seed 5 --entries-per-buffer 4 --padding 7");
    let bytes = fs::read(&made.path).unwrap();
    let starts: Vec<u64> = made.entries.iter().map(|(b, _)| *b).collect();
    let cut = Made { path: dir.path().join("cut"), entries: Vec::new() };
    for at in (1..bytes.len()).step_by(97) {
        fs::write(&cut.path, &bytes[..at]).unwrap();
        let (run, got) = decode(&cut, "rjne0200");
        let begun = starts.iter().filter(|b| **b < at as u64).max().copied().unwrap_or(0);
        if bytes.len() > at && starts.contains(&(at as u64)) {
            // Between two buffers.
            run.assert_output(0, &[]);
        } else {
            run.assert_output(1, &[&format!("at offset {begun}: "), "entries before it were read"]);
        }
        // All of the buffers before, and nothing that is not true.
        let whole = starts.iter().filter(|b| **b < begun).count();
        assert!(got.len() >= whole, "{at}: {} of {whole}", got.len());
        for ((_, want), got) in made.entries.iter().zip(&got) {
            same(want, got);
        }
    }
}

#[test]
fn displacements_that_lead_nowhere_are_errors_and_nothing_that_comes_out_is_false() {
    let rounds = std::env::var("QAUDJRN_FAULTS").map_or(40, |_| 1_000);
    let mut errors = 0;
    for seed in 0..rounds {
        let dir = folder();
        let made = make(&dir, &format!("--count 30 --seed {seed} --entries-per-buffer 6 --corrupt {seed}"));
        let (run, got) = decode(&made, "rjne0200");
        errors += i32::from(run.code == 1);
        assert!(run.code == 1 || run.code == 0, "{}", run.stderr);
        if run.code == 1 {
            assert!(run.stderr.contains("of the buffer: expected"), "{}", run.stderr);
        }
        // What comes out is a beginning of the truth.
        for ((_, want), got) in made.entries.iter().zip(&got) {
            same(want, got);
        }
    }
    assert!(errors > rounds / 2, "{errors} of {rounds}");
}

#[test]
fn other_files_are_no_buffers_and_lines_say_where_they_come_from() {
    let dir = folder();
    let path = dir.path().join("text");
    fs::write(&path, "this is no buffer of the API").unwrap();
    qaudjrn("decode --input rjne0200", &[&path])
        .assert_output(1, &["buffer 1 at offset 0: byte 0 of the buffer: expected the bytes returned"]);
    fs::write(&path, "").unwrap();
    qaudjrn("decode --input rjne0200", &[&path]).assert_output(1, &["empty"]);
    let made = make(&dir, "--count 50 --seed 9");
    let run = qaudjrn("replay --input rjne0200 --format json --timezone UTC", &[&made.path]);
    run.assert_output(0, &[]);
    let first: Value = serde_json::from_str(run.lines()[0]).unwrap();
    assert_eq!(first["receiver"], made.entries[0].1["header"]["receiver_name"]);
}
