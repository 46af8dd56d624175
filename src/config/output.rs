//! `[[output]]`: where lines go, what they look like, and what of the agent's events this one takes.
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    LineConfig, Problem, dialect,
    filter::RuleReader,
    naming::{Lines, Naming, naming},
    read::{Placed, Reader, Section},
    tls::tls,
    zone::zone,
};
use crate::{
    decode::journal::Catalog,
    encode::{Dialect, Format, Header, HeadingDefaults, LineEncoding, Profile, Settings, keys},
    filter::{ConfigLocation, RuleId, RulePattern, Rules, TypeRule, TypeRules},
    net::{connect, tls::TlsOptions},
    output::{Target, options::OutputOptions, rate_limit::Limits, resend_window, sink::Framing},
    spool::Start,
};

/// One output.
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// Its name in reports.
    pub name: String,
    /// It is started; one that is off is only checked.
    pub enabled: bool,
    /// Where lines go.
    pub address: Target,
    /// Where they go while it cannot be reached, in this order.
    pub failover: Vec<Target>,
    /// How often it is looked for meanwhile; for UDP how often its name is looked up again.
    pub failback_interval: Duration,
    /// How long each may take: the name server, the connection, the handshake.
    pub connect_timeout: Duration,
    /// When a silent network counts as gone.
    pub dead_peer_timeout: Duration,
    /// What the body of a line is.
    pub format: Format,
    /// The syslog header; the format's own unless given.
    pub header: Option<Header>,
    /// How lines follow one another on a stream; the transport's own unless given.
    pub framing: Option<Framing>,
    /// `detail = "full"`: every field that is not blank.
    pub full: bool,
    /// Carry fields whose layout is a guess.
    pub include_guesses: bool,
    /// Longest line in bytes; the format's own unless given.
    pub max_size: Option<usize>,
    /// The encoding in which its lines leave; `None` for UTF-8.
    pub encoding: Option<LineEncoding>,
    /// How its lines name us, and the fields that all of them have.
    pub naming: Naming,
    /// Its lines are those of another product.
    pub dialect: Option<Arc<Dialect>>,
    /// What it leaves out of what the agent sends.
    pub filter: Rules,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// What it may take.
    pub limits: Limits,
    /// When events of a connection without acknowledgement count as arrived.
    pub resend_window: resend_window::ResendPolicy,
    /// How long a receiver may take nothing before it counts as gone.
    pub stall_timeout: Duration,
    /// Entry types that go first when the output is behind.
    pub priority_types: TypeRules,
    /// What passes a spent daily budget.
    pub pass: BudgetExemption,
    /// Where it begins when it is new.
    pub from: Start,
    /// How often it is told that the agent lives; zero for never, `None` for what the agent does.
    pub heartbeat: Option<Duration>,
    /// The types that `priority_types` and `pass` name, with their places.
    pub named_types: Vec<(TypeRule, ConfigLocation)>,
}

/// What passes a spent daily budget. Without any, everything waits for the next day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BudgetExemption {
    /// Entry types.
    pub types: TypeRules,
    /// Severity from which an event passes, whatever its type.
    pub severity: Option<u8>,
}

impl BudgetExemption {
    /// Whether nothing passes.
    pub fn is_empty(&self) -> bool {
        self.types.send.is_empty() && self.severity.is_none()
    }
}

/// Entry types that go first unless others are given.
pub const PRIORITY_TYPES: [&str; 10] = ["PW", "AF", "CP", "SV", "AD", "DS", "IM", "PS", "CA", "OW"];

impl OutputConfig {
    /// Its addresses, the first first.
    pub fn addresses(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.address).chain(&self.failover)
    }

    /// How lines follow one another on a stream.
    pub fn framing(&self) -> Framing {
        self.framing.unwrap_or(match self.address {
            Target::Tls(_) => Framing::Octet,
            _ => Framing::Newline,
        })
    }

    /// What its connections need to know.
    pub fn options(&self) -> OutputOptions {
        OutputOptions {
            name: self.name.clone(),
            address: self.address.clone(),
            failover: self.failover.clone(),
            framing: self.framing(),
            tls: self.tls.clone(),
            failback_interval: self.failback_interval,
            connect_timeout: self.connect_timeout,
            dead_peer_timeout: self.dead_peer_timeout,
            stall_timeout: self.stall_timeout,
            resend_window: self.resend_window,
        }
    }

    /// The settings of its lines.
    pub fn settings(&self, format: Format, line: &LineConfig, profile: &Profile, given: HeadingDefaults) -> Settings {
        let mut s = line.settings(format, profile, given);
        self.naming.apply(&mut s, self.dialect.is_none());
        if let Some(dialect) = &self.dialect {
            s.speak(dialect);
        }
        s.header = self.header.unwrap_or(s.header);
        s.full = self.full;
        if matches!(self.address, Target::Udp(_)) {
            s.max_size = s.max_size.min(UDP_SIZE);
        }
        s.max_size = self.max_size.unwrap_or(s.max_size);
        s.encoding = self.encoding;
        s
    }
}

/// Longest line in a datagram unless another is given: receivers need not take more (RFC 5426, section 3.2).
pub const UDP_SIZE: usize = 2_048;

/// Reads all outputs. `agent` are the rules of `[filter]`.
pub fn outputs(
    s: &mut Section<'_>,
    (agent, catalog): (&Rules, &Catalog),
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Vec<OutputConfig> {
    let mut found: Vec<OutputConfig> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for Placed { value: table, place } in s.tables("output", r) {
        let (name, output) = output(table, &place, (agent, catalog), rules, r);
        if let Some(name) = name {
            if names.contains(&name.value) {
                r.error(name.place, format!("output.name: there are two outputs named {:?}", name.value));
            }
            names.push(name.value);
        }
        found.extend(output);
    }
    found
}

fn output(
    mut t: Section<'_>,
    at: &ConfigLocation,
    (agent, catalog): (&Rules, &Catalog),
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> (Option<Placed<String>>, Option<OutputConfig>) {
    let name = t.named(r);
    let has_name = t.has("name");
    let enabled = t.enabled(r);
    let has_address = t.has("address");
    let address = t.string("address", r);
    let failover = t.strings("failover", r);
    t.usual("failover", Vec::<String>::new(), r);
    let format = t.choice_or("format", &Format::ALL.map(|f| (f.key(), f)), Format::Cef, r);
    let header = t.choice("header", &[Header::Rfc5424, Header::Rfc3164, Header::None].map(|h| (h.key(), h)), r);
    t.otherwise("header", format!("of the format: {}", format.default_header().key()), r);
    let profile = profile(&mut t, format, catalog, r);
    let framing = t.choice("framing", &[("newline", Framing::Newline), ("octet", Framing::Octet)], r);
    t.otherwise("framing", "octet on tls://, newline on tcp://", r);
    let full = t.choice_or("detail", &[("compact", false), ("full", true)], false, r);
    let include_guesses = t.boolean_or("include_guesses", false, r);
    let tls = tls(&mut t, "output", r);
    let (limits, pass_types, pass_severity) = limits(&mut t, r);
    let mut named_types = Vec::new();
    let pass =
        BudgetExemption { types: types("meter.pass_types", pass_types, &mut named_types, r), severity: pass_severity };
    let priority = t.strings("priority_types", r);
    t.usual("priority_types", PRIORITY_TYPES.to_vec(), r);
    let usual = || PRIORITY_TYPES.map(|t| Placed { value: t.to_owned(), place: at.clone() }).to_vec();
    let priority = priority.or_else(|| Some(Placed { value: usual(), place: at.clone() }));
    let priority_types = types("priority_types", priority, &mut named_types, r);
    let resend_window = {
        let mut w = t.table("resend_window", r);
        let default = resend_window::ResendPolicy::default();
        let bytes = w.size_or("bytes", default.bytes, r);
        let age = w.positive_or("seconds", default.age, r);
        w.finish(r);
        resend_window::ResendPolicy { bytes, age }
    };
    let connect_timeout = t.seconds_or("connect_timeout", 1..3_601, connect::CONNECT, r);
    // The system counts keepalive in whole seconds: idle, then a question, then its answer.
    let dead_peer_timeout = t.seconds_or("dead_peer_timeout", 3..86_401, connect::DEAD_PEER, r);
    let failback_interval = t.seconds_or("failback_interval", 1..86_401, Duration::from_secs(30), r);
    let stall_timeout = t.positive_or("stall_timeout", Duration::from_secs(600), r);
    let from = t.choice_or("from", &[("oldest", Start::Oldest), ("now", Start::Now)], Start::default(), r);
    let heartbeat = t.integer("heartbeat", 0..86_401, r).and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs);
    t.otherwise("heartbeat", "as heartbeat above the first table", r);
    let max_size = t.integer("max_size", 480..1_000_001, r).and_then(|n| usize::try_from(n).ok());
    t.otherwise("max_size", format!("of the format: {}; of udp://: {UDP_SIZE} at most", format.default_max_size()), r);
    let is_udp = address.as_ref().is_some_and(|a| a.value.starts_with("udp://"));
    let usual_size = format.default_max_size().min(if is_udp { UDP_SIZE } else { usize::MAX });
    let keys = || match &profile {
        Some(dialect) => keys::of_dialect(format, dialect),
        None => Profile::native().map_or_else(|_| BTreeSet::new(), |p| keys::native(format, &p, catalog)),
    };
    let lines = Lines { format, max_size: max_size.unwrap_or(usual_size), keys: &keys };
    let naming = naming(&mut t, &lines, r);
    let dialect = profile.map(|dialect| Arc::new(naming.dialect(dialect)));
    let no_version = |d: &Arc<Dialect>| format != Format::Syslog && d.form(format).is_some_and(|f| f.version.is_none());
    if let (Some(d), Some(place)) = (dialect.as_ref().filter(|d| no_version(d)), t.place_of("profile", r)) {
        r.warning(place, format!(
            "output.profile = {:?}: the version in the header is the release of IBM i, which no entry says: until you give it, as version = \"7.5\", lines say \"unknown\"",
            d.name
        ));
    }
    let encoding = t.string("encoding", r);
    t.usual("encoding", "utf-8", r);
    let encoding = encoding.and_then(|Placed { value, place }| match LineEncoding::of(&value) {
        Ok(encoding) => encoding.unless_utf_8(),
        Err(e) => {
            r.error(place, format!("output.encoding = {value:?}: {e}"));
            None
        }
    });
    rules.prefix = format!("output {}: ", name.as_ref().map_or("", |n| n.value.as_str()));
    let filter = t.table("filter", r);
    let filter = rules.filter(filter, Some(agent), r);
    rules.prefix.clear();
    t.finish(r);
    if !has_name {
        r.error(at.clone(), "output.name is missing");
    }
    let Some(address) = address else {
        if !has_address {
            r.error(at.clone(), "output.address is missing");
        }
        return (name, None);
    };
    // A file stands beside the configuration, as all files in it do.
    let target = address.value.parse().map(|target| match target {
        Target::File(path) => Target::File(r.folder.join(path)),
        other => other,
    });
    if let Err(e) = &target {
        r.error(address.place, format!("output.address: {e}"));
    }
    let failover = standbys(failover, target.as_ref().ok(), r);
    let output = target.ok().zip(name.as_ref()).map(|(target, name)| OutputConfig {
        name: name.value.clone(),
        enabled,
        address: target,
        failover,
        failback_interval,
        connect_timeout,
        dead_peer_timeout,
        format,
        header,
        framing,
        full,
        include_guesses,
        max_size,
        encoding,
        naming,
        dialect,
        filter,
        tls,
        limits,
        resend_window,
        stall_timeout,
        priority_types,
        pass,
        from,
        heartbeat,
        named_types,
    });
    (name, output)
}

/// `profile`: lines as another product writes them, which must write the format.
fn profile(t: &mut Section<'_>, format: Format, catalog: &Catalog, r: &mut Reader<'_>) -> Option<Dialect> {
    let said = t.string("profile", r);
    t.usual("profile", dialect::NATIVE, r);
    let Placed { value, place } = said?;
    match dialect::dialect(&value, &r.folder, catalog) {
        Ok(Some(dialect)) if dialect.form(format).is_none() => {
            let (formats, format) = (dialect.formats().join(", "), format.key());
            r.error(place, format!("output.profile = {value:?} has no lines of the format {format}: it has {formats}"));
            None
        }
        Ok(found) => found,
        Err(problems) => {
            let placed = |p: Problem| match p.place {
                Some(_) => p,
                None => Problem::error(Some(place.clone()), format!("output.profile: {}", p.text)),
            };
            r.problems.extend(problems.into_iter().map(placed));
            None
        }
    }
}

/// The addresses behind `first`: what is not of its kind, or there already, is an error.
fn standbys(list: Option<Placed<Vec<Placed<String>>>>, first: Option<&Target>, r: &mut Reader<'_>) -> Vec<Target> {
    let Some(Placed { value: list, place }) = list else { return Vec::new() };
    let Some(first) = first else { return Vec::new() };
    if !list.is_empty() && first.connects_to().is_none() {
        r.error(place, "output.failover: expected an address of tcp, tls, relp or relp+tls: others have no connection that could fail");
        return Vec::new();
    }
    let mut found: Vec<Target> = Vec::new();
    for Placed { value, place } in list {
        match value.parse::<Target>() {
            Err(e) => r.error(place, format!("output.failover: {e}")),
            Ok(t) if !t.is_of_kind(first) => {
                let kind = first.to_string();
                let kind = kind.split_once("://").map_or("", |(scheme, _)| scheme);
                r.error(place, format!("output.failover: {value:?}: expected {kind}://HOST:PORT, as in address"));
            }
            Ok(t) if t == *first || found.contains(&t) => {
                r.error(place, format!("output.failover: {value:?} is there already"));
            }
            Ok(t) => found.push(t),
        }
    }
    found
}

/// A list of entry types. It drops nothing, so its entries are no rules of the book; their places are for errors.
fn types(key: &str, list: Listed, named: &mut Vec<(TypeRule, ConfigLocation)>, r: &mut Reader<'_>) -> TypeRules {
    let mut found = TypeRules { send_rule: Some(RuleId(0)), ..TypeRules::default() };
    for item in list.into_iter().flat_map(|l| l.value) {
        match item.value.parse::<TypeRule>() {
            Ok(pattern) => {
                named.push((pattern.clone(), item.place));
                found.send.push(RulePattern { rule: RuleId(0), pattern });
            }
            Err(e) => r.error(item.place, format!("output.{key}: {e}")),
        }
    }
    found
}

type Listed = Option<Placed<Vec<Placed<String>>>>;

fn limits(t: &mut Section<'_>, r: &mut Reader<'_>) -> (Limits, Listed, Option<u8>) {
    let mut m = t.table("meter", r);
    let limits = Limits {
        events_per_second: m.positive("events_per_second", r),
        burst: m.integer("burst", 1..i64::MAX, r).and_then(|n| u64::try_from(n).ok()),
        bytes_per_second: m.size("bytes_per_second", r),
        byte_burst: m.size("byte_burst", r),
        bytes_per_day: m.size("bytes_per_day", r),
        zone: zone(&mut m, r),
    };
    for key in ["events_per_second", "burst", "bytes_per_second", "byte_burst", "bytes_per_day"] {
        m.otherwise(key, if key.ends_with("burst") { "nothing on top" } else { "no limit" }, r);
    }
    let pass_types = m.strings("pass_types", r);
    let pass_severity = m.integer("pass_severity", 0..11, r).and_then(|n| u8::try_from(n).ok());
    m.usual("timezone", limits.zone.name(), r);
    ["pass_types", "pass_severity"].iter().for_each(|key| m.otherwise(key, "nothing", r));
    if (pass_types.is_some() || pass_severity.is_some()) && limits.bytes_per_day.is_none() {
        let place = m.place_of("pass_types", r).or_else(|| m.place_of("pass_severity", r));
        r.problems.push(Problem::error(place, "output.meter: pass_types and pass_severity need bytes_per_day"));
    }
    if let Err(e) = limits.check() {
        let keys = ["events_per_second", "burst", "bytes_per_second", "byte_burst", "bytes_per_day"];
        let place = keys.into_iter().filter(|key| e.to_string().starts_with(key)).find_map(|key| m.place_of(key, r));
        r.problems.push(Problem::error(place, format!("output.meter.{e}")));
    }
    m.finish(r);
    (limits, pass_types, pass_severity)
}
