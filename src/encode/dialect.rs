//! A profile of another product: the header, event ids and keys that parsers of its lines know. Data, from
//! `formats/dialects/NAME.toml` or a file of the user; `docs/PROFILES.md` says what is in one. The agent's own lines are none of it:
//! where their values stand is [`super::Profile`].
use std::fmt;

use super::{Format, Header};

/// A profile of another product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// As the configuration names it.
    pub name: String,
    /// The formats that the product writes.
    pub forms: Vec<(FormKind, Form)>,
    /// What it calls single events; the narrowest counts.
    pub events: Vec<EventRow>,
    /// Words for values, by the name of their table.
    pub words: Vec<(String, Vec<(String, String)>)>,
}

/// The formats that a profile can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKind {
    /// CEF:0.
    Cef,
    /// LEEF 1.0 and 2.0.
    Leef,
    /// Structured data.
    Syslog,
}

/// A line of the product in one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Vendor in CEF and LEEF.
    pub vendor: String,
    /// Product in CEF and LEEF.
    pub product: String,
    /// Version in CEF and LEEF; `None` where it is a fact of the system that no entry holds.
    pub version: Option<String>,
    /// What an event is called by; of constants only. Where one of them has no value, the agent's own event id counts.
    pub event_id: Template,
    /// CEF's name of an event. Where a value of it is missing, its title counts.
    pub name: Template,
    /// CEF's severity as a word (Low, Medium, High, Very-High) and not as a number.
    pub severity_words: bool,
    /// The header unless the output says another; the format's where there is none.
    pub header: Option<Header>,
    /// The syslog facility.
    pub facility: Option<u8>,
    /// APP-NAME or tag.
    pub app_name: Option<String>,
    /// The id of the structured data; of constants only.
    pub sd_id: Template,
    /// Keys in the order of the line. Of several rows with one key, the first counts whose values are all there.
    pub keys: Vec<KeyRow>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The key.
    pub key: String,
    /// CEF: the text of its Label key.
    pub label: Option<String>,
    /// Its value.
    pub value: Template,
    /// Entry types that have it, `*AUDIT` for all of the audit journal, `QHST` for messages of the history log; empty for all.
    pub types: Vec<String>,
    /// It is there without a value too.
    pub blank: bool,
}

/// What a product says of single events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// An event id of ours (`AF-A`), an entry type (`AF`), a message id, or `QHST`.
    pub id: String,
    /// In place of the form's event id.
    pub event_id: Option<Template>,
    /// In place of the form's name.
    pub name: Option<Template>,
    /// What `{title}` says.
    pub title: Option<String>,
    /// What `{meaning}` says.
    pub meaning: Option<String>,
    /// CEF's severity, a number or a word.
    pub severity: Option<String>,
    /// The severity in the syslog header, 0 to 7.
    pub syslog_severity: Option<u8>,
}

/// Text with places for values: `{object}`, `{object:name}`, `{device?}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// A value.
    Value {
        /// A constant of the event ([`CONSTANTS`]), a value of the event model, or a field of the layout.
        name: String,
        /// What is taken of it ([`THROUGH`]), or the table of words in which it is looked up.
        through: Option<String>,
        /// The text is right without it too.
        is_optional: bool,
    },
}

/// What does not depend on the values of an entry.
pub const CONSTANTS: [&str; 10] =
    ["code", "type", "detail", "letter", "title", "meaning", "event_id", "severity", "log", "outcome"];

/// What can be taken of a value, by its name.
pub const THROUGH: [&str; 11] =
    ["ip", "ipv4", "ipv6", "port", "library", "name", "number", "user", "digits", "db2", "rfc3339"];

/// The forms of a time among them.
pub const TIMES: [&str; 3] = ["digits", "db2", "rfc3339"];

impl Dialect {
    /// The line of a format, where the product writes it.
    pub fn form(&self, format: Format) -> Option<&Form> {
        let kind = FormKind::of(format)?;
        self.forms.iter().find(|(k, _)| *k == kind).map(|(_, form)| form)
    }

    /// The formats that it has, as the configuration writes them.
    pub fn formats(&self) -> Vec<&'static str> {
        let has = |format: &Format| self.form(*format).is_some();
        Format::ALL.iter().filter(|f| has(f)).map(|f| f.key()).collect()
    }

    /// The rows of an event, the narrowest first.
    pub(super) fn rows<'a>(&'a self, event_id: &'a str, entry_type: &'a str) -> impl Iterator<Item = &'a EventRow> {
        let of = move |id: &'a str| self.events.iter().filter(move |row| row.id == id);
        of(event_id).chain(of(entry_type).filter(move |_| entry_type != event_id))
    }
}

impl FormKind {
    /// That of a format; JSON has none.
    pub fn of(format: Format) -> Option<FormKind> {
        match format {
            Format::Cef => Some(FormKind::Cef),
            Format::Leef | Format::Leef2 => Some(FormKind::Leef),
            Format::Syslog => Some(FormKind::Syslog),
            Format::Json => None,
        }
    }

    /// The table of a profile that describes it.
    pub fn table(self) -> &'static str {
        match self {
            FormKind::Cef => "cef",
            FormKind::Leef => "leef",
            FormKind::Syslog => "syslog",
        }
    }
}

impl KeyRow {
    /// Whether events of a type (`QHST` for messages of the history log, empty for no type of the audit journal) have it.
    pub(super) fn is_of(&self, entry_type: &str) -> bool {
        let is_audit = !entry_type.is_empty() && entry_type != crate::decode::history::CATEGORY;
        let has = |t: &String| t == entry_type || is_audit && t == "*AUDIT";
        self.types.is_empty() || self.types.iter().any(has)
    }
}

impl Template {
    /// Reads one. `{{` and `}}` are braces.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(behind) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(from.get(..1).unwrap_or(""));
                rest = behind;
                continue;
            }
            let Some((inside, behind)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) else {
                return Err(format!("{from:?}: expected a value such as {{object}}; a brace itself is written twice"));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(value(inside)?);
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }

    /// The names of its values, and what is taken of each.
    pub fn values(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().filter_map(|part| match part {
            Part::Value { name, through, .. } => Some((name.as_str(), through.as_deref())),
            Part::Text(_) => None,
        })
    }
}

fn value(inside: &str) -> Result<Part, String> {
    let is_word = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (said, is_optional) = inside.strip_suffix('?').map_or((inside, false), |said| (said, true));
    let (name, through) = said.split_once(':').map_or((said, None), |(name, through)| (name, Some(through)));
    if !is_word(name) || through.is_some_and(|t| !is_word(t)) {
        return Err(format!(
            "{{{inside}}}: expected {{NAME}}, {{NAME:PART}} or {{NAME?}} of letters, digits and _; a brace itself is written twice"
        ));
    }
    Ok(Part::Value { name: name.to_owned(), through: through.map(str::to_owned), is_optional })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Part::Value { name, through, is_optional } => {
                    let through = through.as_ref().map_or(String::new(), |t| format!(":{t}"));
                    write!(f, "{{{name}{through}{}}}", if *is_optional { "?" } else { "" })?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_with_places_for_values() {
        for text in ["", "T-{type}", "{object:name}/{device?}{x:y?}", "a {{b}} {c}"] {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
        let parsed = Template::parse("a{{{b:port}").unwrap();
        assert_eq!(parsed.values().collect::<Vec<_>>(), [("b", Some("port"))]);
        assert_eq!(parsed.0.first(), Some(&Part::Text("a{".to_owned())));
        for (text, said) in [
            ("{", "\"{\": expected a value such as {object}"),
            ("a}", "\"}\": expected a value"),
            ("{a b}", "{a b}: expected {NAME}"),
            ("{}", "{}: expected {NAME}"),
            ("{a:}", "{a:}: expected {NAME}"),
            ("{?}", "{?}: expected {NAME}"),
        ] {
            let e = Template::parse(text).unwrap_err();
            assert!(e.starts_with(said), "{text}: {e}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_template_panics_and_one_that_is_read_is_written_the_same(text in "[{}a-z:? |=\u{20ac}]{0,30}") {
            if let Ok(template) = Template::parse(&text) {
                proptest::prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
