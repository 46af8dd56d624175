//! `[[listener]]`: one socket for many senders, each of whom is a source: who they are, and what they do not say themselves.
use super::{
    filter::RuleReader,
    read::{Placed, Reader, Section},
    source::{self, SourceConfig},
    stream::{self, Who},
};
use crate::{
    encode::escape::printable,
    filter::{ConfigLocation, Rules},
    source::stream::{
        Listen, StreamOptions,
        identity::{LONGEST, is_name},
    },
};

/// Senders that a listener takes, unless it says otherwise.
const MOST: usize = 1_000;
/// What stands for the name of a sender.
const NAME: &str = "{name}";

/// A listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name in reports; the sources of its senders have theirs behind it and a `/`.
    pub name: String,
    /// It is started; one that is off is only checked.
    pub enabled: bool,
    /// Where it listens, and whose certificates it trusts.
    pub options: StreamOptions,
    /// What is said of senders that are not in the table. It is called as the listener.
    pub usual: SourceConfig,
    /// How those are called: what stands before and behind the name that a sender is known by; `None` where they are refused.
    pub template: Option<(String, String)>,
    /// The table of senders.
    pub senders: Vec<SenderConfig>,
    /// How many senders there may be: those in the table, and those that the template has given a name.
    pub max_senders: usize,
}

/// A sender in the table.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// The name of its certificate, in lower case, or its user.
    pub known_by: String,
    /// Its source.
    pub source: SourceConfig,
    /// It has a filter of its own, and not that of the listener.
    own_filter: bool,
}

impl ListenerConfig {
    /// The source of a sender that is known by this, or why it has none.
    pub fn source_of(&self, known_by: Option<&str>) -> Result<SourceConfig, String> {
        let known_by = known_by.ok_or("its certificate has no DNS name and no common name: nobody knows who it is")?;
        if let Some(sender) = self.senders.iter().find(|s| s.known_by == known_by) {
            return Ok(sender.source.clone());
        }
        let shown = printable(known_by);
        if !is_name(known_by) {
            return Err(format!(
                "it is known as \"{shown}\": expected 1 to {LONGEST} of A-Z, a-z, 0-9, \".\", \"_\" and \"-\""
            ));
        }
        let Some((before, behind)) = &self.template else {
            return Err(format!(
                "it is known as \"{shown}\", which is not in the table of senders ([[listener.sender]])"
            ));
        };
        let name = format!("{}/{before}{known_by}{behind}", self.name);
        // Two senders in one source would take each other's place, and lose what the other one sent.
        if let Some(other) = self.senders.iter().find(|s| s.source.name == name) {
            return Err(format!(
                "it is known as \"{shown}\", and would be source {name}, which is the name of \"{}\" in the table of senders",
                printable(&other.known_by)
            ));
        }
        let mut source = self.usual.clone();
        source.name = name;
        Ok(source)
    }

    /// Whether the source of this name is made by the template, and is none of the table.
    pub fn is_by_template(&self, source: &str) -> bool {
        let Some((before, behind)) = &self.template else { return false };
        let called = source.strip_prefix(self.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let known_by = called.and_then(|c| c.strip_prefix(before.as_str())?.strip_suffix(behind.as_str()));
        known_by.is_some_and(is_name) && !self.senders.iter().any(|s| s.source.name == source)
    }

    /// What is said of senders, as far as it is not the same.
    pub fn contents(&self) -> impl Iterator<Item = &SourceConfig> {
        let usual = std::iter::once(&self.usual);
        usual.chain(self.senders.iter().filter(|s| s.own_filter).map(|s| &s.source))
    }

    /// All of it.
    pub fn contents_mut(&mut self) -> impl Iterator<Item = &mut SourceConfig> {
        std::iter::once(&mut self.usual).chain(self.senders.iter_mut().map(|s| &mut s.source))
    }

    /// Whether the zone of some sender is not given.
    pub fn lacks_zone(&self) -> bool {
        let table = self.senders.iter().any(|s| !s.source.zone_is_given);
        table || self.template.is_some() && !self.usual.zone_is_given
    }
}

/// Reads all listeners. `agent` are the rules of `[filter]`.
pub fn listeners(
    s: &mut Section<'_>,
    (agent, sources): (&Rules, &[SourceConfig]),
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Vec<ListenerConfig> {
    let mut found: Vec<ListenerConfig> = Vec::new();
    for Placed { value: mut t, place } in s.tables("listener", r) {
        let name = t.named(r);
        let has_name = t.has("name");
        let listener = listener(&mut t, (name.as_ref(), &place), agent, rules, r);
        t.finish(r);
        if !has_name {
            r.error(place, "listener.name is missing");
        }
        let (Some(name), Some(listener)) = (name, listener) else { continue };
        let shown = format!("listener.name = {:?}", name.value);
        if found.iter().any(|l| l.name == name.value) {
            r.error(name.place, format!("{shown}: there are two listeners of this name"));
        } else if let Some(other) = sources.iter().find(|s| meets(&s.name, &name.value)) {
            r.error(
                name.place,
                format!(
                    "{shown}: the source {:?} is called so too: the sources of senders are called {}/NAME",
                    other.name, name.value
                ),
            );
        }
        found.push(listener);
    }
    found
}

/// Whether a source is called as a listener, or as a sender of it may be.
fn meets(source: &str, listener: &str) -> bool {
    source.strip_prefix(listener).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn listener(
    t: &mut Section<'_>,
    (name, at): (Option<&Placed<String>>, &ConfigLocation),
    agent: &Rules,
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Option<ListenerConfig> {
    let name = name.map_or(String::new(), |n| n.value.clone());
    let enabled = t.enabled(r);
    let options = stream::stream(t, at, Who::Many, r);
    let most = t.integer("max_senders", 1..1_000_001, r);
    rules.prefix = format!("listener {name}: ");
    let filter = rules.filter(t.table("filter", r), Some(agent), r);
    rules.prefix.clear();
    let template = template(t, r);
    t.otherwise("source", "{name} where there is no table of senders; where there is one, all others are refused", r);
    // What follows is read and told of, whatever is wrong above.
    let nowhere = StreamOptions {
        listen: Listen::Unix("/".into()),
        cert: None,
        key: None,
        client_ca: None,
        client_names: None,
        client_crl: None,
    };
    let known = options.as_ref().unwrap_or(&nowhere);
    let usual = source::sender(t, (name.clone(), known), (None, filter), r);
    let tables = t.tables("sender", r);
    let has_table = t.has("sender");
    let senders = match &usual {
        Some(usual) => senders(tables, usual, agent, rules, r),
        None => Vec::new(),
    };
    let usual = usual?;
    let template = match template {
        Template::Is(before, behind) => Some((before, behind)),
        Template::Wrong => None,
        Template::None if has_table => None,
        Template::None => Some((String::new(), String::new())),
    };
    if usual.kind.is_none() && (template.is_some() || senders.iter().any(|s| s.source.kind.is_none())) {
        r.error(at.clone(), "listener.input is missing: the heading of the records of its senders, such as \"type5\"");
    }
    let most = most.and_then(|n| usize::try_from(n).ok());
    if let Some(most) = most.filter(|most| *most < senders.len()) {
        r.error(
            at.clone(),
            format!(
                "listener.max_senders = {most}: the table has {} senders, each of whom has a seat: expected as many or more, with room for those that the template names",
                senders.len()
            ),
        );
    }
    // A table that is longer than the usual limit is what somebody wrote down.
    let max_senders = most.unwrap_or(MOST.max(senders.len()));
    t.usual("max_senders", i64::try_from(max_senders).unwrap_or(i64::MAX), r);
    let options = options?;
    Some(ListenerConfig { name, enabled, options, usual, template, senders, max_senders })
}

enum Template {
    None,
    Is(String, String),
    Wrong,
}

/// `source`: how senders are called that are not in the table.
fn template(t: &mut Section<'_>, r: &mut Reader<'_>) -> Template {
    let Some(Placed { value, place }) = t.string("source", r) else {
        return if t.has("source") { Template::Wrong } else { Template::None };
    };
    let parts: Vec<&str> = value.split(NAME).collect();
    match parts.as_slice() {
        [before, behind] if is_name(&format!("{before}x{behind}")) => {
            Template::Is((*before).to_owned(), (*behind).to_owned())
        }
        _ => {
            r.error(
                place,
                format!(
                    "listener.source = {value:?}: expected one {NAME}, which stands for the name that a sender is known by, and around it nothing but A-Z, a-z, 0-9, \".\", \"_\" and \"-\", such as \"ibmi-{NAME}\""
                ),
            );
            Template::Wrong
        }
    }
}

/// The table of senders.
fn senders(
    tables: Vec<Placed<Section<'_>>>,
    usual: &SourceConfig,
    agent: &Rules,
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Vec<SenderConfig> {
    let source::Input::Stream(options) = &usual.input else { return Vec::new() };
    let is_tls = matches!(options.listen, Listen::Tls(_));
    let mut found: Vec<SenderConfig> = Vec::new();
    for Placed { value: mut t, place } in tables {
        let known_by = t.string("match", r);
        if !t.has("match") {
            r.error(place.clone(), "listener.sender.match is missing: the name of the certificate of the sender, or its user on this system");
        }
        let name = t.named(r);
        t.otherwise("name", "as match", r);
        let shown = name.as_ref().or(known_by.as_ref()).map_or("", |n| n.value.as_str()).to_owned();
        let own_filter = t.has("filter");
        rules.prefix = format!("listener {}: sender {shown}: ", usual.name);
        let filter = t.table("filter", r);
        let filter = if own_filter {
            rules.filter(filter, Some(agent), r)
        } else {
            // So that its keys are known.
            rules.filter(filter, Some(agent), r);
            t.inherits("filter", "as in the listener", r);
            usual.filter.clone()
        };
        rules.prefix.clear();
        let source = source::sender(&mut t, (format!("{}/{shown}", usual.name), options), (Some(usual), filter), r);
        t.finish(r);
        let (Some(known_by), Some(source)) = (known_by, source) else { continue };
        let key = format!("listener.sender.match = {:?}", known_by.value);
        if !is_name(&known_by.value) {
            r.error(
                known_by.place,
                format!(
                    "{key}: expected 1 to {LONGEST} of A-Z, a-z, 0-9, \".\", \"_\" and \"-\": nobody else is let in"
                ),
            );
            continue;
        }
        let lower = if is_tls { known_by.value.to_ascii_lowercase() } else { known_by.value };
        if found.iter().any(|s| s.known_by == lower) {
            r.error(known_by.place, format!("{key}: it is in the table twice"));
        } else if let Some(other) = found.iter().find(|s| s.source.name == source.name) {
            let place = name.map_or(place, |n| n.place);
            r.error(
                place,
                format!(
                    "listener.sender.name = {shown:?}: {:?} is called so too, and each is a source of its own",
                    other.known_by
                ),
            );
        }
        found.push(SenderConfig { known_by: lower, source, own_filter });
    }
    found
}
