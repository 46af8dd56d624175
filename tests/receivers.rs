//! Real receivers judge what the product sends: rsyslog and syslog-ng take the messages, liblognorm the CEF lines.
//!
//! `harness` first proves the receivers with hand-made lines from plain sockets; `product` then sends a capture of 10,000
//! hostile entries over each transport and compares every value with the truth. The receivers come from
//! `tests/tools/fetch_peers.sh`; without them these tests fail, they are not skipped.

#[path = "receivers/encodings.rs"]
mod encodings;

mod harness {
    use harness::peers::client::{self, Framing};
    use harness::peers::lines::{Leef, lognormalizer};
    use harness::peers::truth::printable;
    use harness::peers::{Kind, Receiver, peers_in};
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(20);

    /// A hand-made line and what a right receiver reads in it.
    struct Sample {
        line: String,
        sd: Vec<(&'static str, Vec<(&'static str, String)>)>,
        msg: String,
    }

    fn sample(sd_text: &str, sd: Vec<(&'static str, Vec<(&'static str, String)>)>, msg: &str) -> Sample {
        let header = "<108>1 2026-11-17T10:00:01.123456-05:00 PROD1 qaudjrn 123456/QUSER/QZDASOINIT AF-A";
        let line = if msg.is_empty() { format!("{header} {sd_text}") } else { format!("{header} {sd_text} {msg}") };
        Sample { line, sd, msg: msg.into() }
    }

    fn samples() -> Vec<Sample> {
        let id = "ibmi@32473";
        let cef = r"CEF:0|qaudjrn|IBM i audit|0.1.0|AF-A|Authority \| failure|6|rt=1794927601123 suser=JSMITH filePath=/a\=b\\c|d.txt msg=TEXT('a\=b')\nline2 #011 %n%s";
        let leef1 =
            "LEEF:1.0|qaudjrn|IBM i audit|0.1.0|AF_A|cat=AF\tusrName=JSMITH\tpath=/home/j smith/a=b\\c_d.txt\tsev=6";
        let leef2 = "LEEF:2.0|qaudjrn|IBM i audit|0.1.0|AF_A|^|cat=AF^usrName=ÅSE^sev=6";
        let long = {
            let bare = sample(&format!(r#"[{id} seq="5" big="@"]"#), vec![], "end").line.len() - 1;
            "ü".repeat((8_000 - bare) / 2) + &"z".repeat((8_000 - bare) % 2)
        };
        let text = |s: &str| s.to_string();
        vec![
            sample(
                r#"[ibmi@32473 seq="1" path="/home/j \"x\"\]\\y.txt" last="trail\\" meta="a=b|c^d{}[;:,  two" lit="\\x0a\\u{2028} #012 %n"]"#,
                vec![(
                    id,
                    vec![
                        ("seq", text("1")),
                        ("path", text(r#"/home/j "x"]\y.txt"#)),
                        ("last", text(r"trail\")),
                        ("meta", text("a=b|c^d{}[;:,  two")),
                        ("lit", text(r"\x0a\u{2028} #012 %n")),
                    ],
                )],
                "Authority failure: JSMITH not authorized",
            ),
            sample(
                r#"[ibmi@32473 seq="2" user="ÅSE" path="/exports/日本/売上 🔒.csv" empty="" lead=" x"][timeQuality tzKnown="1"]"#,
                vec![
                    (
                        id,
                        vec![
                            ("seq", text("2")),
                            ("user", text("ÅSE")),
                            ("path", text("/exports/日本/売上 🔒.csv")),
                            ("empty", text("")),
                            ("lead", text(" x")),
                        ],
                    ),
                    ("timeQuality", vec![("tzKnown", text("1"))]),
                ],
                "straße 🔒 ende",
            ),
            sample(r#"[ibmi@32473 seq="3"]"#, vec![(id, vec![("seq", text("3"))])], ""),
            sample("-", vec![], cef),
            sample("-", vec![], leef1),
            sample("-", vec![], leef2),
            sample(
                &format!(r#"[{id} seq="5" big="{long}"]"#),
                vec![(id, vec![("seq", text("5")), ("big", long)])],
                "end",
            ),
        ]
    }

    fn prove(kind: Kind) {
        let samples = samples();
        let lines: Vec<String> = samples.iter().map(|s| s.line.clone()).collect();
        assert_eq!(lines.last().map(String::len), Some(8_000));
        for framing in client::framings(kind) {
            let receiver = Receiver::start(kind);
            client::send(&receiver, *framing, &lines);
            let records = receiver.finish(samples.len(), SOON);
            assert_eq!(records.len(), samples.len(), "{kind:?} {framing:?}");
            for (record, sample) in records.iter().zip(&samples) {
                assert_eq!(record.raw, sample.line, "{kind:?} {framing:?}");
                assert_eq!(record.msg, sample.msg, "{kind:?} {framing:?}");
                assert_eq!(record.pri, "108");
                assert_eq!((&*record.host, &*record.app), ("PROD1", "qaudjrn"));
                assert_eq!((&*record.procid, &*record.msgid), ("123456/QUSER/QZDASOINIT", "AF-A"));
                let expected: BTreeMap<String, BTreeMap<String, String>> = sample
                    .sd
                    .iter()
                    .map(|(id, params)| {
                        (id.to_string(), params.iter().map(|(k, v)| (k.to_string(), v.clone())).collect())
                    })
                    .collect();
                assert_eq!(record.sd, expected, "{kind:?} {framing:?}: {}", sample.line);
            }
        }
    }

    #[test]
    fn rsyslog_udp_gives_every_byte_back() {
        prove(Kind::RsyslogUdp);
    }

    #[test]
    fn rsyslog_tcp_gives_every_byte_back_in_both_framings() {
        prove(Kind::RsyslogTcp);
    }

    #[test]
    fn rsyslog_tls_gives_every_byte_back() {
        prove(Kind::RsyslogTls);
    }

    #[test]
    fn rsyslog_mutual_tls_gives_every_byte_back() {
        prove(Kind::RsyslogMutualTls);
    }

    #[test]
    fn syslog_ng_udp_gives_every_byte_back() {
        prove(Kind::SyslogNgUdp);
    }

    #[test]
    fn syslog_ng_newline_gives_every_byte_back() {
        prove(Kind::SyslogNgNewline);
    }

    #[test]
    fn syslog_ng_octet_gives_every_byte_back() {
        prove(Kind::SyslogNgOctet);
    }

    #[test]
    fn syslog_ng_tls_gives_every_byte_back() {
        prove(Kind::SyslogNgTls);
    }

    #[test]
    fn syslog_ng_mutual_tls_gives_every_byte_back() {
        prove(Kind::SyslogNgMutualTls);
    }

    #[test]
    fn mutual_tls_takes_nothing_from_a_client_without_a_certificate() {
        for kind in [Kind::RsyslogMutualTls, Kind::SyslogNgMutualTls] {
            let receiver = Receiver::start(kind);
            let line = |text: &str| vec![format!("<108>1 - - - - - - {text}")];
            // The refusal may come after the write.
            let _ = client::send_tls(&receiver, Framing::Octet, &line("stranger"), false);
            client::send_tls(&receiver, Framing::Octet, &line("friend"), true).expect("the friend is let in");
            let records = receiver.finish(1, SOON);
            let messages: Vec<_> = records.iter().map(|r| &*r.msg).collect();
            assert_eq!(messages, ["friend"], "{kind:?}");
        }
    }

    #[test]
    fn a_line_with_an_rfc_3164_header_is_kept_whole_by_rsyslog() {
        let line = "<108>Nov 17 10:00:01 PROD1 CEF:0|qaudjrn|IBM i audit|0.1.0|AF-A|Authority failure|6|suser=JSMITH";
        let receiver = Receiver::start(Kind::RsyslogTcp);
        client::send(&receiver, Framing::Newline, &[line.to_string()]);
        let records = receiver.finish(1, SOON);
        assert_eq!(records.first().map(|r| (&*r.raw, &*r.host)), Some((line, "PROD1")));
    }

    #[test]
    fn rsyslog_loses_all_structured_data_when_one_name_is_longer_than_32() {
        let line = |name: usize| format!(r#"<13>1 - - - - - [ibmi@32473 a="1" {}="2"] m"#, "n".repeat(name));
        let receiver = Receiver::start(Kind::RsyslogTcp);
        client::send(&receiver, Framing::Newline, &[line(32), line(33)]);
        let records = receiver.finish(2, SOON);
        assert_eq!(records.iter().map(|r| r.sd.len()).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    #[should_panic(expected = "received 2 of 3 messages")]
    fn a_missing_message_is_reported_with_the_count_that_came() {
        let mut receiver = Receiver::start(Kind::RsyslogTcp);
        client::send(
            &receiver,
            Framing::Newline,
            &[String::from("<13>1 - - - - - - a"), String::from("<13>1 - - - - - - b")],
        );
        receiver.wait_for(2, SOON);
        receiver.wait_for(3, Duration::from_millis(200));
    }

    #[test]
    fn a_dropped_receiver_is_gone_and_another_can_take_its_port() {
        for kind in Kind::ALL {
            let receiver = Receiver::start(kind);
            let (pid, port) = (receiver.pid(), receiver.port);
            assert_ne!(Receiver::start(kind).port, port, "{kind:?} chooses its port freely");
            drop(receiver);
            assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{kind:?} lives on");
            assert_eq!(Receiver::start_on(kind, port).port, port);
        }
    }

    #[test]
    fn a_paused_receiver_takes_up_again_where_it_stood() {
        let mut receiver = Receiver::start(Kind::RsyslogTcp);
        receiver.pause();
        client::send(&receiver, Framing::Newline, &[String::from("<13>1 - - - - - - a")]);
        // Another that reads has it on file by then.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(receiver.count(), 0);
        receiver.resume();
        assert_eq!(receiver.finish(1, SOON).len(), 1);
    }

    #[test]
    fn missing_receivers_are_named_with_the_command_that_fetches_them() {
        let error = peers_in(Path::new("/nonexistent")).unwrap_err();
        assert!(error.ends_with("run ./test or tests/tools/fetch_peers.sh first"), "{error}");
    }

    #[test]
    fn lognormalizer_unescapes_cef_and_rejects_what_is_not() {
        let head = "CEF:0|qaudjrn|IBM i audit|0.1.0|AF-A|a \\| b \\\\ c|6|";
        let results = lognormalizer(&[
            format!(
                r"{head}rt=1 suser=ÅSE 日本 cs2Label=jobUser cs2=A\=B|C\\D filePath=/x\\ msg=one\ntwo  three duser= lead sproc= act=x"
            ),
            format!("{head}rt=1 msg=a=b"),
            format!(r"{head}rt=1 msg=a\b"),
            format!("{head}rt=1 msg={}", "x".repeat(8_000)),
            format!("{head}rt=1 msg=x act="),
        ]);
        let first = results[0].as_ref().expect("a right line");
        assert_eq!((&*first.name, &*first.class_id, &*first.severity), (r"a | b \ c", "AF-A", "6"));
        assert_eq!(
            first.get("t"),
            Some("1"),
            "the first key has its first letter again: liblognorm is repaired, say so in lines.rs"
        );
        assert_eq!(first.get("suser"), Some("ÅSE 日本"));
        assert_eq!(first.labelled("jobUser"), Some(r"A=B|C\D"));
        assert_eq!(first.get("filePath"), Some(r"/x\"));
        assert_eq!(first.get("msg"), Some("one\ntwo  three"));
        assert_eq!(first.get("duser"), Some(" lead"));
        assert_eq!(first.get("sproc"), Some(""));
        assert!(results[1].is_err(), "an unescaped = in a value");
        assert!(results[2].is_err(), "an unknown escape");
        assert_eq!(results[3].as_ref().expect("a long line").get("msg").map(str::len), Some(8_000));
        assert!(results[4].is_err(), "an empty value at the end (elsewhere it is taken)");
    }

    #[test]
    fn leef_is_split_at_its_delimiter_and_nowhere_else() {
        let one =
            Leef::parse("<108>Nov 17 10:00:01 PROD1 LEEF:1.0|v|p|1|AF_A|cat=AF\tpath=/a=b^c\tusrName=J S").unwrap();
        assert_eq!((&*one.leef, one.delimiter, one.attributes.len()), ("1.0", '\t', 3));
        assert_eq!((one.get("path"), one.get("usrName")), (Some("/a=b^c"), Some("J S")));
        let two = Leef::parse("LEEF:2.0|v|p|1|AF_A|^|cat=AF^path=/a=b^usrName=").unwrap();
        assert_eq!((two.get("path"), two.get("usrName"), &*two.event_id), (Some("/a=b"), Some(""), "AF_A"));
        assert_eq!(Leef::parse("LEEF:2.0|v|p|1|AF_A|x5E|a=1^b=2").unwrap().get("b"), Some("2"));
        assert_eq!(Leef::parse("LEEF:2.0|v|p|1|AF_A||a=1\tb=2").unwrap().get("b"), Some("2"));
        for wrong in [
            "CEF:0|",
            "LEEF:1.0|v|p|1|",
            "LEEF:1.0|v|p|1|e|a=1|2",
            "LEEF:1.0|v|p|1|e|a",
            "LEEF:1.0|v|p|1|e|a=1\ta=2",
            "LEEF:1.0|v|p|1|e|a b=1",
            "LEEF:2.0|v|p|1|e|ab|a=1",
        ] {
            Leef::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn printable_shows_what_a_line_cannot_carry() {
        assert_eq!(
            printable("a\0b\n\x7f\u{85}\u{9f}\u{a0}\u{2028}\u{202e}\u{ad}ß\u{1f512}  "),
            "a\\x00b\\x0a\\x7f\\x85\\x9f\u{a0}\\u{2028}\\u{202e}\\xadß\u{1f512}"
        );
    }
}

mod product {
    use harness::peers::lines::{Leef, lognormalizer};
    use harness::peers::product::{ENTRIES, alone, capture, replay};
    use harness::peers::truth::{CEF, LEEF, SD, Truth, leef_value};
    use harness::peers::{Kind, Receiver, Record};
    use std::collections::{BTreeMap, HashMap};
    use std::time::Duration;

    /// How long a replay of the capture may take.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// How long after it the last message may arrive.
    const ARRIVAL: Duration = Duration::from_secs(30);

    /// SD elements that say something about the message itself, not about the entry.
    const OTHER_ELEMENTS: [&str; 3] = ["meta", "timeQuality", "origin"];

    /// Differences found, with a bounded memory: the first few are shown.
    #[derive(Default)]
    struct Differences {
        count: usize,
        first: Vec<String>,
    }

    impl Differences {
        fn compare(&mut self, place: &str, seq: u64, got: Option<&str>, expected: Option<&str>) {
            if got != expected {
                self.add(format!("entry {seq} {place}: got {got:?}, expected {expected:?}"));
            }
        }

        fn add(&mut self, what: String) {
            self.count += 1;
            if self.first.len() < 20 {
                self.first.push(what);
            }
        }

        fn assert_none(self) {
            assert!(self.count == 0, "{} differences, the first:\n{}", self.count, self.first.join("\n"));
        }
    }

    /// Replays the capture to a receiver and compares every record with the truth.
    fn judge(kind: Kind, args: &[&str]) {
        let _alone = alone();
        capture();
        let receiver = Receiver::start(kind);
        let (address, certificates) = (receiver.address(), receiver.certificates.clone());
        let path = |p: &std::path::Path| p.display().to_string();
        let (ca, cert, key) = (path(&certificates.ca), path(&certificates.client_cert), path(&certificates.client_key));
        let mut all = vec!["--format", "syslog", "--header", "rfc5424", "--to", &*address];
        all.extend(args);
        if kind.is_tls() {
            all.extend(["--ca", &*ca, "--server-name", "localhost"]);
        }
        if matches!(kind, Kind::RsyslogMutualTls | Kind::SyslogNgMutualTls) {
            all.extend(["--cert", &*cert, "--key", &*key]);
        }
        replay(&all, PATIENCE);
        let records = receiver.finish(ENTRIES, ARRIVAL);
        assert_eq!(records.len(), ENTRIES, "messages received by {kind:?}");
        compare_structured_data(&records);
    }

    fn compare_structured_data(records: &[Record]) {
        let mut waiting: HashMap<u64, &Truth> = capture().truth.iter().map(|t| (t.sequence(), t)).collect();
        let mut differences = Differences::default();
        for record in records {
            let params = parameters(record);
            if record.raw.chars().any(char::is_control) {
                differences.add(format!("a control character in {:?}", record.raw));
            }
            if let Some(name) = params.keys().find(|name| name.len() > 32) {
                differences
                    .add(format!("the name {name} is longer than 32: rsyslog gives up the whole structured data"));
            }
            let seq = params.get("seq").and_then(|s| s.parse::<u64>().ok());
            let Some((seq, truth)) = seq.and_then(|seq| Some((seq, waiting.remove(&seq)?))) else {
                differences.add(format!("a message that is no entry's, or twice: {}", record.raw));
                continue;
            };
            for (name, expected) in SD {
                differences.compare(name, seq, params.get(*name).copied(), expected(truth).as_deref());
            }
            for (name, value) in &params {
                let canonical = SD.iter().any(|(n, _)| n == name);
                match truth.field(name) {
                    Some(expected) if !canonical => differences.compare(name, seq, Some(value), expected.as_deref()),
                    _ => {}
                }
            }
        }
        for seq in waiting.keys() {
            differences.add(format!("entry {seq} did not come"));
        }
        differences.assert_none();
    }

    /// The parameters of the entry's own SD element.
    fn parameters(record: &Record) -> BTreeMap<&str, &str> {
        let own = record.sd.iter().filter(|(id, _)| !OTHER_ELEMENTS.contains(&id.as_str()));
        own.flat_map(|(_, params)| params.iter().map(|(k, v)| (k.as_str(), v.as_str()))).collect()
    }

    #[test]
    fn rsyslog_over_udp_gets_every_entry_with_every_value() {
        judge(Kind::RsyslogUdp, &["--rate", "2000/s"]);
    }

    #[test]
    fn rsyslog_over_tcp_with_line_feeds_gets_every_entry_with_every_value() {
        judge(Kind::RsyslogTcp, &["--tcp-framing", "newline"]);
    }

    #[test]
    fn rsyslog_over_tcp_with_octet_counts_gets_every_entry_with_every_value() {
        judge(Kind::RsyslogTcp, &["--tcp-framing", "octet"]);
    }

    #[test]
    fn rsyslog_over_tls_gets_every_entry_with_every_value() {
        judge(Kind::RsyslogTls, &[]);
    }

    #[test]
    fn rsyslog_over_mutual_tls_gets_every_entry_with_every_value() {
        judge(Kind::RsyslogMutualTls, &[]);
    }

    #[test]
    fn syslog_ng_over_tcp_with_line_feeds_gets_every_entry_with_every_value() {
        judge(Kind::SyslogNgNewline, &["--tcp-framing", "newline"]);
    }

    #[test]
    fn syslog_ng_over_tcp_with_octet_counts_gets_every_entry_with_every_value() {
        judge(Kind::SyslogNgOctet, &["--tcp-framing", "octet"]);
    }

    #[test]
    fn syslog_ng_over_tls_gets_every_entry_with_every_value() {
        judge(Kind::SyslogNgTls, &[]);
    }

    fn lines_of(format: &str) -> Vec<String> {
        let _alone = alone();
        let lines = replay(&["--format", format, "--header", "none", "--to", "stdout"], PATIENCE).lines();
        assert_eq!(lines.len(), ENTRIES);
        lines
    }

    #[test]
    fn liblognorm_accepts_every_cef_line_and_reads_the_true_values() {
        let mut differences = Differences::default();
        let lines = lines_of("cef");
        for ((result, line), truth) in lognormalizer(&lines).iter().zip(&lines).zip(&capture().truth) {
            let Ok(cef) = result else {
                differences.add(format!("not accepted: {line}"));
                continue;
            };
            for (name, expected) in CEF {
                let label = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
                let got = match label {
                    Some(label) => cef.labelled(label),
                    // The first key of the line, whose first letter liblognorm loses.
                    None if *name == "externalId" => cef.get("xternalId"),
                    None => cef.get(name),
                };
                differences.compare(name, truth.sequence(), got, expected(truth).as_deref());
            }
        }
        differences.assert_none();
    }

    fn judge_leef(format: &str, version: &str) {
        let mut differences = Differences::default();
        for (line, truth) in lines_of(format).iter().zip(&capture().truth) {
            let leef = match Leef::parse(line) {
                Ok(leef) => leef,
                Err(why) => {
                    differences.add(why);
                    continue;
                }
            };
            assert_eq!(leef.leef, version);
            for (name, expected) in LEEF {
                let expected = expected(truth).map(|v| leef_value(&v, leef.delimiter));
                differences.compare(name, truth.sequence(), leef.get(name), expected.as_deref());
            }
        }
        differences.assert_none();
    }

    #[test]
    fn every_leef_1_line_splits_into_the_true_values() {
        judge_leef("leef", "1.0");
    }

    #[test]
    fn every_leef_2_line_splits_into_the_true_values() {
        judge_leef("leef2", "2.0");
    }
}
