//! `[filter]`: the rules of the configuration and of its presets, each with its place.
use std::{io, path::Path, str::FromStr};

use super::{
    files::LONGEST,
    presets,
    read::{Placed, Reader, Section},
    shown,
};
use crate::decode::history::messages::is_message_id;
use crate::files::read_regular;
use crate::filter::{
    HistoryRules, Lists, Rule, RuleBook, RuleId, RulePattern, Rules, TypeRule, UserMatch,
    history::LOGON_LOGOFF,
    names::{self, BadName, Name, Qualified},
};

/// Where rules are read to.
pub struct RuleReader<'b> {
    /// The rules of the whole configuration.
    pub book: &'b mut RuleBook,
    /// What stands before the keys in the names of rules: `output NAME: `, or nothing.
    pub prefix: String,
    /// The folder of the configuration file, for presets of the user.
    pub folder: &'b Path,
}

impl RuleReader<'_> {
    /// Reads `[filter]`. `inherited` gives the settings that an output takes over from the agent.
    pub fn filter(&mut self, mut s: Section<'_>, inherited: Option<&Rules>, r: &mut Reader<'_>) -> Rules {
        let mut rules = Rules::default();
        if let Some(from) = inherited {
            rules.protect_audit_changes = from.protect_audit_changes;
            rules.audit_change_severity = from.audit_change_severity;
            rules.privileged.clone_from(&from.privileged);
            rules.allow_filtering_privileged.clone_from(&from.allow_filtering_privileged);
            rules.user_match = from.user_match;
            rules.match_commands = from.match_commands;
        }
        let protects = s.boolean("protect_audit_changes", r);
        let own = inherited.is_none();
        inherit(&s, "protect_audit_changes", own, rules.protect_audit_changes, r);
        if let Some(Placed { value, place }) = protects {
            rules.protect_audit_changes = value;
            if !value {
                r.warning(place, "protect_audit_changes = false: rules may drop changes to auditing itself");
            }
        }
        let severity = s.integer("audit_change_severity", 0..11, r);
        inherit(&s, "audit_change_severity", own, i64::from(rules.audit_change_severity), r);
        if let Some(n) = severity {
            rules.audit_change_severity = u8::try_from(n).unwrap_or(rules.audit_change_severity);
        }
        let presets = s.strings("presets", r);
        s.usual("presets", Vec::<String>::new(), r);
        self.lists(&mut s, Settings::Of { agent: own }, &mut rules, r);
        s.finish(r);
        let mut seen: Vec<String> = Vec::new();
        for preset in presets.into_iter().flat_map(|p| p.value) {
            if seen.contains(&preset.value) {
                r.warning(preset.place, format!("presets: {:?} is listed twice", preset.value));
                continue;
            }
            seen.push(preset.value.clone());
            self.preset(&preset, &mut rules, r);
        }
        rules
    }

    /// Reads a shipped preset, or a file of the user.
    fn preset(&mut self, preset: &Placed<String>, rules: &mut Rules, r: &mut Reader<'_>) {
        let name = preset.value.as_str();
        let is_file = name.contains(['/', '\\']) || name.ends_with(".toml");
        let read;
        let (file, text) = match presets::shipped(name) {
            Some(text) => (format!("filters/{name}.toml"), text),
            None if is_file => {
                let stem = name.trim_end_matches(".toml");
                let path = self.folder.join(name);
                if presets::shipped(stem).is_some() && !path.exists() {
                    let text = format!("presets: {name:?}: the shipped preset is written {stem:?}");
                    return r.error(preset.place.clone(), text);
                }
                let bytes = read_regular(&path, LONGEST);
                match bytes.and_then(|b| String::from_utf8(b).map_err(io::Error::other)) {
                    Ok(text) => read = text,
                    Err(e) => {
                        return r.error(preset.place.clone(), format!("presets: cannot read {}: {e}", path.display()));
                    }
                }
                (path.display().to_string(), read.as_str())
            }
            None => {
                return r.error(
                    preset.place.clone(),
                    format!(
                        "presets: {name:?} is not shipped; known are {}; your own file is written as a path, such as \"./{name}.toml\"",
                        presets::names().collect::<Vec<_>>().join(", ")
                    ),
                );
            }
        };
        let mut inner = Reader::new([(file.as_str(), text)]);
        let table = inner.parse();
        let mut s = Section::new(&table, "");
        s.string("about", &mut inner);
        self.lists(&mut s, Settings::None, rules, &mut inner);
        s.finish(&mut inner);
        r.problems.append(&mut inner.problems);
    }

    /// The lists, which presets have too; `settings` are what only the configuration itself may say.
    fn lists(&mut self, s: &mut Section<'_>, settings: Settings, rules: &mut Rules, r: &mut Reader<'_>) {
        let mut t = s.table("types", r);
        self.types(&mut t, rules, r);
        t.finish(r);

        let mut t = s.table("objects", r);
        self.both(&mut t, "objects", names::object, &mut rules.objects, r);
        if let Settings::Of { agent } = settings {
            let commands = t.boolean("commands", r);
            inherit(&t, "commands", agent, rules.match_commands, r);
            rules.match_commands = commands.map_or(rules.match_commands, |b| b.value);
        }
        t.finish(r);

        let mut t = s.table("ifs", r);
        self.both(&mut t, "ifs", FromStr::from_str, &mut rules.ifs, r);
        t.finish(r);

        let mut t = s.table("users", r);
        self.both(&mut t, "users", one, &mut rules.users, r);
        if let Settings::Of { agent } = settings {
            let words = [("effective", UserMatch::Effective), ("job", UserMatch::Job), ("either", UserMatch::Either)];
            let user_match = t.choice("match", &words, r);
            let word = words.iter().find(|(_, m)| *m == rules.user_match).map_or("", |(w, _)| *w);
            inherit(&t, "match", agent, word, r);
            rules.user_match = user_match.unwrap_or(rules.user_match);
            let privileged = t.strings("privileged", r);
            t.usual("privileged", Vec::<String>::new(), r);
            rules.privileged.extend(profiles(privileged, "users.privileged", true, r));
            let allowed = t.strings("allow_filtering_privileged", r);
            t.usual("allow_filtering_privileged", Vec::<String>::new(), r);
            let place = allowed.as_ref().map(|l| l.place.clone());
            let key = "users.allow_filtering_privileged";
            let names = profiles(allowed, key, false, r);
            if let Some(place) = place.filter(|_| !names.is_empty()) {
                let all: Vec<String> = names.iter().map(Name::to_string).collect();
                let text = format!("{key}: rules may drop what these privileged users do: {}", all.join(", "));
                r.warning(place, text);
            }
            rules.allow_filtering_privileged.extend(names);
        }
        t.finish(r);

        let mut t = s.table("system_values", r);
        self.both(&mut t, "system_values", one, &mut rules.system_values, r);
        t.finish(r);
        let mut t = s.table("programs", r);
        self.both(&mut t, "programs", names::program, &mut rules.programs, r);
        t.finish(r);
        let mut t = s.table("jobs", r);
        self.both(&mut t, "jobs", names::job, &mut rules.jobs, r);
        t.finish(r);
        let mut t = s.table("remote", r);
        self.both(&mut t, "remote", FromStr::from_str, &mut rules.remote, r);
        t.finish(r);
        let mut t = s.table("history", r);
        self.history(&mut t, &mut rules.history, r);
        t.finish(r);
    }

    fn history(&mut self, t: &mut Section<'_>, rules: &mut HistoryRules, r: &mut Reader<'_>) {
        let place = t.place_of("send", r);
        let words = t.words("send", r);
        t.usual("send", "all", r);
        if let Some(place) = place.clone().filter(|_| words.as_ref().is_some_and(Vec::is_empty)) {
            r.warning(place, "history.send: an empty list narrows nothing; write \"all\" for everything");
        }
        for Placed { value, place: at } in words.into_iter().flatten() {
            let ids = match value.as_str() {
                "all" => continue,
                "logon_logoff" => LOGON_LOGOFF.map(str::to_owned).to_vec(),
                id if is_message_id(&id.to_uppercase()) => vec![id.to_uppercase()],
                other => {
                    let text = format!(
                        "history.send: {other:?}: expected \"all\", \"logon_logoff\", or a list of message ids such as [\"CPF1164\"]"
                    );
                    r.error(at, text);
                    continue;
                }
            };
            let rule = Rule { key: self.key("history.send"), written: String::new(), place: place.clone() };
            let (_, all) = rules.send.get_or_insert_with(|| (self.book.add(rule), Vec::new()));
            all.extend(ids);
        }
        let failures = t.boolean("sign_on_failures", r);
        t.usual("sign_on_failures", false, r);
        if let Some(failures) = failures {
            rules.sign_on_failures |= failures.value;
            if failures.value && rules.send.is_none() {
                let text = "history.sign_on_failures = true adds nothing: history.send sends all";
                r.warning(failures.place, text);
            }
        }
        let jobs = t.strings("exclude_jobs", r);
        t.usual("exclude_jobs", Vec::<String>::new(), r);
        self.list(jobs, "history.exclude_jobs", one, &mut rules.exclude_jobs, r);
        let place = t.place_of("minimum_severity", r);
        let minimum = t.integer("minimum_severity", 0..100, r);
        t.usual("minimum_severity", 0, r);
        if let Some(n) = minimum.filter(|n| *n > 0) {
            let rule = Rule { key: self.key("history.minimum_severity"), written: n.to_string(), place };
            rules.minimum_severity = Some((self.book.add(rule), n));
        }
    }

    fn types(&mut self, t: &mut Section<'_>, rules: &mut Rules, r: &mut Reader<'_>) {
        let send = t.strings("send", r);
        t.usual("send", vec!["*ALL"], r);
        if let Some(list) = send {
            let key = self.key("types.send");
            let place = list.place.clone();
            if list.value.is_empty() {
                r.warning(place.clone(), "types.send: an empty list narrows nothing; write \"*ALL\" for everything");
            }
            let mut found: Vec<(TypeRule, Placed<String>)> = Vec::new();
            for item in list.value {
                match TypeRule::of_entries(&item.value) {
                    Ok(rule) => found.push((rule, item)),
                    Err(e) => r.error(item.place, format!("types.send: {e}")),
                }
            }
            // A list with *ALL narrows nothing: beside it, what a preset narrows to counts.
            if let Some((_, other)) = found.iter().find(|(t, _)| *t != TypeRule::All)
                && found.iter().any(|(t, _)| *t == TypeRule::All)
            {
                r.warning(other.place.clone(), format!("types.send: {:?} adds nothing beside \"*ALL\"", other.value));
                found.clear();
            }
            found.retain(|(t, _)| *t != TypeRule::All);
            if !found.is_empty() {
                let all = Rule { key, written: String::new(), place: Some(place) };
                rules.types.send_rule.get_or_insert_with(|| self.book.add(all));
                // Every entry of the list is a rule for warnings; what no entry takes is counted under the list.
                let send: Vec<_> = found
                    .into_iter()
                    .map(|(pattern, item)| RulePattern { rule: self.rule("types.send", &item), pattern })
                    .collect();
                rules.types.send.extend(send);
            }
        }
        let exclude = t.strings("exclude", r);
        t.usual("exclude", Vec::<String>::new(), r);
        self.list(exclude, "types.exclude", TypeRule::of_entries, &mut rules.types.exclude, r);
    }

    fn both<T, E: std::fmt::Display>(
        &mut self,
        t: &mut Section<'_>,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        to: &mut Lists<T>,
        r: &mut Reader<'_>,
    ) {
        let (exclude, include) = (t.strings("exclude", r), t.strings("include", r));
        t.usual("exclude", Vec::<String>::new(), r);
        t.usual("include", Vec::<String>::new(), r);
        self.list(exclude, &format!("{name}.exclude"), &parse, &mut to.exclude, r);
        self.list(include, &format!("{name}.include"), &parse, &mut to.include, r);
    }

    fn list<T, E: std::fmt::Display>(
        &mut self,
        list: Option<Placed<Vec<Placed<String>>>>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        to: &mut Vec<RulePattern<T>>,
        r: &mut Reader<'_>,
    ) {
        for item in list.into_iter().flat_map(|l| l.value) {
            match parse(&item.value) {
                Ok(pattern) => to.push(RulePattern { rule: self.rule(key, &item), pattern }),
                Err(e) => r.error(item.place, format!("{key}: {e}")),
            }
        }
    }

    fn key(&self, key: &str) -> std::sync::Arc<str> {
        format!("{}{key}", self.prefix).into()
    }

    fn rule(&mut self, key: &str, item: &Placed<String>) -> RuleId {
        self.book.add(Rule { key: self.key(key), written: item.value.clone(), place: Some(item.place.clone()) })
    }
}

/// What beside its lists is read of a filter.
#[derive(Clone, Copy)]
enum Settings {
    /// Nothing: of a preset.
    None,
    /// All; the agent has them itself, everybody else takes over what the agent has.
    Of { agent: bool },
}

/// Says what a setting is that is not given: of the agent a default, of all others that of the agent.
fn inherit(t: &Section<'_>, key: &str, agent: bool, value: impl Into<toml::Value>, r: &mut Reader<'_>) {
    let value = value.into();
    if agent {
        t.usual(key, value, r);
    } else {
        t.otherwise(key, format!("as in [filter]: {}", shown::toml(&value)), r);
    }
}

/// Profile names; generic ones only where that is safe.
fn profiles(list: Option<Placed<Vec<Placed<String>>>>, key: &str, generic: bool, r: &mut Reader<'_>) -> Vec<Name> {
    let mut names = Vec::new();
    for item in list.into_iter().flat_map(|l| l.value) {
        match item.value.parse() {
            Ok(Name::Generic(_) | Name::All) if !generic => {
                r.error(
                    item.place,
                    format!("{key}: {:?} would take users that nobody thought of: write each name", item.value),
                );
            }
            Ok(name) => names.push(name),
            Err(e) => r.error(item.place, format!("{key}: {e}")),
        }
    }
    names
}

fn one(text: &str) -> Result<Qualified<1>, BadName> {
    Ok([text.parse()?])
}
