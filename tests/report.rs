//! `report`, through the program: every section against the truth of the capture, and as text, JSON and a page in a browser.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::program::{Made, Run, count, event, finish, folder, head, make, qaudjrn, sequence};
use harness::record::Record;
use serde_json::Value;

const LENGTH: usize = 1_500;

fn capture(dir: &tempfile::TempDir) -> Made {
    make(dir, "day.type5", "--count 3000 --seed 31 --stories")
}

fn report(args: &str, files: &[&Path]) -> Run {
    qaudjrn(&format!("report --timezone UTC {args}"), files)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", run.stdout, run.stderr))
}

/// The report of one capture.
fn told(args: &str, capture: &Path) -> Value {
    let run = report(&format!("--json {args}"), &[capture]);
    run.assert_output(0, &[]);
    json(&run)
}

fn rows(v: &Value) -> &[Value] {
    v["rows"].as_array().unwrap_or_else(|| panic!("no rows in {v}"))
}

fn text<'v>(v: &'v Value, key: &str) -> &'v str {
    v[key].as_str().unwrap_or("")
}

fn effective(t: &Value) -> &str {
    head(t, "user_name").trim_end()
}

fn job(t: &Value) -> &str {
    head(t, "job_user").trim_end()
}

/// `2026-11-20-08.00.01.924078` as the report writes it.
fn time(t: &Value) -> String {
    let stamp = head(t, "entry_timestamp");
    let (date, clock) = stamp.split_at(10);
    format!("{date}T{}+00:00", clock[1..].replacen('.', ":", 2))
}

fn ends<'t>(of: impl Iterator<Item = &'t Value>) -> (String, String) {
    let times: Vec<String> = of.map(time).collect();
    (times.iter().min().unwrap().clone(), times.iter().max().unwrap().clone())
}

fn write(dir: &tempfile::TempDir, name: &str, records: &[&Record]) -> PathBuf {
    let bytes = records.iter().flat_map(|r| {
        let mut bytes = r.bytes().to_vec();
        bytes.resize(LENGTH, 0x40);
        bytes
    });
    let path = dir.path().join(name);
    fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
    path
}

/// An entry with this number, users and fields.
fn entry(code: &str, n: u64, (effective, job): (&str, &str), fields: &[(&str, &str)]) -> Record {
    let mut r = Record::new("type5", code);
    r.sequence(n);
    r.head("user_name", &harness::ebcdic::plain(effective));
    r.head("job_user", &harness::ebcdic::plain(job));
    fields.iter().for_each(|(name, value)| r.data(name, &harness::ebcdic::plain(value)));
    r
}

#[test]
fn n17_the_report_says_what_was_read_and_its_sums_balance() {
    let dir = folder();
    let made = capture(&dir);
    let config = dir.path().join("agent.toml");
    fs::write(
        &config,
        "[filter]\ntypes.exclude = [\"SF\", \"ZR\"]\nusers.exclude = [\"BILL\"]\nusers.privileged = [\"HRCLERK\"]\n",
    )
    .unwrap();
    let r = told(&format!("--config {}", config.display()), &made.path);
    let sha = |path: &Path| {
        let said = Command::new("sha256sum").arg(path).output().unwrap().stdout;
        String::from_utf8(said[..64].to_vec()).unwrap()
    };
    let e = &r["evidence"];
    assert_eq!(text(e, "program"), format!("qaudjrn {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(text(&e["configurations"][0], "sha256"), sha(&config));
    let c = &e["captures"][0];
    assert_eq!((text(c, "sha256"), count(c, "bytes")), (sha(&made.path).as_str(), 4_500_000));
    for (key, truth) in [("first", &made.truth[0]), ("last", &made.truth[2_999])] {
        let place = (text(&c[key], "receiver"), count(&c[key], "sequence"), text(&c[key], "time").to_owned());
        assert_eq!(place, (head(truth, "receiver_name"), sequence(truth), time(truth)));
        assert_eq!((text(&c[key], "system"), text(&c[key], "receiver_library")), ("PROD01", "QGPL"));
    }
    let s = &r["sums"];
    let sf_zr = made.truth.iter().filter(|t| matches!(event(t).0.as_str(), "SF" | "ZR")).count() as u64;
    let by_rule: BTreeMap<&str, u64> =
        s["filtered_by_rule"].as_array().unwrap().iter().map(|r| (text(r, "rule"), count(r, "entries"))).collect();
    let of_types: u64 = by_rule.iter().filter(|(rule, _)| rule.starts_with("types.exclude")).map(|(_, n)| n).sum();
    assert_eq!((count(s, "read"), of_types), (3_000, sf_zr), "{by_rule:?}");
    assert_eq!(count(s, "filtered"), by_rule.values().sum::<u64>());
    assert_eq!(count(s, "reported") + count(s, "filtered") + count(s, "parked"), 3_000);
    // Both are what replay says of the same configuration.
    let replayed =
        harness::program::replay(&format!("--to null --config {}", config.display()), &[&made.path]).summary();
    assert_eq!((count(s, "reported"), count(s, "filtered")), (count(&replayed, "sent"), count(&replayed, "filtered")));
    let types: u64 = r["types"].as_array().unwrap().iter().map(|t| count(t, "entries")).sum();
    let hours: u64 = r["hours"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!((types, hours), (count(s, "reported"), count(s, "reported")));
    let clerk = rows(&r["users"]).iter().find(|u| u["name"] == "HRCLERK").unwrap();
    assert_eq!(clerk["tags"], serde_json::json!(["privileged"]), "named in the configuration");
}

#[test]
fn r10_activity_is_by_either_name_and_r9_profiles_are_tagged() {
    let dir = folder();
    let made = capture(&dir);
    let r = told("", &made.path);
    let names: BTreeSet<&str> = made.truth.iter().flat_map(|t| [effective(t), job(t)]).collect();
    assert_eq!(rows(&r["users"]).len(), names.len());
    assert_eq!((r["users"]["exact"].as_bool(), count(&r["users"], "known")), (Some(true), names.len() as u64));
    for row in rows(&r["users"]) {
        let name = text(row, "name");
        let own = || made.truth.iter().filter(|t| effective(t) == name || job(t) == name);
        assert_eq!(count(row, "entries"), own().count() as u64, "{name}");
        assert_eq!(count(row, "effective"), own().filter(|t| effective(t) == name).count() as u64, "{name}");
        assert_eq!(count(row, "job"), own().filter(|t| job(t) == name).count() as u64, "{name}");
        let mut types: BTreeMap<String, u64> = BTreeMap::new();
        own().for_each(|t| *types.entry(event(t).0).or_default() += 1);
        assert_eq!(row["types"], serde_json::to_value(types).unwrap(), "{name}");
        assert_eq!((text(row, "first").to_owned(), text(row, "last").to_owned()), ends(own()), "{name}");
        // Special authorities in a CP entry of the profile, or QSECOFR.
        let seen = made.truth.iter().any(|t| {
            let f = &t["fields"];
            let has = |a: &&str| match f[format!("special_authority_{a}")].as_str() {
                Some("Y") => true,
                Some("N") => false,
                _ => f[format!("prev_special_authority_{a}")] == "Y",
            };
            event(t).0 == "CP"
                && f["user_profile"] == name
                && ["allobj", "secadm", "audit", "service", "iosyscfg"].iter().any(has)
        });
        let tags: Vec<&str> = row["tags"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        assert_eq!(tags.contains(&"privileged"), seen || name == "QSECOFR", "{name}");
        let supplied = ["QSECOFR", "QUSER", "QTCP", "QTMHHTTP", "QSYSOPR", "QSYS"].contains(&name);
        assert_eq!(tags.contains(&"IBM-supplied"), supplied, "{name}");
    }
}

#[test]
fn sign_on_failures_are_counted_by_user_address_and_kind_with_their_bursts() {
    let dir = folder();
    let made = capture(&dir);
    let r = told("", &made.path);
    let f = &r["sign_on_failures"];
    let pw = || made.truth.iter().filter(|t| event(t).0 == "PW");
    assert_eq!(count(f, "total"), pw().count() as u64);
    let key = |t: &Value| {
        let user = text(&t["fields"], "audit_user_name").trim_end().to_owned();
        (user, head(t, "remote_address").trim_end().to_owned(), event(t).1)
    };
    let mut truth: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
    pw().for_each(|t| truth.entry(key(t)).or_default().push(t));
    assert_eq!(rows(&f["attempts"]).len(), truth.len());
    for row in rows(&f["attempts"]) {
        let key = (text(row, "user").to_owned(), text(row, "remote_address").to_owned(), text(row, "kind").to_owned());
        let own = &truth[&key];
        assert_eq!(count(row, "entries"), own.len() as u64, "{key:?}");
        assert_eq!((text(row, "first").to_owned(), text(row, "last").to_owned()), ends(own.iter().copied()));
    }
    for kind in f["by_kind"].as_array().unwrap() {
        let code = text(kind, "kind");
        assert_eq!(count(kind, "entries"), pw().filter(|t| event(t).1 == code).count() as u64);
        let table = fs::read_to_string(harness::root().join("formats/journal/PW.toml")).unwrap();
        assert!(table.contains(&format!("{code} = {:?}", text(kind, "meaning"))), "{kind}: IBM's words");
    }
    // The sweep of the stories comes from one address.
    let sweep = rows(&f["bursts"]).iter().find(|b| b["remote_address"] == "203.0.113.77").unwrap();
    let from = |t: &&Value| head(t, "remote_address").trim_end() == "203.0.113.77";
    let second = |t: &Value| -> i64 {
        let p: Vec<i64> = head(t, "entry_timestamp").split(['-', '.']).map(|n| n.parse().unwrap()).collect();
        p[2] * 86_400 + p[3] * 3_600 + p[4] * 60 + p[5]
    };
    let all: Vec<&Value> = pw().filter(from).collect();
    let end = all.windows(2).position(|w| second(w[1]) - second(w[0]) > 60).map_or(all.len(), |n| n + 1);
    assert!(end >= 9, "{end}");
    assert_eq!(count(sweep, "entries"), end as u64);
    assert_eq!((text(sweep, "first").to_owned(), text(sweep, "last").to_owned()), ends(all[..end].iter().copied()));
}

#[test]
fn changes_of_authority_are_told_with_what_was_before() {
    let dir = folder();
    let made = capture(&dir);
    let r = told("", &made.path);
    let p = &r["privilege_changes"];
    for code in ["CA", "OW", "PA", "PG"] {
        let n = made.truth.iter().filter(|t| event(t).0 == code).count() as u64;
        assert_eq!(p["by_type"][code].as_u64(), Some(n), "{code}");
    }
    let at = |n: u64| rows(p).iter().find(|row| count(row, "sequence") == n).unwrap_or_else(|| panic!("{n}"));
    let story = |field: &str, value: &str| {
        sequence(made.truth.iter().find(|t| t["fields"][field] == value).unwrap_or_else(|| panic!("{value}")))
    };
    let made_up = at(story("user_profile", "TEMPADM"));
    assert_eq!((text(made_up, "effective_user"), text(made_up, "job_user")), ("QSECOFR", "QTMHHTTP"));
    for words in ["special authorities *ALLOBJ *JOBCTL", "*IOSYSCFG; user class *SECOFR"] {
        assert!(text(made_up, "now").contains(words), "{made_up}");
    }
    assert_eq!((text(made_up, "before"), text(made_up, "type")), ("", "CP-A"));
    let lost = at(story("user_profile", "JSMITH"));
    assert_eq!(text(lost, "before"), "previous special authorities *ALLOBJ");
    assert!(text(lost, "now").starts_with("user class *USER"), "{lost}");
    for t in made.truth.iter().filter(|t| event(t).0 == "OW") {
        let row = at(sequence(t));
        let f = |name: &str| text(&t["fields"], name).trim_end().to_owned();
        assert_eq!(text(row, "before"), format!("old owner {}", f("previous_owner")));
        assert_eq!(text(row, "now"), format!("new owner {}", f("new_owner")));
    }
}

#[test]
fn a_guess_is_told_only_where_it_is_asked_for_and_marked() {
    let dir = folder();
    let fields = [("previous_primary_group", "OLDGRP"), ("new_primary_group", "NEWGRP"), ("previous_exclude", "Y")];
    let path = write(&dir, "pg.type5", &[&entry("PG", 1, ("BILL", "BILL"), &fields)]);
    let input = format!("--input type5 --record-length {LENGTH}");
    let before = |args: &str| {
        let r = told(&format!("{input} {args}"), &path);
        text(&rows(&r["privilege_changes"])[0], "before").to_owned()
    };
    assert_eq!(before(""), "old primary group OLDGRP");
    assert_eq!(before("--guesses"), "old primary group OLDGRP; previous authorities *EXCLUDE?");
}

#[test]
fn work_under_another_name_is_told_by_pair_with_programs_and_jobs() {
    let dir = folder();
    let made = capture(&dir);
    let r = told("", &made.path);
    let o = &r["other_user"];
    let differ = || made.truth.iter().filter(|t| !effective(t).is_empty() && effective(t) != job(t));
    let mut truth: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    differ().for_each(|t| truth.entry((effective(t).to_owned(), job(t).to_owned())).or_default().push(t));
    assert_eq!((count(o, "total"), rows(o).len()), (differ().count() as u64, truth.len()));
    for row in rows(o) {
        let own = &truth[&(text(row, "effective_user").to_owned(), text(row, "job_user").to_owned())];
        assert_eq!(count(row, "entries"), own.len() as u64);
        assert_eq!((text(row, "first").to_owned(), text(row, "last").to_owned()), ends(own.iter().copied()));
        for (part, field) in [("programs", "program_name"), ("jobs", "job_name")] {
            let named = row[part]["names"].as_array().unwrap();
            let sum: u64 = named.iter().map(|n| count(n, "entries")).sum::<u64>() + count(&row[part], "others");
            let all = own.iter().filter(|t| !matches!(head(t, field).trim_end(), "" | "*N" | "*NONE")).count() as u64;
            assert_eq!(sum, all, "{part} {row}");
            for n in named {
                let of = own.iter().filter(|t| head(t, field).trim_end() == text(n, "name")).count() as u64;
                assert!(count(n, "entries") <= of && (count(&row[part], "others") > 0 || count(n, "entries") == of));
            }
        }
    }
}

#[test]
fn n11_changes_to_auditing_are_told() {
    let dir = folder();
    let made = capture(&dir);
    let r = told("", &made.path);
    let a = &r["audit_changes"];
    let truth: BTreeSet<u64> = made
        .truth
        .iter()
        .filter(|t| match (event(t).0.as_str(), event(t).1.as_str()) {
            ("SV", _) => {
                let name = text(&t["fields"], "system_value");
                name.starts_with("QAUD") || name == "QCRTOBJAUD"
            }
            ("AD", detail) => matches!(detail, "D" | "O" | "U"),
            ("ST", _) => true,
            _ => false,
        })
        .map(sequence)
        .collect();
    let of = |codes: &[&str]| -> BTreeSet<u64> {
        let is = |row: &&Value| codes.contains(&&text(row, "type")[..2]);
        rows(a).iter().filter(is).map(|row| count(row, "sequence")).collect()
    };
    assert_eq!(of(&["SV", "AD", "ST"]), truth);
    assert!(!of(&["CP"]).is_empty(), "CP of *AUDIT");
    let off = rows(a).iter().find(|row| text(row, "subject") == "QAUDCTL").unwrap();
    assert!(text(off, "before").ends_with("*AUDLVL *OBJAUD") && text(off, "now").ends_with("*NONE"), "{off}");
}

#[test]
fn gaps_receivers_and_parked_records_are_told_and_a_cut_capture_ends_with_3() {
    let dir = folder();
    let made = capture(&dir);
    let mut bytes = fs::read(&made.path).unwrap();
    // Entries 101 to 110 are missing, one record is none, and the end is cut.
    bytes.drain(100 * LENGTH..110 * LENGTH);
    bytes[500 * LENGTH..500 * LENGTH + 30].fill(0xC1);
    bytes.truncate(bytes.len() - 1_400);
    let damaged = dir.path().join("damaged.type5");
    fs::write(&damaged, bytes).unwrap();
    let run = report("--json", &[&damaged]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let r = json(&run);
    let (g, s) = (&r["gaps"], &r["sums"]);
    assert!(count(g, "gaps") >= 1 && count(g, "numbers_missing") >= 10, "{g}");
    assert!(g["named"][0].as_str().unwrap().contains("entries 101 to 110 of receiver AUDRCV0042 are missing"), "{g}");
    assert_eq!((count(s, "read"), count(s, "reported") + count(s, "parked")), (2_990, 2_990), "{s}");
    assert!(count(s, "parked") >= 1, "{s}");
    let by_reason: u64 = s["parked_by_reason"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(by_reason, count(s, "parked"));
    assert!(g["parked"][0].as_str().unwrap().contains("offset 750000: parked"), "{g}");
    assert!(r["warnings"].to_string().contains("the capture ends within a record"), "{}", r["warnings"]);
    let receiver = &g["receivers"][0];
    assert_eq!((text(receiver, "system"), text(receiver, "receiver")), ("PROD01", "QGPL/AUDRCV0042"));
    assert_eq!((count(receiver, "lowest"), count(receiver, "entries")), (1, count(s, "reported")));
    // The whole file is hashed, also what is cut.
    assert_eq!(count(&r["evidence"]["captures"][0], "bytes"), 2_990 * LENGTH as u64 - 1_400);
    let text = report("", &[&damaged]);
    assert_eq!(text.code, 3);
    assert!(text.stdout.contains("+ parked ") && text.stdout.contains("entries 101 to 110"), "{}", text.stdout);
}

#[test]
fn an_empty_capture_is_refused_and_a_packed_one_is_read() {
    let dir = folder();
    let empty = dir.path().join("empty");
    fs::write(&empty, "").unwrap();
    let as_elsewhere = qaudjrn("what-if --config /dev/null", &[&empty]);
    let run = report("", &[&empty]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("empty") && as_elsewhere.code != 0, "{}", run.stderr);
    // The hash is that of the file, not of what is in it.
    let made = make(&dir, "few.type5", "--count 200 --seed 4");
    let packed = dir.path().join("few.gz");
    let gzip = Command::new("gzip").arg("-c").arg(&made.path).output().unwrap();
    fs::write(&packed, &gzip.stdout).unwrap();
    let (plain, packed) = (told("", &made.path), told("", &packed));
    assert_eq!(count(&packed["evidence"]["captures"][0], "bytes"), gzip.stdout.len() as u64);
    assert_ne!(plain["evidence"]["captures"][0]["sha256"], packed["evidence"]["captures"][0]["sha256"]);
    for part in ["sums", "users", "gaps", "privilege_changes", "sign_on_failures"] {
        assert_eq!(plain[part], packed[part], "{part}");
    }
}

#[test]
fn what_hides_behind_an_entry_is_told() {
    let dir = folder();
    let mut bytes = Vec::new();
    for n in 1..=3 {
        let mut record = entry("PW", n, ("BILL", "BILL"), &[]).bytes().to_vec();
        if n == 2 {
            record.extend_from_slice(&[0xC1; 40]);
        }
        bytes.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&record);
    }
    let path = dir.path().join("framed");
    fs::write(&path, bytes).unwrap();
    let run = report("--json --input type5 --input-framing stream", &[&path]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let r = json(&run);
    assert_eq!((count(&r, "overlong_records"), count(&r["sums"], "reported")), (1, 3));
    assert!(r["warnings"].to_string().contains("goes on for 40 bytes behind its entry"), "{}", r["warnings"]);
}

#[test]
fn a_user_has_a_time_line_of_all_that_either_name_did() {
    let dir = folder();
    let made = capture(&dir);
    for (user, is) in
        [("WEB*", (|name: &str| name.starts_with("WEB")) as fn(&str) -> bool), ("qtcp", |name: &str| name == "QTCP")]
    {
        let own: Vec<&Value> = made.truth.iter().filter(|t| is(effective(t)) || is(job(t))).collect();
        assert!(own.len() > 50);
        let r = told(&format!("--user {user} --limit 40"), &made.path);
        let s = &r["sums"];
        assert_eq!((count(s, "reported"), count(s, "not_of_user")), (own.len() as u64, 3_000 - own.len() as u64));
        assert_eq!(count(&r["time_line"], "total"), own.len() as u64);
        let line = rows(&r["time_line"]);
        assert_eq!(line.len(), 40);
        for (row, t) in line.iter().zip(&own) {
            assert_eq!((count(row, "sequence"), text(row, "time")), (sequence(t), time(t).as_str()));
            let (code, detail) = event(t);
            let code = if detail.is_empty() { code } else { format!("{code}-{detail}") };
            assert_eq!((text(row, "type"), text(row, "effective_user")), (code.as_str(), effective(t)));
        }
        let run = report(&format!("--user {user} --limit 40"), &[&made.path]);
        let more = format!("The first 40 are listed, {} more are not (--limit).", own.len() - 40);
        assert!(run.stdout.contains(&more), "{more} is not in {}", run.stdout);
    }
    assert_eq!(told("", &made.path)["time_line"], Value::Null);
    report("--user A*B", &[&made.path]).assert_output(2, &["a generic name has one *"]);
}

/// Numbers of the text, without commas, by what stands around them.
fn number(text: &str, before: &str) -> u64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before:?} is not in {text}"));
    let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
    digits.parse().unwrap_or_else(|_| panic!("no number behind {before:?}"))
}

#[test]
fn text_and_json_say_the_same_numbers_in_at_most_120_columns() {
    let dir = folder();
    let made = capture(&dir);
    let (run, r) = (report("", &[&made.path]), told("", &made.path));
    let t = &run.stdout;
    assert!(t.lines().all(|l| l.chars().count() <= 120), "{t}");
    for (before, n) in [
        ("sums           read ", count(&r["sums"], "read")),
        (" = reported ", count(&r["sums"], "reported")),
        (" + filtered by rule ", count(&r["sums"], "filtered")),
        (" + parked ", count(&r["sums"], "parked")),
        ("SIGN-ON FAILURES\n  ", count(&r["sign_on_failures"], "total")),
        ("DIFFER\n  ", count(&r["other_user"], "total")),
        ("CA ", r["privilege_changes"]["by_type"]["CA"].as_u64().unwrap()),
    ] {
        let at = if before == "CA " {
            t.split_once("PRIVILEGE CHANGES").unwrap().1.split_once("not changed.").unwrap().1
        } else {
            t
        };
        assert_eq!(number(at, before), n, "{before}");
    }
    // Every row of the first table.
    let (_, users) = t.split_once("job user  types").unwrap();
    for row in rows(&r["users"]).iter().take(15) {
        let line = users.lines().find(|l| l.split_whitespace().next() == Some(text(row, "name"))).unwrap();
        let entries = format!(" {} ", harness_grouped(count(row, "entries")));
        assert!(line.contains(&entries), "{entries} is not in {line}");
    }
    let order =
        ["ACTIVITY BY USER", "SIGN-ON", "PRIVILEGE", "EFFECTIVE USER AND JOB", "CHANGES TO AUDITING", "GAPS AND"];
    let places: Vec<usize> = order.iter().map(|w| t.find(&format!("\n{w}")).unwrap_or_else(|| panic!("{w}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// 1,234.
fn harness_grouped(n: u64) -> String {
    if n < 1_000 { n.to_string() } else { format!("{},{:03}", n / 1_000, n % 1_000) }
}

#[test]
fn names_of_strangers_stay_text_and_a_flood_of_them_is_told() {
    let dir = folder();
    let odd = [("user_name", "<B>X</B>"), ("job_user", "A&\"'B")];
    let mut hostile = entry("PW", 1, ("", ""), &[("violation_type", "P"), ("audit_user_name", "<I>Y</I>")]);
    odd.iter().for_each(|(name, value)| hostile.head(name, &harness::ebcdic::plain(value)));
    // An escape sequence of a terminal, in EBCDIC.
    let mut steering = entry("PW", 2, ("", ""), &[("violation_type", "P")]);
    steering.head("user_name", &[0xC1, 0x27, 0xAD, 0xF3, 0xF1, 0x94, 0x40, 0x40, 0x40, 0x40]);
    let path = write(&dir, "odd.type5", &[&hostile, &steering]);
    let page = dir.path().join("page.html");
    let run = report(&format!("--input type5 --record-length {LENGTH} --html {}", page.display()), &[&path]);
    run.assert_output(0, &[]);
    assert!(run.stdout.contains("<B>X</B>") && run.stdout.contains("\\x1b"), "{}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}'));
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("&lt;B&gt;X&lt;/B&gt;") && html.contains("A&amp;&quot;&#39;B"), "{html}");
    assert!(!html.contains("<B>X") && !html.contains("<I>Y") && !html.contains('\u{1b}'), "{html}");

    // More names than are kept: what is told of them is bounded, and says that it is not exact.
    let mut flood = Vec::new();
    let mut record = entry("PW", 1, ("ZADMIN", "QUSER"), &[("violation_type", "U")]).bytes().to_vec();
    record.resize(700, 0x40);
    let name = harness::record::tables().types["PW"].iter().find(|f| f.name == "audit_user_name").unwrap();
    let (_, heading) = &harness::record::tables().headings["type5"];
    let user = heading.iter().find(|f| f.name == "user_name").unwrap();
    let data = harness::record::tables().headings["type5"].0;
    flood.extend_from_slice(&record);
    for n in 0..45_000u32 {
        let digits: Vec<u8> =
            format!("U{n:07}").bytes().map(|b| if b == b'U' { 0xE4 } else { b - b'0' + 0xF0 }).collect();
        record[user.at..user.at + 8].copy_from_slice(&digits);
        record[data + name.at..data + name.at + 8].copy_from_slice(&digits);
        flood.extend_from_slice(&record);
    }
    let path = dir.path().join("flood.type5");
    fs::write(&path, flood).unwrap();
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[filter]\nusers.privileged = [\"ZADMIN\"]\n").unwrap();
    let r = told(&format!("--input type5 --record-length 700 --config {}", config.display()), &path);
    assert_eq!(
        (r["users"]["exact"].as_bool(), r["sign_on_failures"]["attempts"]["exact"].as_bool()),
        (Some(false), Some(false))
    );
    assert!(count(&r["users"], "known") <= 20_001 && rows(&r["users"]).len() == 501);
    // The name that is in all of them is counted exactly all the same.
    let first = &rows(&r["users"])[0];
    assert_eq!((text(first, "name"), count(first, "entries"), count(first, "may_be_missing")), ("QUSER", 45_001, 0));
    // A privileged name that is seen once, before all the others, is not forgotten.
    let officer = rows(&r["users"]).iter().find(|u| u["name"] == "ZADMIN");
    let officer = officer.unwrap_or_else(|| panic!("{}", r["users"]));
    assert_eq!((count(officer, "entries"), count(officer, "may_be_missing")), (1, 0));
    let run = report("--input type5 --record-length 700", &[&path]);
    assert!(run.stdout.contains("more users than are kept"), "{}", run.stdout);
}

/// Runs headless Chromium on a page; no network, no profile of the user. On a machine under load it may end by itself: then again.
fn chromium(dir: &tempfile::TempDir, args: &[&str], page: &Path) -> Run {
    let run = |n: u32| {
        let mut c = Command::new("timeout");
        c.args(["--signal=KILL", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", dir.path().join(format!("chromium{n}")).display()))
            .args(args)
            .arg(format!("file://{}", page.display()));
        finish(c)
    };
    let first = run(1);
    if first.code == 0 { first } else { run(2) }
}

/// How wide a page is in a window of this width: in a frame, for a window has a least width of its own.
fn scroll_width(dir: &tempfile::TempDir, html: &str, width: u32) -> u32 {
    // The frame inherits no policy, so that its parent may look into it.
    let (before, rest) = html.split_once("<meta http-equiv").unwrap();
    let page = format!("{before}{}", rest.split_once(">\n").unwrap().1);
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = dir.path().join("frame.html");
    let script = "onload = () => { document.title = 'W' + document.querySelector('iframe').contentDocument.documentElement.scrollWidth + 'W' }";
    fs::write(&frame, format!("<!doctype html><title>t</title><script>{script}</script><iframe style=\"border:0;width:{width}px;height:900px\" srcdoc=\"{page}\"></iframe>")).unwrap();
    let dom = chromium(dir, &["--dump-dom", "--window-size=1400,1000"], &frame);
    let title = dom.stdout.split("<title>W").nth(1).unwrap_or_else(|| panic!("{}", dom.stderr));
    title.split('W').next().unwrap().parse().unwrap()
}

#[test]
fn n17_the_page_reads_in_a_browser_at_both_widths_and_fetches_nothing() {
    let dir = folder();
    let made = capture(&dir);
    let config = dir.path().join("agent.toml");
    fs::write(&config, "[filter]\n").unwrap();
    let page = dir.path().join("page.html");
    let args = format!("--user Q* --config {} --html {}", config.display(), page.display());
    report(&args, &[&made.path]).assert_output(0, &[]);
    let html = fs::read_to_string(&page).unwrap();
    for fetched in ["http://", "https://", "src=", "@import", "url(", "<script"] {
        assert!(!html.contains(fetched), "{fetched}");
    }
    for words in [
        "default-src 'none'",
        "@media print",
        "prefers-color-scheme: dark",
        "<dt>SHA-256</dt>",
        "<dt>sums</dt>",
        "UTC by qaudjrn ",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert_eq!(html.matches("class=\"card\"").count(), 8, "cards fill rows of four and of two");
    let dom = chromium(&dir, &["--dump-dom"], &page);
    assert_eq!(dom.code, 0, "{}", dom.stderr);
    assert!(!dom.stderr.contains("CONSOLE"), "{}", dom.stderr);
    let n = |what: &str| dom.stdout.matches(what).count();
    assert_eq!(
        (n("<svg"), n("<h2")),
        (4, 12),
        "over time, by hour, by type, by user; what was read, charts, seven sections"
    );
    for id in ["read", "users", "failures", "privileges", "acting", "auditing", "gaps", "line"] {
        assert_eq!((n(&format!("<h2 id=\"{id}\"")), n(&format!("href=\"#{id}\""))), (1, 1), "{id}");
    }
    for width in [420, 1280] {
        assert!(scroll_width(&dir, &html, width) <= width, "{width}: it scrolls sideways");
    }
    let pdf = dir.path().join("page.pdf");
    let run = chromium(&dir, &[&format!("--print-to-pdf={}", pdf.display())], &page);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(fs::read(&pdf).unwrap().starts_with(b"%PDF"));
}
