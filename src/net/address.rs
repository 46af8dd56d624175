//! A host and a port, as configurations name both ends of connections.
use std::{fmt, str::FromStr};

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::is_not,
    character::complete::{char, u16},
    combinator::{not, verify},
    sequence::{delimited, preceded, separated_pair},
};

use super::ConnectError;
use crate::parse::whole;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or address; IPv6 without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = ConnectError;

    fn from_str(s: &str) -> Result<Address, ConnectError> {
        whole(s, address).ok_or_else(|| ConnectError::HostPort(s.to_owned()))
    }
}

/// `HOST:PORT`, an IPv6 address in brackets. Port 0 is none.
pub fn address(text: &str) -> IResult<&str, Address, ()> {
    let bracketed = delimited(char('['), is_not("]/"), char(']'));
    let plain = preceded(not(char('[')), is_not(":/"));
    let port = verify(u16, |port| *port != 0);
    separated_pair(alt((bracketed, plain)), char(':'), port)
        .map(|(host, port): (&str, u16)| Address { host: host.to_owned(), port })
        .parse(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_with_a_port_are_read() {
        for (text, host, port) in [
            ("siem.example.com:6514", "siem.example.com", 6514),
            ("10.1.7.44:1", "10.1.7.44", 1),
            ("[2001:db8::1]:514", "2001:db8::1", 514),
            ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65_535),
            ("[h]:1", "h", 1),
            ("h:0514", "h", 514),
            ("größe:1", "größe", 1),
            ("a b:1", "a b", 1),
        ] {
            assert_eq!(text.parse::<Address>().unwrap(), Address { host: host.into(), port }, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_word_for_word() {
        for (text, shown) in [
            ("", r#""""#),
            ("host", r#""host""#),
            (":514", r#"":514""#),
            ("h:", r#""h:""#),
            ("h:0", r#""h:0""#),
            ("h:65536", r#""h:65536""#),
            ("h:-1", r#""h:-1""#),
            ("h:1 ", r#""h:1 ""#),
            ("h:1:2", r#""h:1:2""#),
            ("2001:db8::1:514", r#""2001:db8::1:514""#),
            ("[]:1", r#""[]:1""#),
            ("[::1]", r#""[::1]""#),
            ("[::1:1", r#""[::1:1""#),
            ("[::1]x:1", r#""[::1]x:1""#),
            ("h/a:1", r#""h/a:1""#),
            ("[a/b]:1", r#""[a/b]:1""#),
            ("h\n:x", r#""h\n:x""#),
        ] {
            let told = text.parse::<Address>().unwrap_err().to_string();
            assert_eq!(told, format!("{shown}: expected HOST:PORT, IPv6 addresses in brackets"));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_an_address_reads_back_as_it_is_shown(
            text in "\\[?[a-c0-9.:%/é ]{0,8}\\]?(:[0-9]{0,6})?\\PC?",
        ) {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }
    }
}
