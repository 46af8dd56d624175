//! Rule sets by chance, from alphabets so small that rules hit the entries of `entries.rs`.
use std::collections::BTreeMap;

use super::{Rules, levels};
use harness::record::tables;

/// SplitMix64: the same numbers from the same seed, on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % n
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

pub const LIBRARIES: [&str; 9] = ["QTEMP", "QSYS", "QGPL", "PAYLIB", "PAYTST", "PAY#1", "LIB@A", "#LIB", "*LIBL"];
pub const OBJECTS: [&str; 12] =
    ["CUST", "CUST01", "CUSTMAST", "AUDRCV0001", "QAUDJRN", "QAUDJRNX", "CRTLIB", "A#B", "A@B", "#A", "$X", "PAYROLL"];
pub const OBJECT_TYPES: [&str; 6] = ["*FILE", "*PGM", "*JRNRCV", "*JRN", "*USRPRF", "*DTAARA"];
pub const USERS: [&str; 12] =
    ["QSECOFR", "QSECOFR2", "QUSER", "QSPL", "BILL", "BILLY", "ALICE", "BATCH1", "BATCH#", "APP#1", "APP$1", "ADM@1"];
pub const SYSTEM_VALUES: [&str; 10] =
    ["QAUDCTL", "QAUDLVL2", "QCRTOBJAUD", "QCRTAUT", "QDATE", "QTIME", "QTIMZON", "QPRTDEV", "QPRTTXT", "JRNRCVCNT"];
pub const PROGRAMS: [&str; 7] = ["QCMD", "QCMDEXC", "QZRCSRVS", "PAY001", "PAY002", "P#1", "*NONE"];
pub const PROGRAM_LIBRARIES: [&str; 4] = ["QSYS", "QGPL", "PAYLIB", "PAY#1"];
pub const JOBS: [&str; 6] = ["QZDASOINIT", "QZRCSRVS", "QPADEV0001", "NIGHT", "NIGHT#", "DAY"];
pub const NUMBERS: [&str; 3] = ["480001", "480002", "000007"];
pub const ADDRESSES: [&str; 14] = [
    "10.1.2.3",
    "10.1.9.9",
    "10.77.0.1",
    "192.168.7.1",
    "::ffff:10.1.2.3",
    "::FFFF:192.168.7.1",
    "::ffff:a01:203",
    "2001:db8::1",
    "2001:DB8:0:0:0::2",
    "2001:db9::1",
    "fe80::1",
    "PC.EXAMPLE",
    "10.1.2",
    "*N",
];
/// None that holds ::ffff:0:0/96 among others: whether `::/0` means IPv4 too is not decided.
const NETWORKS: [&str; 13] = [
    "10.1.2.3",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.0.0.0/8",
    "192.168.7.1/32",
    "192.168.0.0/16",
    "0.0.0.0/0",
    "::ffff:10.1.2.0/120",
    "::ffff:10.77.0.1",
    "2001:db8::1",
    "2001:db8::/32",
    "fe80::/10",
    "2000::/3",
];
/// The last ones have no lower case of one character, or stand outside the Basic Multilingual Plane.
pub const COMPONENTS: [&str; 22] = [
    "tmp",
    "Tmp",
    "TMP",
    "tmpfoo",
    "home",
    "Home",
    "alice",
    "a.txt",
    "A.TXT",
    "b.txt",
    "usr",
    "Usr",
    "bin",
    "x y",
    "été",
    "ÉTÉ",
    "QOpenSys",
    "qopensys",
    "straße",
    "İ",
    "\u{212A}elvin",
    "log\u{1F600}",
];
const GLOBS: [&str; 14] = ["*", "*", "*", "t*", "T*", "tm?", "?mp", "*.txt", "*.TXT", "a.*", "*o*", "?", "q*s", "log?"];

type MakeRule = fn(&mut Random) -> String;

/// A rule set; `most` is the largest number of rules in a list.
pub fn rules(r: &mut Random, most: usize) -> Rules {
    let mut lists: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let dimensions: [(&'static str, &'static str, MakeRule); 7] = [
        ("users.exclude", "users.include", |r| pattern(r, &USERS)),
        ("objects.exclude", "objects.include", object_rule),
        ("ifs.exclude", "ifs.include", path_rule),
        ("system_values.exclude", "system_values.include", |r| pattern(r, &SYSTEM_VALUES)),
        ("programs.exclude", "programs.include", program_rule),
        ("jobs.exclude", "jobs.include", job_rule),
        ("remote.exclude", "remote.include", |r| r.pick(&NETWORKS).to_owned()),
    ];
    // A list in so many of a hundred rule sets.
    let mut list = |r: &mut Random, key, percent, most: usize, rule: MakeRule| {
        if r.chance(percent) {
            let n = 1 + r.below(most);
            lists.insert(key, (0..n).map(|_| rule(r)).collect());
        }
    };
    for (exclude, include, rule) in dimensions {
        list(r, exclude, 55, most, rule);
        list(r, include, 30, (most / 2).max(1), rule);
    }
    list(r, "types.send", 25, 8, type_rule);
    list(r, "types.exclude", 35, 3, type_rule);
    list(r, "users.privileged", 35, 2, |r| pattern(r, &USERS));
    list(r, "users.allow_filtering_privileged", 25, 2, |r| r.pick(&USERS).to_owned());
    // Names may be written in lower case.
    for key in ["users", "objects", "system_values", "programs", "jobs"] {
        if r.chance(10) {
            let of = lists.iter_mut().filter(|(k, _)| k.starts_with(key));
            of.flat_map(|(_, l)| l).for_each(|rule| *rule = rule.to_lowercase());
        }
    }
    if let Some(send) = lists.get_mut("types.send").filter(|_| r.chance(10)) {
        send.push("*ALL".to_owned());
    }
    Rules {
        lists,
        users_match: r.pick(&["effective", "job", "either"]),
        commands: r.chance(40),
        protect: r.chance(75),
        severity: u8::try_from(r.below(11)).unwrap(),
    }
}

/// A name for a rule: as it is, generic, or a name that no entry has.
fn pattern(r: &mut Random, of: &[&str]) -> String {
    let name = r.pick(of).trim_start_matches('*');
    let length = name.len();
    match r.below(10) {
        0..=3 => format!("{}*", &name[..1 + r.below(length)]),
        4 => format!("Z{:05}", r.below(100_000)),
        _ => name.to_owned(),
    }
}

fn pattern_or_all(r: &mut Random, of: &[&str]) -> String {
    if r.chance(30) { "*ALL".to_owned() } else { pattern(r, of) }
}

fn object_rule(r: &mut Random) -> String {
    let names = format!("{}/{}", pattern_or_all(r, &LIBRARIES), pattern_or_all(r, &OBJECTS));
    if r.chance(25) { format!("{names}:{}", r.pick(&OBJECT_TYPES)) } else { names }
}

fn path_rule(r: &mut Random) -> String {
    let mut rule = String::new();
    for _ in 0..r.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 4]) {
        rule.push_str(slashes(r));
        rule.push_str(if r.chance(35) { r.pick(&GLOBS) } else { component(r) });
    }
    if rule.is_empty() || r.chance(10) {
        rule.push('/');
    }
    rule
}

pub fn component(r: &mut Random) -> &'static str {
    // Mostly the first ones: paths must meet.
    if r.chance(60) { r.pick(&COMPONENTS[..8]) } else { r.pick(&COMPONENTS) }
}

pub fn slashes(r: &mut Random) -> &'static str {
    r.pick(&["/", "/", "/", "/", "/", "/", "//", "/./", "/home/../", "/../"])
}

fn program_rule(r: &mut Random) -> String {
    let program = pattern(r, &PROGRAMS);
    match r.below(4) {
        0 | 1 => program,
        2 => format!("{}/{program}", pattern_or_all(r, &PROGRAM_LIBRARIES)),
        _ => format!("{}/*ALL", pattern(r, &PROGRAM_LIBRARIES)),
    }
}

fn job_rule(r: &mut Random) -> String {
    match r.below(4) {
        0 => pattern(r, &JOBS),
        1 | 2 => format!("{}/{}", pattern_or_all(r, &USERS), pattern_or_all(r, &JOBS)),
        _ => {
            let number = if r.chance(40) { "*ALL" } else { r.pick(&NUMBERS) };
            format!("{number}/{}/{}", pattern_or_all(r, &USERS), pattern_or_all(r, &JOBS))
        }
    }
}

/// A level, a type, or a type and detail.
fn type_rule(r: &mut Random) -> String {
    let code = code(r);
    let details = details(&code);
    match r.below(10) {
        // The level *ALL is not a rule of its own: it says that all is sent.
        0..=3 => levels().keys().filter(|l| *l != "*ALL").nth(r.below(levels().len() - 1)).unwrap().clone(),
        4..=6 if !details.is_empty() => format!("{code}-{}", r.pick(&details)),
        _ => code,
    }
}

/// The detail codes that a layout lists.
fn details(code: &str) -> Vec<&'static str> {
    let detail = tables().types[code].iter().find(|f| f.role.as_deref() == Some("detail"));
    detail.map_or(Vec::new(), |f| f.codes.iter().map(String::as_str).filter(|c| !c.trim().is_empty()).collect())
}

/// One of the types with traps, now and then any other.
pub fn code(r: &mut Random) -> String {
    const TYPES: [&str; 20] = [
        "AF", "CA", "DO", "OM", "OM", "OW", "AD", "ZC", "ZR", "SV", "SV", "CP", "CP", "CD", "PW", "JS", "SK", "CO",
        "ST", "VF",
    ];
    let all = &tables().types;
    if r.chance(85) { r.pick(&TYPES).to_owned() } else { all.keys().nth(r.below(all.len())).unwrap().clone() }
}
