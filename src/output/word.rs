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
const WORDS: [(&[u8], Stranger); 10] = [
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
];
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
    let begins = |word: &[u8]| said.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
    WORDS.iter().find(|(word, _)| begins(word)).map(|(_, stranger)| *stranger)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut word = Word::default();
            let heard = said.iter().find_map(|b| word.hear(&[*b]));
            assert_eq!(heard, Some(what), "{said:?}");
        }
        let mut word = Word::default();
        assert_eq!(word.hear(b"hello\x1b[2J"), None);
        assert!(word.tell().unwrap().contains("\"hello\\x1b[2J\""));
        assert_eq!(word.tell(), None);
        assert_eq!(word.hear(&[b'x'; 10_000]), None);
        assert!(word.said.len() <= LOOKED_AT);
    }
}
