//! Output addresses: `stdout`, `null`, `file:PATH`, `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`.
use std::{fmt, path::PathBuf, str::FromStr};

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{is_not, tag},
    combinator::{map, map_opt, rest, value, verify},
    sequence::{preceded, separated_pair},
};

use super::OutputError;
use crate::{
    net::{Address, address::address},
    parse::whole,
};

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Nowhere: for measuring.
    Null,
    /// Appended to a file.
    File(PathBuf),
    /// One datagram a line.
    Udp(Address),
    /// A stream.
    Tcp(Address),
    /// A stream under TLS.
    Tls(Address),
    /// RELP: the receiver acknowledges each line. For the agent.
    Relp(Address),
    /// RELP under TLS.
    RelpTls(Address),
}

impl Target {
    /// The host and port of a transport that has connections.
    pub fn connects_to(&self) -> Option<&Address> {
        match self {
            Target::Tcp(a) | Target::Tls(a) | Target::Relp(a) | Target::RelpTls(a) => Some(a),
            Target::Stdout | Target::Null | Target::File(_) | Target::Udp(_) => None,
        }
    }

    /// The host and port of what is reached over a network.
    pub fn has_address(&self) -> Option<&Address> {
        match self {
            Target::Udp(a) => Some(a),
            other => other.connects_to(),
        }
    }

    /// Whether two differ in their place only.
    pub fn is_of_kind(&self, other: &Target) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdout => f.write_str("stdout"),
            Target::Null => f.write_str("null"),
            Target::File(path) => write!(f, "file:{}", path.display()),
            Target::Udp(a) => write!(f, "udp://{a}"),
            Target::Tcp(a) => write!(f, "tcp://{a}"),
            Target::Tls(a) => write!(f, "tls://{a}"),
            Target::Relp(a) => write!(f, "relp://{a}"),
            Target::RelpTls(a) => write!(f, "relp+tls://{a}"),
        }
    }
}

impl FromStr for Target {
    type Err = OutputError;

    fn from_str(s: &str) -> Result<Target, OutputError> {
        whole(s, target).ok_or_else(|| OutputError::Address(s.to_owned()))
    }
}

/// A word, `file:PATH`, or `SCHEME://HOST:PORT`.
fn target(text: &str) -> IResult<&str, Target, ()> {
    let path = verify(rest, |path: &str| !path.is_empty()).map(|path: &str| path.trim_start_matches("//").into());
    let connected = map_opt(separated_pair(is_not(":"), tag("://"), address), |(scheme, address)| match scheme {
        "udp" => Some(Target::Udp(address)),
        "tcp" => Some(Target::Tcp(address)),
        "tls" => Some(Target::Tls(address)),
        "relp" => Some(Target::Relp(address)),
        "relp+tls" => Some(Target::RelpTls(address)),
        _ => None,
    });
    alt((
        value(Target::Stdout, alt((tag("stdout"), tag("-")))),
        value(Target::Null, tag("null")),
        map(preceded(tag("file:"), path), Target::File),
        connected,
    ))
    .parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_is_read_and_others_are_refused() {
        let address = |host: &str, port| Address { host: host.into(), port };
        assert_eq!(
            "tls://siem.example.com:6514".parse::<Target>().unwrap(),
            Target::Tls(address("siem.example.com", 6514))
        );
        assert_eq!("udp://[2001:db8::1]:514".parse::<Target>().unwrap(), Target::Udp(address("2001:db8::1", 514)));
        assert_eq!("relp+tls://h:1".parse::<Target>().unwrap(), Target::RelpTls(address("h", 1)));
        let h = || address("h", 1);
        let all = [
            Target::Stdout,
            Target::Null,
            Target::File("/x".into()),
            Target::Udp(h()),
            Target::Tcp(h()),
            Target::Tls(h()),
            Target::Relp(h()),
            Target::RelpTls(h()),
        ];
        for target in all {
            // One that is not here: it belongs into the list above too.
            match &target {
                Target::Stdout | Target::Null | Target::File(_) | Target::Udp(_) => {}
                Target::Tcp(_) | Target::Tls(_) | Target::Relp(_) | Target::RelpTls(_) => {}
            }
            assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
        assert_eq!("file:/var/log/x.cef".parse::<Target>().unwrap(), Target::File("/var/log/x.cef".into()));
        for wrong in [
            "tcp://host",
            "tcp:host:514",
            "tcp://host:0",
            "tcp://host:70000",
            "tcp://2001:db8::1:514",
            "http://h:1",
            "",
            "file:",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_target_is_told_word_for_word() {
        for wrong in
            ["", "stdin", "Null", "stdout:", "null:x", "tcp://host", "tcp:host:514", "TCP://h:1", "file:", "://h:1"]
        {
            let told = wrong.parse::<Target>().unwrap_err().to_string();
            assert_eq!(
                told,
                format!(
                    "{wrong:?}: expected stdout, null, file:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; for `run` also relp:// and relp+tls://"
                )
            );
        }
        for (text, path) in [
            ("file:x:y", "x:y"),
            ("file:///var/x", "/var/x"),
            ("file://x", "x"),
            ("file:////x", "x"),
            ("file:a//b", "a//b"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap(), Target::File(path.into()), "{text}");
        }
        assert_eq!("-".parse::<Target>().unwrap(), Target::Stdout);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_a_target_reads_back_as_it_is_shown(
            text in "(udp|tcp|tls|relp|relp\\+tls|file|stdout|null|-|x)?(:|://|//)?\\[?[a-c.:/]{0,5}\\]?(:[0-9]{0,5})?\\PC?",
        ) {
            if let Ok(target) = text.parse::<Target>() {
                proptest::prop_assert!(
                    matches!(target, Target::File(_)) || target.to_string().parse::<Target>().unwrap() == target
                );
            }
        }
    }
}
