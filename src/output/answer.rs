//! What a receiver says that has nothing to say: syslog over TCP and TLS has no answers, so a word of it tells that something
//! else listens there. What is known for another protocol is a wrong port; anything else is told once and thrown away.
use crate::encode::escape::printable;

/// So much of what it says is looked at.
const LOOKED_AT: usize = 64;

/// Another protocol: what it was known by, and what to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// For messages.
    pub what: &'static str,
    /// What to try.
    pub advice: &'static str,
}

/// What the first bytes of an answer begin with, in lower case, and what speaks so.
const WORDS: [(&[u8], Stranger); 17] = [
    (b"http/", HTTP),
    (b"<!doctype", HTTP),
    (b"<html", HTTP),
    (b"ssh-", Stranger { what: "as SSH does", advice: "another port" }),
    (b"0 serverclose", RELP),
    (b"220 ", GREETING),
    (b"220-", GREETING),
    (b"+ok", GREETING),
    (b"* ok", GREETING),
    (b"-err", Stranger { what: "with the error of another protocol", advice: "another port" }),
    // RFC 6143, section 7.1.1: the version of the protocol, said first.
    (b"rfb 00", Stranger { what: "as VNC does (RFB)", advice: "another port" }),
    // RFC 2326 and RFC 7826, sections 7.1 and 8.1; RFC 3261, section 7.2: status lines.
    (b"rtsp/", Stranger { what: "as RTSP does", advice: "another port" }),
    (b"sip/2.0", Stranger { what: "as SIP does", advice: "another port" }),
    // AMQP 0-9-1, section 4.2.2, and AMQP 1.0, section 2.2: the header that a peer answers a wrong one with.
    (b"amqp", Stranger { what: "as AMQP does", advice: "another port" }),
    // PostgreSQL, "Message Formats": ErrorResponse, a length of four bytes, the first field is the severity.
    (b"e\0\0", Stranger { what: "as PostgreSQL does", advice: "another port" }),
    // memcached, doc/protocol.txt: "ERROR\r\n" for a command that it does not know.
    (b"error\r\n", Stranger { what: "as memcached does", advice: "another port" }),
    // The rsync daemon, clientserver.c: "@RSYNCD: " and its version, said first.
    (b"@rsyncd:", Stranger { what: "as the rsync daemon does", advice: "another port" }),
];
const HTTP2: Stranger = Stranger { what: "as a web server does (HTTP/2)", advice: "another port" };
const TELNET: Stranger = Stranger { what: "as telnet does", advice: "another port" };
const MYSQL: Stranger = Stranger { what: "as MySQL or MariaDB does", advice: "another port" };
const HTTP: Stranger = Stranger { what: "as a web server does (HTTP)", advice: "another port" };
const RELP: Stranger = Stranger { what: "as RELP does", advice: "relp:// or relp+tls://" };
const GREETING: Stranger = Stranger { what: "with the greeting of a mail or file server", advice: "another port" };
const TLS: Stranger = Stranger { what: "with a TLS record", advice: "tls:// instead of tcp://" };

/// What a receiver said so far.
#[derive(Debug, Default)]
pub struct Word {
    said: Vec<u8>,
    told: bool,
}

impl Word {
    /// Takes what came. Something when it is known for another protocol.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<Stranger> {
        let room = LOOKED_AT.saturating_sub(self.said.len());
        self.said.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or(bytes));
        let stranger = stranger(&self.said);
        // The error tells it.
        self.told |= stranger.is_some();
        stranger
    }

    /// Whether it said something that is of no protocol known here: nothing it was sent is known to be lost, or taken.
    pub fn is_unknown(&self) -> bool {
        !self.said.is_empty() && stranger(&self.said).is_none()
    }

    /// What it said, for the log, once.
    pub fn tell(&mut self) -> Option<String> {
        if self.said.is_empty() || std::mem::replace(&mut self.told, true) {
            return None;
        }
        let text = printable(&String::from_utf8_lossy(&self.said));
        Some(format!(
            "the receiver says \"{text}\": syslog has no answers, so it is thrown away; is it the right port?"
        ))
    }
}

/// Which protocol an answer is of.
fn stranger(said: &[u8]) -> Option<Stranger> {
    // A TLS record: its type (alert, handshake), the version 3.x, a length.
    if let [0x14..=0x17, 0x03, 0x00..=0x04, ..] = said {
        return Some(TLS);
    }
    if let Some(stranger) = binary(said) {
        return Some(stranger);
    }
    let begins = |word: &[u8]| said.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
    WORDS.iter().find(|(word, _)| begins(word)).map(|(_, stranger)| *stranger)
}

/// The protocols that are known by bytes, of which some may be any.
fn binary(said: &[u8]) -> Option<Stranger> {
    match said {
        // RFC 9113, section 6.5: SETTINGS of a few parameters, no flags, stream 0.
        [0, 0, _, 0x04, 0, 0, 0, 0, 0, ..] => Some(HTTP2),
        // RFC 854: IAC, then WILL, WONT, DO or DONT, then an option.
        [0xff, 0xfb..=0xfe, _, ..] => Some(TELNET),
        // "Protocol::HandshakeV10" and "ERR_Packet": a length of three bytes, packet 0, then 10 or 255.
        [_, _, 0, 0, 0x0a | 0xff, ..] => Some(MYSQL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of bytes that come one by one.
    fn heard(said: &[u8]) -> Option<Stranger> {
        let mut word = Word::default();
        said.iter().find_map(|b| word.hear(&[*b]))
    }

    #[test]
    fn n6_what_speaks_first_or_answers_lines_in_another_protocol_is_known() {
        for (said, what) in [
            (b"RFB 003.008\n".as_slice(), "VNC"),
            (b"RTSP/1.0 400 Bad Request\r\n", "RTSP"),
            (b"SIP/2.0 400 Bad Request\r\n", "SIP"),
            (b"AMQP\0\0\x09\x01", "AMQP"),
            (b"AMQP\x03\x01\0\0", "AMQP"),
            (b"E\0\0\0\x8cSFATAL\0VFATAL\0", "PostgreSQL"),
            (b"J\0\0\0\x0a8.0.36\0", "MySQL"),
            (b"E\0\0\0\xffj\x04Host '192.0.2.1' is not allowed", "PostgreSQL"),
            (b"F\0\0\0\xffj\x04Host '192.0.2.12' is not allowed", "MySQL"),
            (b"ERROR\r\n", "memcached"),
            (b"@RSYNCD: 31.0\n", "rsync"),
            (b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", "HTTP/2"),
            (b"\0\0\0\x04\0\0\0\0\0", "HTTP/2"),
        ] {
            let found = heard(said);
            assert!(found.is_some_and(|s| s.what.contains(what)), "{said:?}: {found:?}");
        }
        for said in [b"Error in line 1".as_slice(), b"ok\n", b"rf", b"\xff\xff\xff", b"\0\0\0\0\0\0"] {
            assert_eq!(heard(said), None, "{said:?}");
        }
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes_however_they_come() {
        for (said, what) in [
            (b"\x15\x03\x01\x00\x02\x02\x46".as_slice(), TLS),
            (b"\x15\x03\x03\x00\x02\x02\x0a", TLS),
            (b"HTTP/1.1 400 Bad Request\r\n", HTTP),
            (b"<!DOCTYPE HTML>\n<html>", HTTP),
            (b"0 serverclose 0\n", RELP),
            (b"220 mail.example.com ESMTP", GREETING),
        ] {
            assert_eq!(heard(said), Some(what), "{said:?}");
        }
        let mut word = Word::default();
        assert!(!word.is_unknown());
        assert_eq!(word.hear(b"hello\x1b[2J"), None);
        assert!(word.tell().unwrap().contains("\"hello\\x1b[2J\""));
        assert_eq!(word.tell(), None);
        assert!(word.is_unknown());
        assert_eq!(word.hear(&[b'x'; 10_000]), None);
        assert!(word.said.len() <= LOOKED_AT);
    }
}
