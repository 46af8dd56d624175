//! A filter that is slow and obvious: written for the test alone, from the issue and the layout tables, with no line
//! of the product's. Everything is a `String`; every rule is tried on every entry.
//!
//! `matching.rs` says what one rule matches, this file what follows for an entry; `rules.rs` and `entries.rs` make up
//! what to try it on.
pub mod entries;
mod matching;
pub mod rules;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    sync::OnceLock,
};

use self::matching::{
    address, components, is_all, name_matches, names_something, network_matches, object_matches, parts, parts_match,
    path_matches, specificity,
};
use harness::record::tables;

/// The values of an entry as a reader of the tables sees them: padding off, transcoded, by field name.
#[derive(Clone, Debug, Default)]
pub struct Values {
    pub journal_code: char,
    pub code: String,
    pub head: BTreeMap<&'static str, String>,
    pub data: BTreeMap<&'static str, String>,
}

impl Values {
    /// Whether a layout applies: an audit entry of a type that the tables know.
    fn known(&self) -> bool {
        self.journal_code == 'T' && tables().types.contains_key(&self.code)
    }

    /// The value of the field with a role; a guess is as good as no field.
    pub fn role(&self, role: &str) -> &str {
        let fields = if self.known() { &tables().types[&self.code][..] } else { &[] };
        let field = fields.iter().find(|f| f.role.as_deref() == Some(role) && !f.guess);
        field.and_then(|f| self.data.get(f.name.as_str())).map_or("", String::as_str)
    }

    /// The detail code. That of C3, M0, X1 and X2 is a guess, yet the levels list the codes of X1 and X2, and event ids
    /// hold them: types and details are rules over event ids.
    fn detail(&self) -> &str {
        let fields = if self.known() { &tables().types[&self.code][..] } else { &[] };
        let field = fields.iter().find(|f| f.role.as_deref() == Some("detail"));
        field.map_or("", |f| self.field(&f.name))
    }

    fn field(&self, name: &str) -> &str {
        self.data.get(name).map_or("", String::as_str)
    }

    pub fn head(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }

    /// The library objects, as (library, name); the second of a move or rename is the old one.
    fn objects(&self) -> Vec<(&str, &str)> {
        [("object_library", "object_name"), ("old_object_library", "old_object_name")]
            .map(|(library, name)| (self.role(library), self.role(name)))
            .into_iter()
            .filter(|(library, name)| names_something(library) && names_something(name))
            .collect()
    }

    /// The absolute paths, as components.
    fn paths(&self) -> Vec<Vec<String>> {
        [("object_path", "path_indicator"), ("old_object_path", "old_path_indicator")]
            .into_iter()
            .filter(|(path, indicator)| self.role(path).starts_with('/') && self.role(indicator) != "N")
            .map(|(path, _)| components(self.role(path)))
            .collect()
    }
}

/// The levels of `_audit_levels.toml`: by value, the types and of each type the details.
fn levels() -> &'static BTreeMap<String, BTreeMap<String, Vec<String>>> {
    static READ: OnceLock<BTreeMap<String, BTreeMap<String, Vec<String>>>> = OnceLock::new();
    READ.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/formats/journal/_audit_levels.toml");
        let file: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let texts = |v: Option<&toml::Value>| -> Vec<String> {
            let list = v.and_then(toml::Value::as_array).into_iter().flatten();
            list.map(|t| t.as_str().unwrap().to_owned()).collect()
        };
        let level = |l: &toml::Value| {
            let of = |t: String| (t.clone(), texts(l.get("details").and_then(|d| d.get(&t))));
            (l["value"].as_str().unwrap().to_owned(), texts(l.get("entry_types")).into_iter().map(of).collect())
        };
        file["level"].as_array().unwrap().iter().map(level).collect()
    })
}

/// A level, a type, or a type and detail, against an entry.
fn type_matches(rule: &str, entry: &Values) -> bool {
    if !entry.known() {
        return false;
    }
    let detail = entry.detail();
    if let Some((code, of)) = rule.split_once('-') {
        return entry.code == code && detail == of;
    }
    if let Some(level) = levels().get(rule) {
        let listed =
            |l: &BTreeMap<String, Vec<String>>| l.get(&entry.code).is_some_and(|d| d.iter().any(|d| d == detail));
        return level.contains_key(&entry.code) && (listed(level) || !levels().values().any(listed));
    }
    entry.code == rule
}

/// What `[filter]` holds.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Lists by key, such as `objects.exclude`.
    pub lists: BTreeMap<&'static str, Vec<String>>,
    pub users_match: &'static str,
    pub commands: bool,
    pub protect: bool,
    pub severity: u8,
}

impl Rules {
    pub fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map_or(&[], Vec::as_slice)
    }

    pub fn toml(&self) -> String {
        let mut text = String::from("[filter]\n");
        for (key, list) in &self.lists {
            writeln!(text, "{key} = {list:?}").unwrap();
        }
        writeln!(text, "users.match = {:?}\nobjects.commands = {}", self.users_match, self.commands).unwrap();
        writeln!(text, "protect_audit_changes = {}\naudit_change_severity = {}", self.protect, self.severity).unwrap();
        text
    }
}

/// What should become of an entry; rules by name, such as `objects.exclude QTEMP/*ALL`.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Sent,
    AuditChange(Option<String>),
    Dropped(String),
}

/// The filter and what it has learned; `seen` counts what happened, so that a test can tell that it tested something.
pub struct Reference<'r> {
    rules: &'r Rules,
    learned: BTreeSet<String>,
    pub seen: BTreeMap<&'static str, usize>,
}

impl<'r> Reference<'r> {
    pub fn new(rules: &'r Rules) -> Reference<'r> {
        Reference { rules, learned: BTreeSet::new(), seen: BTreeMap::new() }
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn verdict(&mut self, entry: &Values) -> Verdict {
        self.learn(entry);
        let rule = self.dropped_by(entry);
        match is_audit_change(entry) {
            Some(kind) if self.rules.protect => {
                self.saw("audit change");
                if rule.is_some() {
                    self.saw(kind);
                }
                Verdict::AuditChange(rule)
            }
            _ => rule.map_or(Verdict::Sent, Verdict::Dropped),
        }
    }

    fn learn(&mut self, entry: &Values) {
        let profile = entry.role("target_user");
        if !(entry.known() && entry.code == "CP" && names_something(profile)) {
            return;
        }
        let holds = |authority: &str| {
            let now = entry.field(&format!("special_authority_{authority}"));
            let before = entry.field(&format!("prev_special_authority_{authority}"));
            now == "Y" || now != "N" && before == "Y"
        };
        if ["allobj", "secadm", "audit", "service", "iosyscfg"].into_iter().any(holds) {
            self.learned.insert(profile.to_owned());
            self.saw("learned");
        }
    }

    fn dropped_by(&mut self, entry: &Values) -> Option<String> {
        let rule = self.types(entry);
        let rule = rule.or_else(|| self.users(entry));
        let rule = rule.or_else(|| self.objects(entry));
        let rule = rule.or_else(|| self.paths(entry));
        let rule = rule.or_else(|| {
            let value = entry.role("system_value");
            self.plain(["system_values.exclude", "system_values.include"], |rule| name_matches(rule, value))
        });
        let rule = rule.or_else(|| {
            let names = [entry.head("program_name"), entry.head("program_library"), ""];
            self.plain(["programs.exclude", "programs.include"], |rule| parts_match(rule, names))
        });
        let rule = rule.or_else(|| self.jobs(entry));
        rule.or_else(|| {
            let head = entry.head("remote_address");
            let remote = if head.is_empty() { entry.role("remote_address") } else { head };
            let address = address(remote)?;
            self.plain(["remote.exclude", "remote.include"], |rule| network_matches(rule, address))
        })
    }

    /// A dimension without any other trap: the first exclude that matches, unless an include does.
    fn plain(&mut self, [exclude, include]: [&'static str; 2], matches: impl Fn(&str) -> bool) -> Option<String> {
        let rule = self.rules.list(exclude).iter().find(|r| matches(r))?;
        if self.rules.list(include).iter().any(|r| matches(r)) {
            self.saw(include);
            return None;
        }
        Some(format!("{exclude} {rule}"))
    }

    fn types(&mut self, entry: &Values) -> Option<String> {
        let send = self.rules.list("types.send");
        if !send.is_empty() && !send.iter().any(|r| r == "*ALL" || type_matches(r, entry)) {
            return Some("types.send".to_owned());
        }
        let rule = self.rules.list("types.exclude").iter().find(|r| type_matches(r, entry))?;
        Some(format!("types.exclude {rule}"))
    }

    /// Whether rules over users must leave the entry alone.
    fn is_privileged(&self, entry: &Values) -> bool {
        [entry.head("user_name"), entry.head("job_user")].into_iter().any(|user| {
            let privileged = user == "QSECOFR"
                || self.learned.contains(user)
                || self.rules.list("users.privileged").iter().any(|p| name_matches(p, user));
            let given_up = self.rules.list("users.allow_filtering_privileged").iter().any(|u| name_matches(u, user));
            privileged && !given_up
        })
    }

    fn users(&mut self, entry: &Values) -> Option<String> {
        let (effective, job) = (entry.head("user_name"), entry.head("job_user"));
        let users = match self.rules.users_match {
            "effective" => vec![effective],
            "job" => vec![job],
            _ => vec![effective, job],
        };
        let rule = self.plain(["users.exclude", "users.include"], |r| users.iter().any(|u| name_matches(r, u)))?;
        if self.is_privileged(entry) {
            let learned = self.learned.contains(effective) || self.learned.contains(job);
            self.saw(if learned { "learned user kept" } else { "privileged user kept" });
            return None;
        }
        Some(rule)
    }

    fn objects(&mut self, entry: &Values) -> Option<String> {
        let (objects, of_type) = (entry.objects(), entry.role("object_type"));
        let rule = self.plain(["objects.exclude", "objects.include"], |rule| {
            objects.iter().any(|o| object_matches(rule, *o, of_type))
        })?;
        if entry.code == "CD" && !self.rules.commands {
            self.saw("command kept");
            return None;
        }
        let excludes = self.rules.list("objects.exclude");
        if objects.len() == 2 && !excludes.iter().any(|r| object_matches(r, objects[0], of_type)) {
            self.saw("dropped by an old name");
        }
        Some(rule)
    }

    fn paths(&mut self, entry: &Values) -> Option<String> {
        // The most specific rule wins, whichever of two paths it matches; an include on a tie, then the first.
        let includes = self.rules.list("ifs.include").iter().map(|r| (true, r));
        let rules = includes.chain(self.rules.list("ifs.exclude").iter().map(|r| (false, r)));
        let paths = entry.paths();
        if paths.is_empty() && self.rules.list("ifs.exclude").iter().any(|r| r == "/") {
            let relative = entry.role("path_indicator") == "N" && entry.role("object_path").starts_with('/');
            let guessed =
                entry.known() && entry.field("path_name").starts_with('/') && entry.role("object_path").is_empty();
            if relative {
                self.saw("relative path kept");
            }
            if guessed {
                self.saw("guessed path kept");
            }
        }
        let matching: Vec<_> = rules.filter(|(_, rule)| paths.iter().any(|p| path_matches(rule, p))).collect();
        let (include, rule) = matching.iter().copied().min_by_key(|(_, rule)| Reverse(specificity(rule)))?;
        if include {
            if matching.iter().any(|(include, _)| !include) {
                self.saw("ifs.include");
            }
            return None;
        }
        if paths.iter().any(|p| p.len() > 1 && p[0].eq_ignore_ascii_case("qopensys")) {
            self.saw("dropped below QOpenSys");
        }
        Some(format!("ifs.exclude {rule}"))
    }

    fn jobs(&mut self, entry: &Values) -> Option<String> {
        let names = [entry.head("job_name"), entry.head("job_user"), entry.head("job_number")];
        let matching =
            |key: &str| -> Vec<&'r String> { self.rules.list(key).iter().filter(|r| parts_match(r, names)).collect() };
        let (excludes, includes) = (matching("jobs.exclude"), matching("jobs.include"));
        let (over_users, others): (Vec<_>, Vec<_>) =
            excludes.into_iter().partition(|rule| !parts(rule)[1].is_none_or(is_all));
        let rule = others.first().or(over_users.first())?;
        if !includes.is_empty() {
            self.saw("jobs.include");
            return None;
        }
        if others.is_empty() && self.is_privileged(entry) {
            self.saw("privileged job kept");
            return None;
        }
        Some(format!("jobs.exclude {rule}"))
    }
}

/// N11: whether the entry records a change of auditing, and of which kind.
fn is_audit_change(entry: &Values) -> Option<&'static str> {
    if entry.journal_code == 'J' {
        return Some("kept audit change J");
    }
    if !entry.known() {
        return None;
    }
    match entry.code.as_str() {
        "SV" => {
            let name = entry.role("system_value");
            (name.starts_with("QAUD") || name == "QCRTOBJAUD").then_some("kept audit change SV")
        }
        "AD" => matches!(entry.detail(), "D" | "O" | "U").then_some("kept audit change AD"),
        "CP" => {
            let now = entry.field("special_authority_audit");
            let before = entry.field("prev_special_authority_audit");
            let granted = now == "Y" && before != "Y";
            let removed = now != "Y" && before == "Y";
            let perhaps = now == "N" && before != "N" && entry.field("command_type") != "CRT";
            (granted || removed || perhaps).then_some("kept audit change CP")
        }
        "CA" | "DO" | "OM" | "OW" => {
            let named = ["object_name", "old_object_name"].into_iter().any(|role| entry.role(role) == "QAUDJRN");
            let receiver = entry.role("object_type") == "*JRNRCV";
            (named || receiver).then_some("kept audit change of an object")
        }
        _ => None,
    }
}
