//! What one rule matches: names, objects, jobs, paths and networks, each tried letter by letter.
use std::net::IpAddr;

/// Whether a name field holds a name.
pub fn names_something(name: &str) -> bool {
    !name.is_empty() && name != "*N" && !name.starts_with(char::is_control)
}

/// `NAME`, `GENERIC*` or `*ALL` against the name in an entry. Rules may be written in lower case.
pub fn name_matches(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_uppercase();
    names_something(name)
        && match pattern.strip_suffix('*') {
            _ if pattern == "*ALL" => true,
            Some(start) => name.starts_with(start),
            None => name == pattern,
        }
}

/// The components of a path, with `//`, `.`, `..` and trailing slashes resolved.
pub fn components(path: &str) -> Vec<String> {
    let mut resolved = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(resolved.pop()),
            name => resolved.push(name.to_owned()),
        }
    }
    resolved
}

/// One character in lower case, where lower case is one character.
pub fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

pub fn lower_text(text: &str) -> String {
    text.chars().map(lower).collect()
}

/// `*` and `?` against a component, by trying everything.
pub fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|n| glob(rest, &text[n..])),
        ['?', rest @ ..] => !text.is_empty() && glob(rest, &text[1..]),
        [c, rest @ ..] => text.first() == Some(c) && glob(rest, &text[1..]),
    }
}

pub fn is_glob(component: &str) -> bool {
    component.contains(['*', '?'])
}

pub fn path_matches(rule: &str, path: &[String]) -> bool {
    let rule = components(rule);
    let depth_fits = match rule.last().map(String::as_str) {
        Some("*") => path.len() == rule.len(),
        _ => path.len() >= rule.len(),
    };
    let case_counts = path.first().is_some_and(|first| lower_text(first) == "qopensys");
    depth_fits
        && rule.iter().zip(path).enumerate().all(|(i, (rule, component))| {
            let fold = |text: &str| -> Vec<char> {
                if case_counts && i > 0 { text.chars().collect() } else { lower_text(text).chars().collect() }
            };
            glob(&fold(rule), &fold(component))
        })
}

/// Higher is more specific: the number of components, then component by component its fixed characters.
pub fn specificity(rule: &str) -> (usize, Vec<usize>) {
    let rule = components(rule);
    let fixed = |c: &String| match is_glob(c) {
        true => c.chars().filter(|c| !matches!(c, '*' | '?')).count(),
        false => usize::MAX,
    };
    (rule.len(), rule.iter().map(fixed).collect())
}

/// The address in a field; IPv4 mapped into IPv6 is IPv4.
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

/// Address bits as text: `4:0000...` and `6:0000...` share no beginning.
pub fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => format!("4:{:032b}", u32::from(a)),
        IpAddr::V6(a) => format!("6:{:0128b}", u128::from(a)),
    }
}

pub fn network_matches(rule: &str, address: IpAddr) -> bool {
    let (network, length) = match rule.split_once('/') {
        Some((network, length)) => (network, Some(length.parse::<usize>().unwrap())),
        None => (rule, None),
    };
    let written: IpAddr = network.parse().unwrap();
    let network = written.to_canonical();
    // A length over the mapped form counts 96 bits that the IPv4 form does not have.
    let mapped = if written != network { 96 } else { 0 };
    let all = bits(network);
    let bits_that_count = length.map_or(all.len(), |n| 2 + n - mapped);
    bits(address).starts_with(&all[..bits_that_count])
}

/// `LIBRARY/OBJECT` or `LIBRARY/OBJECT:TYPE`.
pub fn object_matches(rule: &str, (library, name): (&str, &str), of_type: &str) -> bool {
    let (names, wanted) = rule.split_once(':').map_or((rule, None), |(names, of)| (names, Some(of)));
    let (in_library, called) = names.split_once('/').unwrap();
    name_matches(in_library, library)
        && name_matches(called, name)
        && wanted.is_none_or(|w| w.to_uppercase() == of_type)
}

/// The parts of `A`, `B/A` or `C/B/A`, the last first; a part that is not there is `None`.
pub fn parts(rule: &str) -> [Option<&str>; 3] {
    let mut parts = rule.rsplit('/');
    [parts.next(), parts.next(), parts.next()]
}

pub fn is_all(part: &str) -> bool {
    part.eq_ignore_ascii_case("*ALL")
}

/// A part that is not there is not asked for, and neither is the qualifier `*ALL`: `*ALL/NAME` says what `NAME` says.
pub fn parts_match(rule: &str, names: [&str; 3]) -> bool {
    parts(rule).iter().zip(names).enumerate().all(|(i, (part, name))| match part {
        None => true,
        Some(all) if i > 0 && is_all(all) => true,
        Some(part) => name_matches(part, name),
    })
}
