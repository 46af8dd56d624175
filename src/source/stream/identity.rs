//! Who a sender is, by what it shows and never by what it says: the name of its certificate, or its user on this system.
use std::path::Path;

use rustls::pki_types::CertificateDer;

use crate::{files::read_regular, net::tls::pin};

/// Bytes of the list of users, at most.
const MOST: u64 = 16 << 20;
/// The list of users.
const USERS: &str = "/etc/passwd";
/// How a user is called that has no name there.
const UID: &str = "uid-";

/// The longest name that is taken.
pub const LONGEST: usize = 100;

/// The name of a certificate: its first DNS name, else the common name of its subject; in lower case, because names of hosts are the same
/// in either.
pub fn of_certificate(cert: &CertificateDer<'_>) -> Option<String> {
    pin::first_name(cert).map(|name| name.to_ascii_lowercase())
}

/// The name of a user of this system: that of the list of users, where it says one; else `uid-` and the number. Directories of users
/// elsewhere (LDAP) are not asked: they may not answer.
pub fn of_user(uid: u32) -> String {
    let list = read_regular(Path::new(USERS), MOST).unwrap_or_default();
    name_in(&String::from_utf8_lossy(&list), uid).unwrap_or_else(|| format!("{UID}{uid}"))
}

/// The name of a user in a list, where it is the name of nobody else, and not one that stands for a number.
fn name_in(list: &str, uid: u32) -> Option<String> {
    let users = || {
        list.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            Some((name, fields.nth(1)?.parse::<u32>().ok()?))
        })
    };
    let (name, _) = users().find(|(_, id)| *id == uid)?;
    let is_sure = is_name(name) && !name.starts_with(UID) && users().filter(|(n, _)| *n == name).count() == 1;
    is_sure.then(|| name.to_owned())
}

/// Whether a name may be part of the name of a source: it is written by strangers.
pub fn is_name(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn made(names: &[&str], common: &str) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !common.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_known_by_its_first_dns_name_else_by_its_common_name() {
        for (names, common, known) in [
            (&["PROD01.example", "other"][..], "x", Some("prod01.example")),
            (&["10.0.0.1", "prod02"], "x", Some("prod02")),
            (&["10.0.0.1"], "PROD03", Some("prod03")),
            (&[], "a b", Some("a b")),
            (&[], "", None),
        ] {
            assert_eq!(of_certificate(&made(names, common)).as_deref(), known, "{names:?} {common}");
        }
        assert_eq!(of_certificate(&CertificateDer::from(vec![1, 2])), None);
    }

    #[test]
    fn only_letters_that_no_terminal_and_no_file_obeys_are_names() {
        let long = "x".repeat(LONGEST + 1);
        for (name, is) in [
            ("prod01.example", true),
            ("A_b-9", true),
            ("", false),
            ("*.example", false),
            ("a/b", false),
            ("a b", false),
            ("a\u{1b}[2J", false),
            ("pr\u{f6}d", false),
            (long.as_str(), false),
        ] {
            assert_eq!(is_name(name), is, "{name:?}");
        }
    }

    #[test]
    fn a_user_has_a_name_where_the_list_is_sure_of_it() {
        let list = "root:x:0:0::/root:/bin/sh\nibmi:x:1000:1000::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\
            twice:x:1001:1::/:\ntwice:x:1002:1::/:\nuid-7:x:1003:1::/:\nbad name:x:1004:1::/:\nshort\n";
        for (uid, name) in
            [(0, Some("root")), (1000, Some("ibmi")), (1001, None), (1002, None), (1003, None), (1004, None), (9, None)]
        {
            assert_eq!(name_in(list, uid).as_deref(), name, "{uid}");
        }
    }
}
