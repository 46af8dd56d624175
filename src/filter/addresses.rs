//! Networks in CIDR notation, and the table that finds the rule for a remote address.
//!
//! One hash table access per prefix length in use, however many networks there are.
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use rustc_hash::FxHashMap;

use super::{
    names::BadName,
    rule::{RuleId, RulePattern},
};

/// A network: its address with the host bits 0, and the length of its prefix. IPv4 is kept as IPv4-mapped IPv6
/// (RFC 4291, section 2.5.5.2): an entry may carry either form of the same address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Network {
    bits: u128,
    length: u8,
}

const V4_MAPPED: u128 = 0xFFFF << 32;

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => V4_MAPPED | u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

fn mask(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl Network {
    /// Whether every address of `other` is in this one.
    pub fn covers(&self, other: &Network) -> bool {
        let kind = |n: &Network| n.length >= 96 && mask(n.bits, 96) == V4_MAPPED;
        kind(self) == kind(other) && self.length <= other.length && mask(other.bits, self.length) == self.bits
    }
}

impl FromStr for Network {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Network, BadName> {
        let bad = |why: String| BadName(format!("{text}: {why}"));
        let (address, length) = match text.trim().split_once('/') {
            Some((a, l)) => (a, Some(l)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| bad("expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32".into()))?;
        let most: u8 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(l) => l
                .parse()
                .ok()
                .filter(|l| *l <= most)
                .ok_or_else(|| bad(format!("the prefix length is 0 to {most} for this kind of address")))?,
        };
        let length = if address.is_ipv4() { length + 96 } else { length };
        let network = Network { bits: wide(address), length };
        if mask(network.bits, length) != network.bits {
            let first = Network { bits: mask(network.bits, length), length };
            return Err(bad(format!("bits behind the prefix are set: did you mean {first}?")));
        }
        Ok(network)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (address, length): (IpAddr, u8) = if self.length >= 96 && mask(self.bits, 96) == V4_MAPPED {
            (Ipv4Addr::from(self.bits as u32).into(), self.length - 96)
        } else {
            (Ipv6Addr::from(self.bits).into(), self.length)
        };
        write!(f, "{address}/{length}")
    }
}

/// Rules over networks.
#[derive(Clone, Debug, Default)]
pub struct NetworkTable {
    lengths: Vec<u8>,
    rules: FxHashMap<Network, RuleId>,
}

impl NetworkTable {
    /// Compiles networks.
    pub fn new<'p>(networks: impl Iterator<Item = &'p RulePattern<Network>>) -> NetworkTable {
        let mut table = NetworkTable::default();
        for n in networks {
            table.rules.entry(n.pattern).and_modify(|r| *r = (*r).min(n.rule)).or_insert(n.rule);
            table.lengths.push(n.pattern.length);
        }
        table.lengths.sort_unstable();
        table.lengths.dedup();
        table
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The first rule whose network holds this address.
    pub fn find(&self, address: IpAddr) -> Option<RuleId> {
        let bits = wide(address);
        // An IPv6 network that happens to hold the mapped addresses, such as ::/0, does not mean IPv4.
        let is_v4 = mask(bits, 96) == V4_MAPPED;
        let lengths = self.lengths.iter().filter(|l| !is_v4 || **l >= 96);
        lengths.filter_map(|l| self.rules.get(&Network { bits: mask(bits, *l), length: *l })).min().copied()
    }
}

/// The address in a field of EBCDIC text; `None` for blanks, names and anything else. Digits, letters, period and colon
/// stand at the same place in every code page.
pub fn address(field: &[u8]) -> Option<IpAddr> {
    let mut text = [0u8; 46];
    let mut n = 0;
    for b in field {
        let c = match b {
            0xF0..=0xF9 => b - 0xF0 + b'0',
            0x81..=0x86 => b - 0x81 + b'a',
            0xC1..=0xC6 => b - 0xC1 + b'a',
            0x4B => b'.',
            0x7A => b':',
            // A scope (fe80::1%eth0) is no part of the address.
            0x40 | 0x6C | 0x00 => break,
            _ => return None,
        };
        *text.get_mut(n)? = c;
        n += 1;
    }
    std::str::from_utf8(text.get(..n)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(networks: &[&str]) -> NetworkTable {
        let ruled: Vec<_> = networks
            .iter()
            .zip(0..)
            .map(|(n, i)| RulePattern { rule: RuleId(i), pattern: n.parse().unwrap() })
            .collect();
        NetworkTable::new(ruled.iter())
    }

    #[test]
    fn networks_hold_their_addresses_in_either_form() {
        let t = table(&["10.0.0.0/8", "192.168.1.5", "2001:db8::/32", "0.0.0.0/0"]);
        for (address, expected) in
            [("10.255.0.1", 0), ("::ffff:10.1.1.1", 0), ("192.168.1.5", 1), ("192.168.1.6", 3), ("2001:db8:1::1", 2)]
        {
            assert_eq!(t.find(address.parse().unwrap()), Some(RuleId(expected)), "{address}");
        }
        assert_eq!(t.find("2001:db9::1".parse().unwrap()), None);
        assert_eq!(table(&["::/0"]).find("10.1.1.1".parse().unwrap()), None);
        assert_eq!(table(&["::/0"]).find("::1".parse().unwrap()), Some(RuleId(0)));
        let network = |s: &str| s.parse::<Network>().unwrap();
        assert!(
            network("10.0.0.0/8").covers(&network("10.1.0.0/16")) && !network("::/0").covers(&network("0.0.0.0/0"))
        );
    }

    #[test]
    fn malformed_networks_are_refused_with_the_right_one() {
        for (text, why) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("10.0.0.0/33", "0 to 32"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("host.example", "IP address"),
            ("10.0.0", "IP address"),
        ] {
            let e = text.parse::<Network>().unwrap_err().0;
            assert!(e.contains(why), "{text}: {e}");
        }
    }

    #[test]
    fn an_address_in_ebcdic_is_read_and_anything_else_is_none() {
        assert_eq!(address(b"\xF1\xF0\x4B\xF1\x4B\xF1\x4B\xF1\x40\x40"), Some("10.1.1.1".parse().unwrap()));
        assert_eq!(address(b"\x86\xC5\xF8\xF0\x7A\x7A\xF1\x6C\x85"), Some("fe80::1".parse().unwrap()));
        assert_eq!(address(b"\x40\x40"), None);
        assert_eq!(address(b"\xC8\xD6\xE2\xE3"), None);
        assert_eq!(address(&[0xF1; 60]), None);
    }

    #[test]
    fn what_is_no_network_is_told_word_for_word() {
        const FORM: &str = "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32";
        for (text, told) in [
            ("", format!(": {FORM}")),
            ("10.0.0", format!("10.0.0: {FORM}")),
            ("/8", format!("/8: {FORM}")),
            ("10.0.0.0 /8", format!("10.0.0.0 /8: {FORM}")),
            ("[::1]/128", format!("[::1]/128: {FORM}")),
            ("10.0.0.0/", "10.0.0.0/: the prefix length is 0 to 32 for this kind of address".to_owned()),
            ("10.0.0.0/33", "10.0.0.0/33: the prefix length is 0 to 32 for this kind of address".to_owned()),
            ("10.0.0.0/8/8", "10.0.0.0/8/8: the prefix length is 0 to 32 for this kind of address".to_owned()),
            ("::/129", "::/129: the prefix length is 0 to 128 for this kind of address".to_owned()),
            ("10.0.0.1/8", "10.0.0.1/8: bits behind the prefix are set: did you mean 10.0.0.0/8?".to_owned()),
            ("::1/0", "::1/0: bits behind the prefix are set: did you mean ::/0?".to_owned()),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err().to_string(), told);
        }
        assert_eq!(" 10.0.0.0/8 ".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }
}
