//! `[[output]]`: where lines go, what they look like, and what of the agent's events this one takes.
use super::{
    filter::RuleReader,
    read::{Placed, Reader, Section},
};
use crate::{
    encode::{Format, Header},
    filter::Rules,
    output::{Target, sink::Framing},
};

/// One output.
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// Its name in reports.
    pub name: String,
    /// Where lines go.
    pub address: Target,
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
    /// What it leaves out of what the agent sends.
    pub filter: Rules,
}

/// Reads all outputs. `agent` are the rules of `[filter]`.
pub fn outputs(
    s: &mut Section<'_>,
    agent: &Rules,
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Vec<OutputConfig> {
    let mut found: Vec<OutputConfig> = Vec::new();
    for Placed { value: table, place } in s.tables("output", r) {
        let Some((output, name)) = output(table, &place, agent, rules, r) else { continue };
        if found.iter().any(|o| o.name == output.name) {
            r.error(name, format!("output.name: there are two outputs named {:?}", output.name));
        }
        found.push(output);
    }
    found
}

fn output(
    mut t: Section<'_>,
    at: &crate::filter::Place,
    agent: &Rules,
    rules: &mut RuleReader<'_>,
    r: &mut Reader<'_>,
) -> Option<(OutputConfig, crate::filter::Place)> {
    let name = t.string("name", r);
    let address = t.string("address", r);
    let format = t.choice("format", &Format::ALL.map(|f| (f.key(), f)), r).unwrap_or(Format::Cef);
    let header = t.choice("header", &[Header::Rfc5424, Header::Rfc3164, Header::None].map(|h| (h.key(), h)), r);
    let framing = t.choice("framing", &[("newline", Framing::Newline), ("octet", Framing::Octet)], r);
    let full = t.choice("detail", &[("compact", false), ("full", true)], r).unwrap_or(false);
    let include_guesses = t.boolean("include_guesses", r).is_some_and(|b| b.value);
    let max_size = t.integer("max_size", 480..1_000_001, r).and_then(|n| usize::try_from(n).ok());
    rules.prefix = format!("output {}: ", name.as_ref().map_or("", |n| n.value.as_str()));
    let filter = t.table("filter", r);
    let filter = rules.filter(filter, Some(agent), r);
    rules.prefix.clear();
    t.finish(r);
    let missing = |key: &str, r: &mut Reader<'_>| r.error(at.clone(), format!("output.{key} is missing"));
    let Some(name) = name else {
        missing("name", r);
        return None;
    };
    let Some(address) = address else {
        missing("address", r);
        return None;
    };
    match address.value.parse() {
        Ok(target) => Some((
            OutputConfig {
                name: name.value,
                address: target,
                format,
                header,
                framing,
                full,
                include_guesses,
                max_size,
                filter,
            },
            name.place,
        )),
        Err(e) => {
            r.error(address.place, format!("output.address: {e}"));
            None
        }
    }
}
