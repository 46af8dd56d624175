//! What a configuration should have done with a capture, counted from the truth that `make_capture.py` wrote.
//!
//! Slow and plain on purpose: every rule is tried on every entry as text. It reads the configuration and the presets as
//! TOML, and knows of the layouts only the roles of fields.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    sync::OnceLock,
};

use serde_json::Value;
use toml::Table;

use harness::{
    program::{event, head, sequence},
    record::tables,
};

/// What came of a capture.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    pub sent: Vec<u64>,
    /// Drops by the name of the rule.
    pub by_rule: BTreeMap<String, u64>,
    /// Changes to auditing that a rule would have dropped.
    pub kept: u64,
}

/// Recounts a capture under `[filter]` of a configuration.
pub fn recount(config: &str, truth: &[Value]) -> Counts {
    let mut rules = Rules::read(config);
    let mut counts = Counts::default();
    for entry in truth {
        let entry = Entry(entry);
        rules.learn(entry);
        match rules.dropped_by(entry) {
            Some(rule) if !(rules.protect && entry.changes_auditing()) => *counts.by_rule.entry(rule).or_default() += 1,
            rule => {
                counts.kept += u64::from(rule.is_some());
                counts.sent.push(sequence(entry.0));
            }
        }
    }
    counts
}

/// An entry as the truth has it.
#[derive(Clone, Copy)]
struct Entry<'t>(&'t Value);

impl<'t> Entry<'t> {
    fn head(self, name: &str) -> &'t str {
        head(self.0, name)
    }

    fn is_audit(self) -> bool {
        self.head("journal_code") == "T"
    }

    /// A field of the entry data; what the record's end cuts says nothing for certain.
    fn field(self, name: &str) -> &'t str {
        let cut = self.0["cut"].as_array().is_some_and(|cut| cut.iter().any(|c| c == name));
        if cut || !self.is_audit() { "" } else { self.0["fields"][name].as_str().unwrap_or("") }
    }

    /// The field with a role, unless its place is a guess.
    fn role(self, role: &str) -> &'t str {
        let fields = tables().types.get(self.head("journal_entry_type")).map_or(&[][..], Vec::as_slice);
        let field = fields.iter().find(|f| f.role.as_deref() == Some(role) && !f.guess);
        field.map_or("", |f| self.field(&f.name))
    }

    fn has(self, role: &str) -> bool {
        let fields = tables().types.get(self.head("journal_entry_type"));
        fields.is_some_and(|f| f.iter().any(|f| f.role.as_deref() == Some(role)))
    }

    /// Library and object of what it is about, and for a move or rename of what it was.
    fn objects(self) -> Vec<(&'t str, &'t str)> {
        let pairs = [("object_library", "object_name"), ("old_object_library", "old_object_name")];
        let pairs = pairs.map(|(library, object)| (self.role(library), self.role(object)));
        pairs.into_iter().filter(|(library, object)| named(library) && named(object)).collect()
    }

    /// Its absolute paths.
    fn paths(self) -> Vec<Vec<String>> {
        let roles = [("object_path", "path_indicator"), ("old_object_path", "old_path_indicator")];
        let absolute =
            |(path, indicator): &(&str, &str)| !self.has(indicator) || self.role(indicator) == "Y" || path.is_empty();
        let paths = roles.iter().filter(|r| absolute(r)).map(|(path, _)| self.role(path));
        paths.filter(|p| p.starts_with('/')).map(components).collect()
    }

    fn changes_auditing(self) -> bool {
        if self.head("journal_code") == "J" {
            return true;
        }
        let detail = event(self.0).1;
        match (self.is_audit(), self.head("journal_entry_type")) {
            (true, "SV") => {
                let name = self.role("system_value");
                name.starts_with("QAUD") || name == "QCRTOBJAUD"
            }
            (true, "AD") => ["D", "O", "U"].contains(&detail.as_str()),
            (true, "CP") => {
                let (now, before) = (self.field("special_authority_audit"), self.field("prev_special_authority_audit"));
                (now == "Y") != (before == "Y")
            }
            (true, "DO" | "OM" | "CA" | "OW") => {
                let is = |role| self.role(role) == "QAUDJRN";
                is("object_name") || is("old_object_name") || self.role("object_type") == "*JRNRCV"
            }
            _ => false,
        }
    }
}

/// Blank and *N name nothing, nor does what begins with a blank or a control: no name on the IBM i does.
fn named(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c == ' ' || c.is_control()) && name != "*N"
}

/// A name, a generic name, or `*ALL`.
fn fits(rule: &str, name: &str) -> bool {
    named(name)
        && match rule.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => rule == "*ALL" || rule == name,
        }
}

/// A path without empty components and dots, in lower case unless it is under /QOpenSys.
fn components(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
    }
    let case_counts = parts.first().is_some_and(|p| p.eq_ignore_ascii_case("QOpenSys"));
    for part in parts.iter_mut().skip(usize::from(case_counts)) {
        *part = part.to_lowercase();
    }
    if case_counts {
        parts[0].make_ascii_lowercase();
    }
    parts
}

/// `*` and `?` within one component.
fn glob(rule: &[char], text: &[char]) -> bool {
    match (rule, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => glob(rest, text) || !text.is_empty() && glob(rule, &text[1..]),
        ([r, rest @ ..], [t, more @ ..]) => (*r == '?' || r == t) && glob(rest, more),
        _ => false,
    }
}

fn path_fits(rule: &[String], path: &[String]) -> bool {
    let children_only = rule.last().is_some_and(|last| last == "*");
    let deep_enough = if children_only { path.len() == rule.len() } else { path.len() >= rule.len() };
    let chars = |text: &String| text.chars().collect::<Vec<_>>();
    deep_enough && rule.iter().zip(path).all(|(r, p)| glob(&chars(r), &chars(p)))
}

/// The lists of `[filter]` and of its presets.
struct Rules {
    lists: BTreeMap<String, Vec<String>>,
    commands: bool,
    user_match: String,
    protect: bool,
    learned: BTreeSet<String>,
}

const KINDS: [&str; 8] = ["types", "users", "objects", "ifs", "system_values", "programs", "jobs", "remote"];

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    value.and_then(toml::Value::as_array).into_iter().flatten().map(|t| t.as_str().unwrap().to_owned()).collect()
}

fn formats(name: &str) -> Table {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    toml::from_str(&fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

impl Rules {
    fn read(config: &str) -> Rules {
        let config: Table = toml::from_str(config).unwrap();
        let filter = config["filter"].as_table().unwrap();
        let mut files = vec![filter.clone()];
        files.extend(texts(filter.get("presets")).iter().map(|name| formats(&format!("filters/{name}.toml"))));
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (file, kind) in files.iter().flat_map(|file| KINDS.map(|kind| (file, kind))) {
            for (key, value) in file.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                if value.is_array() {
                    lists.entry(format!("{kind}.{key}")).or_default().extend(texts(Some(value)));
                }
            }
        }
        let of = |kind: &str, key: &str| filter.get(kind).and_then(|k| k.get(key));
        Rules {
            lists,
            commands: of("objects", "commands").is_some_and(|v| v.as_bool().unwrap()),
            user_match: of("users", "match").map_or("effective", |v| v.as_str().unwrap()).to_owned(),
            protect: filter.get("protect_audit_changes").is_none_or(|v| v.as_bool().unwrap()),
            learned: BTreeSet::new(),
        }
    }

    fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map_or(&[], Vec::as_slice)
    }

    /// A CP entry shows what its profile holds. Only N says that an authority held before is gone.
    fn learn(&mut self, entry: Entry) {
        let profile = entry.field("user_profile");
        let holds = |authority: &&str| {
            let now = entry.field(&format!("special_authority_{authority}"));
            now == "Y" || now != "N" && entry.field(&format!("prev_special_authority_{authority}")) == "Y"
        };
        let shows = ["allobj", "secadm", "audit", "service", "iosyscfg"].iter().any(holds);
        if entry.head("journal_entry_type") == "CP" && named(profile) && shows {
            self.learned.insert(profile.to_owned());
        }
    }

    fn is_privileged(&self, user: &str) -> bool {
        let privileged =
            user == "QSECOFR" || self.learned.contains(user) || self.list("users.privileged").iter().any(|p| p == user);
        privileged && !self.list("users.allow_filtering_privileged").iter().any(|p| p == user)
    }

    /// The rule that drops an entry, in the order of the dimensions.
    fn dropped_by(&self, entry: Entry) -> Option<String> {
        let (effective, job_user) = (entry.head("user_name"), entry.head("job_user"));
        let protected = self.is_privileged(effective) || self.is_privileged(job_user);
        let users: Vec<&str> = match self.user_match.as_str() {
            "effective" => vec![effective],
            "job" => vec![job_user],
            _ => vec![effective, job_user],
        };
        let objects = match entry.head("journal_entry_type") {
            "CD" if !self.commands => vec![],
            _ => entry.objects(),
        };
        let object_fits = |rule: &str| {
            let (name, kind) = rule.split_once(':').map_or((rule, None), |(name, kind)| (name, Some(kind)));
            let (library, object) = name.split_once('/').unwrap();
            kind.is_none_or(|k| entry.role("object_type") == k)
                && objects.iter().any(|o| fits(library, o.0) && fits(object, o.1))
        };
        let program = (entry.head("program_library"), entry.head("program_name"));
        let program_fits = |rule: &str| match rule.split_once('/') {
            Some((library, name)) => fits(library, program.0) && fits(name, program.1),
            None => fits(rule, program.1),
        };
        let number = entry.0["header"]["job_number"].as_u64().map_or(String::new(), |n| format!("{n:06}"));
        let job_fits = |rule: &str| {
            let mut parts = rule.rsplit('/');
            let name = fits(parts.next().unwrap(), entry.head("job_name"));
            // A rule that names a user is a rule over users.
            let user = parts.next().is_none_or(|user| fits(user, job_user) && !protected);
            name && user && parts.next().is_none_or(|n| n == number)
        };
        let in_heading = entry.head("remote_address");
        let remote = if in_heading.is_empty() { entry.role("remote_address") } else { in_heading };
        self.type_rule(entry)
            .or_else(|| self.first("users", |rule| !protected && users.iter().any(|u| fits(rule, u))))
            .or_else(|| self.first("objects", object_fits))
            .or_else(|| self.path_rule(entry))
            .or_else(|| self.first("system_values", |rule| fits(rule, entry.role("system_value"))))
            .or_else(|| self.first("programs", program_fits))
            .or_else(|| self.first("jobs", job_fits))
            .or_else(|| self.first("remote", |rule| in_network(rule, remote)))
    }

    /// The first exclude that fits, unless an include does.
    fn first(&self, kind: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
        let included = self.list(&format!("{kind}.include")).iter().any(|rule| fits(rule));
        let exclude = format!("{kind}.exclude");
        let rule = self.list(&exclude).iter().find(|rule| fits(rule)).filter(|_| !included)?;
        Some(format!("{exclude} {rule}"))
    }

    fn type_rule(&self, entry: Entry) -> Option<String> {
        let (code, detail) = event(entry.0);
        let takes = |rule: &String| entry.is_audit() && takes(rule, &code, &detail);
        let send: Vec<&String> = self.list("types.send").iter().filter(|rule| *rule != "*ALL").collect();
        if !send.is_empty() && !send.into_iter().any(takes) {
            return Some("types.send".to_owned());
        }
        let rule = self.list("types.exclude").iter().find(|rule| *rule == "*ALL" || takes(rule))?;
        Some(format!("types.exclude {rule}"))
    }

    /// The most specific rule over all paths of the entry; an include on a tie.
    fn path_rule(&self, entry: Entry) -> Option<String> {
        let paths = entry.paths();
        let mut best: Option<((usize, usize, bool), String)> = None;
        for key in ["ifs.exclude", "ifs.include"] {
            for rule in self.list(key) {
                let parts = components(rule);
                let literal: usize = parts.iter().map(|p| p.chars().filter(|c| !"*?".contains(*c)).count()).sum();
                let rank = (parts.len(), literal, key == "ifs.include");
                let better = best.as_ref().is_none_or(|(than, _)| rank > *than);
                if better && paths.iter().any(|path| path_fits(&parts, path)) {
                    best = Some((rank, format!("{key} {rule}")));
                }
            }
        }
        best.filter(|((_, _, include), _)| !include).map(|(_, rule)| rule)
    }
}

/// `*SECURITY`, `PW` or `PW-P`. A level takes what it lists of a type, and what no level lists.
fn takes(rule: &str, code: &str, detail: &str) -> bool {
    static LEVELS: OnceLock<Table> = OnceLock::new();
    if !rule.starts_with('*') {
        return rule.split_once('-').map_or(rule == code, |(c, d)| c == code && d == detail);
    }
    let levels = LEVELS.get_or_init(|| formats("formats/journal/_audit_levels.toml"))["level"].as_array().unwrap();
    let level = levels.iter().find(|l| l["value"].as_str() == Some(rule)).unwrap();
    let lists = |l: &toml::Value| texts(l.get("details").and_then(|d| d.get(code))).iter().any(|d| d == detail);
    let member = texts(level.get("entry_types")).iter().any(|c| c == code);
    member && (lists(level) || !levels.iter().any(lists))
}

/// CIDR or one address. An IPv4 address written as IPv6 is the IPv4 address.
fn in_network(rule: &str, address: &str) -> bool {
    let bits = |text: &str| -> Option<(u32, u128)> {
        Some(match text.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(a) => (32, u128::from(u32::from(a))),
            IpAddr::V6(a) => (128, u128::from(a)),
        })
    };
    let (network, length) = rule.split_once('/').map_or((rule, None), |(n, l)| (n, Some(l)));
    let (Some((width, network)), Some((of, address))) = (bits(network), bits(address)) else { return false };
    // The first 96 bits of an IPv4 network written as IPv6 are the same for all.
    let mapped = if width == 32 && rule.contains("::ffff:") { 96 } else { 0 };
    let length = length.map_or(width, |l| l.parse::<u32>().unwrap() - mapped);
    width == of && (length == 0 || network >> (width - length) == address >> (width - length))
}
