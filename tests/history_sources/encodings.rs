//! Exports in other encodings than UTF-8 as sources of an agent: where it goes on in them, and what is wrong with what is said of them.
use std::{collections::BTreeMap, fs};

use harness::{
    agent::{Agent, ids, notices},
    program::{folder, qaudjrn},
};

use super::{SOON, TIGHT, deliver, expected, made, source, stopped_three_times, watching};

/// A text in UTF-16, little-endian, with its mark.
fn utf_16(text: &str) -> Vec<u8> {
    format!("\u{FEFF}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn an_agent_that_is_stopped_in_the_middle_of_a_utf_16_export_of_a_folder_sends_each_message_once() {
    for (input, path) in made(8_000, 1).into_iter().filter(|(input, _)| *input == "history-csv") {
        let want: BTreeMap<u64, u32> = expected(input, &path).into_iter().map(|n| (n, 1)).collect();
        let rest =
            "kind = \"directory\"\npath = \"drop\"\ncomplete = \"rename\"\nfollow = false\nencoding = \"utf-16\"";
        let pace = super::PACE;
        let text = format!(
            "{}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n{pace}resend_window.seconds = 1\n{TIGHT}",
            source(input, rest)
        );
        let agent = Agent::new(folder(), &text);
        fs::create_dir(agent.dir.path().join("drop")).unwrap();
        deliver(&agent, "day", &utf_16(&fs::read_to_string(&path).unwrap()));
        stopped_three_times(&agent, input, &text, &want);
    }
}

#[test]
fn a_utf_16_export_that_was_cut_within_a_character_goes_on_when_it_has_grown() {
    for (input, path) in made(300, 5).into_iter().filter(|(input, _)| input.starts_with("history")) {
        let whole = utf_16(&fs::read_to_string(&path).unwrap());
        let want = expected(input, &path);
        let agent = watching(input, "follow = false");
        let text = fs::read_to_string(&path).unwrap();
        let row = text[..text.len() / 4].rfind('\n').unwrap() + 1;
        // Within a character three times, once of them behind a row, and between two.
        let behind = utf_16(&text[..row]).len() + 1;
        for end in [behind, (whole.len() / 3) | 1, (whole.len() / 2) | 1, (whole.len() * 2 / 3) & !1, whole.len()] {
            fs::write(agent.dir.path().join("drop/log"), &whole[..end]).unwrap();
            let code = agent.start().wait().unwrap().code();
            assert!(code == Some(3) || code == Some(0) && end == whole.len(), "{input} {code:?}: {}", agent.log());
        }
        let out = agent.read("out");
        let got = ids(&out);
        assert!(got.keys().copied().eq(want.iter().copied()), "{input}: {}", agent.log());
        assert!(got.values().all(|n| *n == 1), "{input}: {}", agent.log());
        assert!(!out.contains('\u{FFFD}'), "{input}");
        let gaps = notices(&out, "AGENT-GAP");
        assert!(
            gaps.iter().any(|g| g["missing"].as_str().unwrap().contains("drop/log: it ends within a row")),
            "{gaps:?}"
        );
    }
}

#[test]
fn a_utf_16_export_with_an_odd_byte_at_its_end_is_a_gap_and_stays_where_it_is() {
    let agent = watching("history-csv", "follow = false\nafter = \"delete\"");
    let text = "MESSAGE_ID,MESSAGE_TIMESTAMP,MESSAGE_TEXT\nCPF1124,2026-11-20 08:00:00,gelöscht\n";
    deliver(&agent, "odd", &[utf_16(text), vec![b'\n']].concat());
    agent.assert_exit(agent.start(), 3, SOON);
    let out = agent.read("out");
    assert_eq!(ids(&out).len(), 1, "{out}");
    let gaps = notices(&out, "AGENT-GAP");
    assert!(gaps.iter().any(|g| g["missing"].as_str().unwrap().contains("drop/odd: it ends within a row")), "{gaps:?}");
    let place = format!("line 3: offset {}: expected UTF-16LE, got X'0A'", utf_16(text).len());
    assert!(agent.log().contains(&place), "{}", agent.log());
    assert!(agent.dir.path().join("drop/odd").exists());
    // Nothing more of it comes.
    let code = agent.start().wait().unwrap().code();
    assert!(matches!(code, Some(0 | 3)), "{code:?} {}", agent.log());
    assert_eq!(ids(&agent.read("out")).into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn an_encoding_is_for_exports_and_what_is_none_is_an_error_with_its_place() {
    let dir = folder();
    let config = dir.path().join("agent.toml");
    let check = |rest: &str| {
        let text = format!(
            "state_dir = \"s\"\n[[source]]\nname = \"a\"\nkind = \"capture\"\npath = \"x\"\nsystem = \"S\"\n{rest}\n[[output]]\nname = \"o\"\naddress = \"null\"\n"
        );
        fs::write(&config, text).unwrap();
        qaudjrn(&format!("check --config {}", config.display()), &[])
    };
    for (rest, said) in [
        (
            "encoding = \"utf-16\"",
            ":7:12: error: source.encoding: only with input = \"history-csv\" or \"history-json\"",
        ),
        ("encoding = \"utf-16\"\ninput = \"qhst\"", ":7:12: error: source.encoding: only with"),
        (
            "input = \"history-csv\"\nencoding = \"latin-one\"",
            ":8:12: error: source.encoding = \"latin-one\": expected utf-8, utf-16 (utf-16le, utf-16be), windows-1252",
        ),
        ("input = \"history-csv\"\nencoding = 1252", "source.encoding: expected a text in quotes, got 1252"),
    ] {
        let run = check(rest);
        assert!(run.code == 2 && run.stdout.contains(said), "{said}: {}{}", run.stdout, run.stderr);
    }
    for label in ["utf-16", "UTF-8", "windows-1252", "iso-8859-15", "shift_jis"] {
        for input in ["history-csv", "history-json"] {
            check(&format!("input = \"{input}\"\nencoding = \"{label}\"")).assert_output(0, &[]);
        }
    }
}
