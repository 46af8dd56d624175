//! Telling IPv4 and IPv6 addresses from what is none, by hand: it is asked for every line, and SIEMs type these keys.

/// The kind of a remote address: CEF has other keys for IPv6, and none for what is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressKind {
    /// Dotted decimal.
    V4,
    /// IPv6.
    V6,
    /// Anything else that stands there.
    Other,
}

/// What a remote address is, by its text in ASCII.
#[inline]
pub fn address_kind(text: &[u8]) -> AddressKind {
    if is_ipv4(text) {
        return AddressKind::V4;
    }
    if is_ipv6(text) { AddressKind::V6 } else { AddressKind::Other }
}

/// Whether a text is a number that a port can have.
pub fn is_port(text: &[u8]) -> bool {
    let number = text
        .iter()
        .try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(b & 15))));
    !text.is_empty() && number.is_some_and(|n| n <= 65_535)
}

/// RFC 4291, section 2.2: groups of 1 to 4 hexadecimal digits, `::` once for groups of zeros, IPv4 in the last 32 bits.
#[inline]
fn is_ipv6(text: &[u8]) -> bool {
    let (mut groups, mut digits, mut gap, mut at) = (0, 0, false, 0);
    while let Some(b) = text.get(at) {
        match b {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if digits < 4 => digits += 1,
            b':' if text.get(at + 1) == Some(&b':') && !gap => {
                groups += usize::from(digits > 0);
                (gap, digits, at) = (true, 0, at + 1);
            }
            b':' if digits > 0 && at + 1 < text.len() => (groups, digits) = (groups + 1, 0),
            b'.' if digits > 0 => {
                let whole = groups == 6 || gap && groups < 6;
                return whole && is_ipv4(text.get(at - digits..).unwrap_or(&[]));
            }
            _ => return false,
        }
        at += 1;
    }
    groups += usize::from(digits > 0);
    groups == 8 && !gap || gap && groups < 8
}

/// Four numbers of 0 to 255 between dots. By hand, because it is asked for every line.
#[inline]
fn is_ipv4(text: &[u8]) -> bool {
    let (mut dots, mut number, mut digits) = (0, 0u32, 0);
    for b in text {
        match b {
            b'0'..=b'9' => {
                number = number * 10 + u32::from(b - b'0');
                digits += 1;
                // A leading zero is octal to some readers: not an address to all of them.
                if number > 255 || digits > 1 && number < 10 || digits > 3 {
                    return false;
                }
            }
            b'.' if digits > 0 => {
                dots += 1;
                (number, digits) = (0, 0);
            }
            _ => return false,
        }
    }
    dots == 3 && digits > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_as_the_standard_library_does() {
        for (text, kind) in [
            ("10.1.2.3", AddressKind::V4),
            ("255.255.255.255", AddressKind::V4),
            ("0.0.0.0", AddressKind::V4),
            ("256.1.1.1", AddressKind::Other),
            ("10.01.2.3", AddressKind::Other),
            ("1.2.3", AddressKind::Other),
            ("1.2.3.", AddressKind::Other),
            ("1.2.3.4.5", AddressKind::Other),
            ("2001:db8::17", AddressKind::V6),
            ("::ffff:10.1.2.3", AddressKind::V6),
            ("fe80::1%eth0", AddressKind::Other),
            ("::", AddressKind::V6),
            ("::1", AddressKind::V6),
            ("1::", AddressKind::V6),
            ("1:2:3:4:5:6:7:8", AddressKind::V6),
            ("1:2:3:4:5:6:7::", AddressKind::V6),
            ("1:2:3:4:5:6:7:8::", AddressKind::Other),
            ("1:2:3:4:5:6:7", AddressKind::Other),
            ("1:2:3:4:5:6:7:8:9", AddressKind::Other),
            ("1::2::3", AddressKind::Other),
            (":::", AddressKind::Other),
            (":1::2", AddressKind::Other),
            ("1:", AddressKind::Other),
            ("12345::", AddressKind::Other),
            ("1:2:3:4:5:6:1.2.3.4", AddressKind::V6),
            ("1:2:3:4:5:1.2.3.4", AddressKind::Other),
            ("1:2:3:4:5:6:7:1.2.3.4", AddressKind::Other),
            ("::1.2.3.4.5", AddressKind::Other),
            ("::g", AddressKind::Other),
            ("client", AddressKind::Other),
            ("", AddressKind::Other),
        ] {
            assert_eq!(address_kind(text.as_bytes()), kind, "{text}");
            assert_eq!(text.parse::<std::net::Ipv4Addr>().is_ok(), kind == AddressKind::V4, "{text}");
            assert_eq!(text.parse::<std::net::Ipv6Addr>().is_ok(), kind == AddressKind::V6, "{text}");
        }
    }
}
