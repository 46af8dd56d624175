//! What `replay` writes: the right users, objects, paths and commands, byte for byte and within the size promised.
//!
//! The golden lines are remade by `tests/tools/remake_golden.sh`; captures with truth come from `make_capture.py`.
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FORMATS: [&str; 5] = ["cef", "leef", "leef2", "syslog", "json"];

fn replay(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_qaudjrn")).arg("replay").args(args).current_dir(ROOT).output().unwrap()
}

fn lines(args: &[&str]) -> Vec<String> {
    let out = replay(args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn make_capture(dir: &Path, args: &[&str]) -> (String, Vec<Value>) {
    let (capture, truth) = (dir.join("capture"), dir.join("truth.jsonl"));
    let made = Command::new("python3")
        .arg("tests/tools/make_capture.py")
        .args(["--layouts", "formats/journal", "--out"])
        .arg(&capture)
        .arg("--truth")
        .arg(&truth)
        .args(args)
        .current_dir(ROOT)
        .output()
        .expect("python3 runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let truth = fs::read_to_string(truth).unwrap();
    (capture.display().to_string(), truth.lines().map(|l| serde_json::from_str(l).unwrap()).collect())
}

#[test]
fn the_golden_lines_are_written_byte_for_byte() {
    for format in FORMATS {
        let out = replay(&["--format", format, "--timezone", "Europe/Berlin", "fixtures/stories.type5"]);
        let golden = fs::read(format!("{ROOT}/tests/golden/stories.{format}")).unwrap();
        assert!(out.stdout == golden, "stories.{format} differs; if that is meant: tests/tools/remake_golden.sh");
    }
}

#[test]
fn r03_the_ftp_job_of_qtcp_running_as_bill_names_both_in_every_format() {
    for (format, effective, job_user) in [
        ("cef", " suser=BILL ", " cs2Label=jobUser cs2=QTCP "),
        ("leef", "\tusrName=BILL\t", "\tjobUser=QTCP\t"),
        ("leef2", "^usrName=BILL^", "^jobUser=QTCP^"),
        ("syslog", " user=\"BILL\" ", " jobuser=\"QTCP\" "),
        ("json", ",\"effective_user\":\"BILL\",", ",\"job_user\":\"QTCP\","),
    ] {
        let all = lines(&["--format", format, "fixtures/stories.type5"]);
        let found: Vec<&String> =
            all.iter().filter(|l| l.contains("QTFTP00231") && l.contains("PAYLIB/PAYMST")).collect();
        assert_eq!(found.len(), 1, "{format}");
        assert!(found[0].contains(effective) && found[0].contains(job_user), "{format}: {}", found[0]);
        assert!(found[0].contains("/QTCP/QTFTP00231"), "{format}: {}", found[0]);
    }
}

#[test]
fn r08_both_users_are_in_every_line_of_every_format_also_when_equal() {
    let dir = tempfile::tempdir().unwrap();
    let (capture, truth) = make_capture(dir.path(), &["--mix", "all", "--count", "860", "--seed", "8"]);
    let name = |t: &Value, n: &str| t["header"][n].as_str().unwrap().to_owned();
    for (format, effective, job_user, end) in [
        ("cef", "suser=", " cs2Label=jobUser cs2=", " "),
        ("leef", "usrName=", "\tjobUser=", "\t"),
        ("leef2", "usrName=", "^jobUser=", "^"),
        ("syslog", " user=\"", " jobuser=\"", "\""),
        ("json", "\"effective_user\":\"", "\"job_user\":\"", "\""),
    ] {
        let all = lines(&["--format", format, &capture]);
        assert_eq!(all.len(), truth.len());
        for (line, t) in all.iter().zip(&truth) {
            let (user, job) = (name(t, "user_name"), name(t, "job_user"));
            assert!(line.contains(&format!("{effective}{user}{end}")), "{format}: {user} in {line}");
            assert!(line.contains(&format!("{job_user}{job}{end}")), "{format}: {job} in {line}");
        }
    }
}

#[test]
fn the_new_administrator_of_the_story_is_shown_with_allobj() {
    for format in FORMATS {
        let all = lines(&["--format", format, "--types", "CP", "fixtures/stories.type5"]);
        let story = all.iter().find(|l| l.contains("TEMPADM")).unwrap();
        assert!(story.contains("*ALLOBJ"), "{format}: {story}");
    }
}

#[test]
fn the_story_that_switches_auditing_off_shows_old_and_new_value() {
    let all = lines(&["--types", "SV", "fixtures/stories.type5"]);
    let story = all.iter().find(|l| l.contains("suser=TEMPADM")).unwrap();
    assert!(
        story.contains("cs4Label=newValue cs4=*NONE ") && story.contains("cs5Label=oldValue cs5=*AUDLVL *OBJAUD"),
        "{story}"
    );
    assert!(story.contains("QAUDCTL"), "{story}");
}

/// The fields whose layout is a guess, which lines leave out unless asked for.
fn guesses() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in fs::read_dir(format!("{ROOT}/formats/journal")).unwrap() {
        let path = file.unwrap().path();
        let table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(code) = table.get("entry_type").and_then(toml::Value::as_str) else { continue };
        for field in table["field"].as_array().unwrap() {
            if field.get("confidence").and_then(toml::Value::as_str) == Some("guess") {
                found.push((code.to_owned(), field["name"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_command_and_every_path_that_stands_in_the_capture_is_in_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (capture, truth) =
        make_capture(dir.path(), &["--mix", "all", "--count", "4300", "--seed", "11", "--entdtalen", "16000"]);
    let guesses = guesses();
    let escape = |format: &str, v: &str| match format {
        "cef" => v.replace('\\', "\\\\").replace('=', "\\="),
        "syslog" => v.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]"),
        "json" => v.replace('\\', "\\\\").replace('"', "\\\""),
        "leef2" => v.replace(['|', '^'], "_"),
        _ => v.replace('|', "_"),
    };
    for format in FORMATS {
        let all = lines(&["--format", format, &capture]);
        let mut checked = 0;
        for (line, t) in all.iter().zip(&truth) {
            let code = t["header"]["journal_entry_type"].as_str().unwrap();
            for (name, value) in t["fields"].as_object().unwrap() {
                let wanted = name == "command_string" || name.ends_with("path_name") && value.is_string();
                let guess = guesses.iter().any(|(c, n)| c == code && n == name);
                let Some(text) = value.as_str().filter(|v| wanted && !guess && !v.is_empty() && *v != "*N") else {
                    continue;
                };
                // Paths of other than the entry's own object are fields of the full detail.
                if matches!(name.as_str(), "other_path_name") {
                    continue;
                }
                assert!(line.contains(&escape(format, text)), "{format} {code} {name} {text:?}: {line}");
                checked += 1;
            }
        }
        assert!(checked > 200, "{format}: only {checked} texts were there to check");
    }
}

#[test]
fn a_guess_is_in_no_line_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (capture, truth) =
        make_capture(dir.path(), &["--mix", "PG,OR,PA", "--count", "300", "--seed", "3", "--entdtalen", "16000"]);
    let path = |t: &Value| {
        t["fields"]["path_name"]
            .as_str()
            .filter(|p| p.len() > 8 && p.is_ascii() && !p.contains(['\\', '=', '|']))
            .map(str::to_owned)
    };
    let paths: Vec<(usize, String)> = truth.iter().enumerate().filter_map(|(i, t)| Some((i, path(t)?))).collect();
    assert!(paths.len() > 20);
    let without = lines(&["--detail", "full", &capture]);
    let with = lines(&["--include-guesses", &capture]);
    for (i, path) in paths {
        let code = truth[i]["header"]["journal_entry_type"].as_str().unwrap();
        if code == "PG" {
            assert!(!without[i].contains(&format!("filePath={path}")), "{}", without[i]);
        }
        assert!(with[i].contains(&path), "{code}: {}", with[i]);
    }
}

#[test]
fn r28_the_mean_line_of_the_reference_capture_is_at_most_380_bytes() {
    let dir = tempfile::tempdir().unwrap();
    // The first fifth of the reference capture (benches/compare.sh makes all of it).
    let (capture, _) = make_capture(dir.path(), &["--count", "20000", "--seed", "380", "--stories"]);
    for format in ["cef", "leef", "leef2", "syslog"] {
        let out = replay(&["--format", format, "--to", "null", "--summary", "json", &capture]);
        let summary: Value = serde_json::from_slice(&out.stderr).unwrap();
        let mean = summary["mean_event_bytes"].as_f64().unwrap();
        let reduction = summary["reduction_percent"].as_f64().unwrap();
        assert!(mean <= 380.0 && reduction >= 74.6, "{format}: {mean} bytes, {reduction} percent");
    }
}

#[test]
fn n12_the_names_and_fields_of_an_output_are_in_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("agent.toml");
    for (format, header, field) in [
        ("cef", "CEF:0|they|theirs|7.5|", "site=Köln "),
        ("leef", "LEEF:1.0|they|theirs|7.5|", "\tsite=Köln"),
        ("leef2", "LEEF:2.0|they|theirs|7.5|", "^site=Köln"),
        ("syslog", "[ibmi@32473 ", " site=\"Köln\""),
        ("json", "{\"event_id\"", ",\"site\":\"Köln\""),
    ] {
        let text = format!(
            "[[output]]\nname = \"o\"\naddress = \"stdout\"\nformat = \"{format}\"\nvendor = \"they\"\nproduct = \"theirs\"\nversion = \"7.5\"\nfields.site = \"Köln\"\n"
        );
        fs::write(&config, text).unwrap();
        let args = ["--config", config.to_str().unwrap(), "--output", "o", "fixtures/stories.type5"];
        let plain = lines(&["--format", format, "fixtures/stories.type5"]);
        let all = lines(&args);
        assert_eq!(all.len(), plain.len());
        for (line, plain) in all.iter().zip(&plain) {
            assert!(line.contains(header) && line.matches(field).count() == 1, "{line}");
            // Nothing else is different.
            let without = line.replacen(field, "", 1);
            let native =
                without.replace("|they|theirs|7.5|", &format!("|qaudjrn|IBM i audit|{}|", env!("CARGO_PKG_VERSION")));
            assert_eq!(native, *plain);
        }
        let cut = lines(&[&args[..], &["--detail", "full", "--max-size", "700"]].concat());
        assert!(
            cut.iter().all(|l| l.len() <= 700 && l.matches(field.trim()).count() == 1),
            "{format}: a cut line keeps it"
        );
    }
}
