//! Values are what the bytes say: no text made of numbers, no time that nobody wrote, no date of a wrong order; what contradicts
//! the options is refused.

use std::{
    fs,
    process::{Command, Output},
};

use harness::unused_port;
use harness::{ebcdic, record::Record};
use serde_json::Value;

fn qaudjrn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_qaudjrn")).args(args).output().unwrap()
}

/// A capture of these records, in a folder that goes with it.
fn capture(records: &[Record]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    fs::write(&path, records.iter().flat_map(|r| r.bytes().to_vec()).collect::<Vec<u8>>()).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

fn replay(args: &[&str], path: &str) -> Output {
    qaudjrn(&[&["replay", "--timezone", "UTC"], args, &[path]].concat())
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn sv(entry_type: &str, name: &str, new: &[u8], old: &[u8]) -> Record {
    let mut r = Record::new("type5", "SV");
    r.head("entry_timestamp", &ebcdic::plain("2026-01-01-08.00.00.000000"));
    r.data("entry_type", &ebcdic::plain(entry_type));
    r.data("system_value", &ebcdic::plain(name));
    r.data("new_value", new);
    r.data("old_value", old);
    r
}

#[test]
fn f08_the_values_of_a_clock_adjustment_are_numbers_and_times_in_every_format_and_in_decode() {
    let new = 90_000_000_u64.to_be_bytes();
    let old = 0xAEA4_DBF8_5800_0000_u64.to_be_bytes();
    let (_dir, path) = capture(&[sv("D", "ADJUTC", &new, &old)]);
    for format in ["json", "cef", "leef", "leef2", "syslog"] {
        let line = stdout(&replay(&["--format", format], &path));
        assert!(line.contains("90000000 microseconds") && line.contains("2026-01-01 08:00:00 UTC"), "{line}");
    }
    let decoded: Value = serde_json::from_slice(&qaudjrn(&["decode", &path]).stdout).unwrap();
    assert_eq!(decoded["fields"]["new_value"], "90000000 microseconds");
    assert_eq!(decoded["fields"]["old_value"], "2026-01-01 08:00:00 UTC");
    assert!(stdout(&qaudjrn(&["decode", "--pretty", &path])).contains("2026-01-01 08:00:00 UTC"));
}

#[test]
fn f08_values_of_no_known_type_are_shown_as_bytes_and_texts_as_texts() {
    let value = |entry_type, name, new: &[u8]| {
        let (_dir, path) = capture(&[sv(entry_type, name, new, &ebcdic::plain("30"))]);
        let line: Value = serde_json::from_str(&stdout(&replay(&["--format", "json"], &path))).unwrap();
        assert_eq!(line["old_value"], "30", "{line}");
        line["new_value"].as_str().unwrap().to_owned()
    };
    assert_eq!(value("A", "QSECURITY", &ebcdic::plain("40")), "40");
    assert_eq!(value("A", "QTIMADJ", &ebcdic::plain("QIBM_OS400_SNTP")), "QIBM_OS400_SNTP");
    assert_eq!(value("A", "QMAXJOB", &[0, 0, 0x75, 0x30]), "30000");
    assert_eq!(value("A", "QMAXJOB", &ebcdic::plain("30000")), "30000");
    assert_eq!(value("A", "QNOBODY", &[0, 0, 0, 9]), "X'00000009'");
    assert_eq!(value("C", "CURUTC", &[0xC1, 0x4A, 0xB5, 0xC1]), "X'c14ab5c1'");
}

#[test]
fn f10_an_entry_without_a_valid_time_gets_none() {
    let mut r = Record::new("type5", "PW");
    r.head("system_name", &ebcdic::plain("PROD01"));
    r.head("entry_timestamp", &ebcdic::plain("2026-02-30-08.00.01.924078"));
    let mut before = r.clone();
    before.head("entry_timestamp", &ebcdic::plain("2026-02-27-08.00.01.924078"));
    for records in [vec![r.clone()], vec![before, r]] {
        let (_dir, path) = capture(&records);
        for (format, header) in [("leef", "rfc3164"), ("cef", "rfc3164"), ("cef", "rfc5424"), ("json", "none")] {
            let all = stdout(&replay(&["--format", format, "--header", header], &path));
            let line = all.lines().last().unwrap();
            assert!(!line.contains("Jan  1") && !line.contains("devTime") && !line.contains(" rt="), "{line}");
            assert!(line.contains("notime") && line.contains("2026-02-30-08.00.01.924078"), "{line}");
            if header == "rfc3164" {
                assert!(line.split_once('>').unwrap().1.starts_with("PROD01 "), "{line}");
            }
        }
    }
}

/// Entries of these dates, in *TYPE2.
fn dated(dates: &[&str]) -> Vec<Record> {
    let entry = |(n, date): (usize, &&str)| {
        let mut r = Record::new("type2", "PW");
        r.head("sequence_number", &ebcdic::plain(&format!("{:010}", n + 1)));
        r.head("entry_date", &ebcdic::plain(date));
        r.head("entry_time", &ebcdic::plain("080001"));
        r
    };
    dates.iter().enumerate().map(entry).collect()
}

fn days(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|d| format!("{d:02}0526")).collect()
}

#[test]
fn f09_dates_that_contradict_the_format_are_refused_and_the_one_that_fits_is_named() {
    for (given, from, to, code) in [("MDY", 8, 19, 2), ("MDY", 8, 12, 3), ("YMD", 8, 19, 3), ("JUL", 8, 19, 2)] {
        let days = days(from..=to);
        let (_dir, path) = capture(&dated(&days.iter().map(String::as_str).collect::<Vec<_>>()));
        let args = ["--receiver", "AUDRCV0001", "--date-format"];
        let out = replay(&[&args[..], &[given]].concat(), &path);
        assert_eq!(out.status.code(), Some(code), "{given}: {}", stderr(&out));
        assert!(stderr(&out).contains("give DMY"), "{}", stderr(&out));
        let out = replay(&[&args[..], &["DMY"]].concat(), &path);
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        assert!(stdout(&out).lines().next().unwrap().contains("2026-05-08T08:00:01"));
    }
}

#[test]
fn f14_ccsids_of_japan_are_known_and_65535_says_what_to_give() {
    let (_dir, path) = capture(&[sv("A", "QSECURITY", &ebcdic::plain("40"), &[0x40])]);
    for ccsid in ["5026", "5035", "290", "1027", "1390", "1371"] {
        let out = replay(&["--ccsid", ccsid, "--to", "null"], &path);
        assert_eq!(out.status.code(), Some(0), "{ccsid}: {}", stderr(&out));
    }
    for (ccsid, said) in [("65535", "default CCSID of the jobs (DSPJOB"), ("274", "nearest is 273")] {
        let out = replay(&["--ccsid", ccsid, "--to", "null"], &path);
        assert_eq!(out.status.code(), Some(2));
        assert!(stderr(&out).contains(said) && stderr(&out).contains("QCCSID"), "{}", stderr(&out));
    }
}

/// A receiver with a certificate of version 1, as `openssl x509 -req` makes it.
struct Version1 {
    server: std::process::Child,
    dir: tempfile::TempDir,
    port: u16,
    pin: String,
}

impl Version1 {
    fn new(tls: &str) -> Version1 {
        let dir = tempfile::tempdir().unwrap();
        let openssl = |args: &str| {
            let out = Command::new("openssl").args(args.split(' ')).current_dir(&dir).output().expect("openssl runs");
            assert!(out.status.success(), "{args}: {}", String::from_utf8_lossy(&out.stderr));
            out.stdout
        };
        openssl("req -new -newkey rsa:2048 -nodes -keyout k.pem -out r.pem -subj /CN=siem.example.com");
        openssl("x509 -req -in r.pem -signkey k.pem -out c.pem -days 30");
        let print = String::from_utf8(openssl("x509 -in c.pem -noout -fingerprint -sha256")).unwrap();
        let pin = format!("sha256:{}", print.trim().rsplit('=').next().unwrap());
        let port = unused_port();
        let server = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-cert",
                "c.pem",
                "-key",
                "k.pem",
                "-quiet",
                tls,
            ])
            .current_dir(&dir)
            .stdin(std::process::Stdio::piped())
            .stdout(fs::File::create(dir.path().join("got")).unwrap())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < end, "openssl s_server does not listen");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Version1 { server, dir, port, pin }
    }

    fn wait_for(&self, text: &str) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !fs::read_to_string(self.dir.path().join("got")).unwrap().contains(text) {
            assert!(std::time::Instant::now() < end, "{text} did not arrive");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Version1 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn f15_a_certificate_of_version_1_can_be_pinned() {
    for tls in ["-tls1_2", "-tls1_3"] {
        let receiver = Version1::new(tls);
        let to = format!("tls://127.0.0.1:{}", receiver.port);
        let (_dir, path) = capture(&[sv("A", "QSECURITY", &ebcdic::plain("40"), &[0x40])]);
        let out = replay(&["--to", &to, "--pin", &receiver.pin], &path);
        assert_eq!(out.status.code(), Some(0), "{tls}: {}", stderr(&out));
        receiver.wait_for("QSECURITY");
        let wrong = format!("sha256:{}", "00".repeat(32));
        let out = replay(&["--to", &to, "--pin", &wrong], &path);
        assert!(
            out.status.code() == Some(1) && stderr(&out).contains("not the one that --pin names"),
            "{}",
            stderr(&out)
        );
    }
}

#[test]
fn n16_a_line_has_one_spelling_and_numbers_of_json_are_numbers() {
    let mut r = Record::new("type5", "CP");
    r.head("entry_timestamp", &ebcdic::plain("2026-01-01-08.00.00.000000"));
    r.head("remote_address", &ebcdic::plain("203.0.113.77"));
    r.head("remote_port", &ebcdic::plain("51234"));
    r.data("special_authority_allobj", &ebcdic::plain("Y"));
    r.data("limit_capabilities", &ebcdic::plain("*NO"));
    let (_dir, path) = capture(&[r]);
    let line = |format: &str| stdout(&replay(&["--format", format], &path));
    assert!(line("syslog").contains(" specialauthorities=\"*ALLOBJ\" limitcapabilities=\"*NO\""), "{}", line("syslog"));
    assert!(line("leef").contains("\tspecialAuthorities=*ALLOBJ\tlimitCapabilities=*NO"), "{}", line("leef"));
    assert!(line("cef").contains("specialAuthorities: *ALLOBJ; limitCapabilities: *NO"), "{}", line("cef"));
    let json: Value = serde_json::from_str(&line("json")).unwrap();
    assert_eq!((&json["special_authorities"], &json["limit_capabilities"]), (&"*ALLOBJ".into(), &"*NO".into()));
    assert_eq!((&json["remote_port"], &json["sequence"]), (&51_234.into(), &"1".into()));
}
