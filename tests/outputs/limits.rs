//! Lines within what receivers take as they are shipped (F02).
use std::{collections::BTreeSet, fs};

use super::SOON;
use harness::{
    agent::{Agent, SOURCE},
    peers::{Kind, Receiver as Peer},
    program::{Made, folder, make, replay},
};

/// rsyslog's own limit, unless it is told another.
const RSYSLOG: usize = 8_096;

/// Ten commands, two of them as long as they may be, with text that reads as a line of its own.
fn long(dir: &tempfile::TempDir) -> Made {
    let made = make(dir, "day.type5", "--count 10 --seed 3 --mix CD --entdtalen 6045");
    let (heading, length, command) = (609, 6_045, 30..6_030);
    let mut bytes = fs::read(&made.path).unwrap();
    for place in [3, 7] {
        let record = &mut bytes[place * (heading + length)..(place + 1) * (heading + length)];
        record[heading - 2..heading].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        // CCSID 37: characters that CEF, structured data or JSON escape, and "<106>1 ".
        let text = [0x7e, 0x7f, 0x7e, 0x7f, 0x4c, 0xf1, 0xf0, 0xf6, 0x6e, 0xf1, 0x40];
        record[heading..][command.clone()].iter_mut().zip(text.iter().cycle()).for_each(|(b, c)| *b = *c);
    }
    fs::write(&made.path, bytes).unwrap();
    made
}

#[test]
fn f02_receivers_as_shipped_have_every_long_line_whole_and_no_event_that_was_none() {
    let forms = [
        (Kind::RsyslogTcp, "newline"),
        (Kind::RsyslogTcp, "octet"),
        (Kind::RsyslogRelp, "newline"),
        (Kind::SyslogNgNewline, "newline"),
        (Kind::SyslogNgOctet, "octet"),
    ];
    for (kind, framing) in forms {
        let dir = folder();
        let made = long(&dir);
        let peer = Peer::start(kind);
        let framing = if kind.is_relp() { String::new() } else { format!("framing = \"{framing}\"\n") };
        let agent = Agent::new(
            dir,
            &format!(
                "heartbeat = 0\n{SOURCE}[[output]]\nname = \"a\"\naddress = \"{}\"\nformat = \"cef\"\ndetail = \"full\"\n{framing}",
                peer.address()
            ),
        );
        agent.assert_exit(agent.start(), 0, SOON);
        let lines: BTreeSet<String> =
            replay("--format cef --detail full", &[&made.path]).lines().iter().map(|l| (*l).to_owned()).collect();
        let got: Vec<String> = peer.finish(10, SOON).into_iter().map(|r| r.raw).collect();
        assert_eq!(got.len(), 10, "{kind:?} {framing}");
        for line in &got {
            assert!(lines.contains(line), "{kind:?} {framing}: this was never a line: {line}");
        }
        assert!(got.iter().any(|l| l.len() > 4_000), "{kind:?}: no long line to test");
    }
}

#[test]
fn f02_no_line_of_any_format_is_longer_by_default_than_its_receiver_takes() {
    let dir = folder();
    let made = long(&dir);
    for format in ["syslog", "cef", "leef", "leef2", "json"] {
        for header in ["rfc5424", "rfc3164"] {
            let run = replay(&format!("--format {format} --header {header} --detail full"), &[&made.path]);
            let longest = run.lines().iter().map(|l| l.len()).max().unwrap();
            // With the length before it, a blank, and what an octet-counted frame of RELP adds, it is still one message.
            assert!(longest <= RSYSLOG, "{format} {header}: {longest} bytes");
            assert!(longest > 2_000, "{format} {header}: {longest} bytes: no long line to test");
        }
    }
}
