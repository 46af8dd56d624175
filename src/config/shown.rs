//! What is in force, key by key, and where each value comes from. A reader takes note of it while it reads, so that nothing is shown
//! that the program does not take.
use toml::{Value, de::DeValue};

use super::{read::integer, value};
use crate::{credential, encode::escape::is_hidden, filter::ConfigLocation};

/// One key.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The table that it is in, with the number of each that may be there more than once: `output[1].meter`; empty for none.
    pub table: String,
    /// Its name there.
    pub key: String,
    /// Its value, as it is written; of a key that has none, nothing.
    pub value: Option<Value>,
    /// Where that comes from.
    pub from: Source,
    /// What is secret in it is not shown.
    pub is_masked: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A file says so.
    File {
        /// Where.
        place: ConfigLocation,
        /// The variables that are in it.
        environment: Vec<String>,
        /// The credentials that are in it.
        credentials: Vec<String>,
        /// What it is with the values of the variables, where it is no secret.
        holds: Option<Value>,
    },
    /// Nobody says anything else.
    Default,
    /// It has no value of its own; what counts instead, in words.
    None(String),
}

/// Keys whose values are secret where they come from elsewhere, or hold a secret.
const SECRET: [&str; 4] = ["password", "connection", "properties", "command"];

/// What stands for a secret.
const MASK: &str = "***";

impl Shown {
    /// What a file says of a key. `look` gives the values of variables.
    pub fn said(table: &str, key: &str, said: &DeValue<'_>, place: ConfigLocation) -> Shown {
        let written = written(said);
        let (mut environment, mut credentials) = (Vec::new(), Vec::new());
        origins(&written, &mut environment, &mut credentials);
        let is_secret = SECRET.contains(&key);
        let holds = if environment.is_empty() || is_secret || !credentials.is_empty() {
            None
        } else {
            Some(each_text(&written, &|text| {
                let held =
                    value::expand(text, |name| std::env::var_os(name)).map_or_else(|_| text.to_owned(), |(t, _)| t);
                masked(&held)
            }))
        };
        let shown = each_text(&written, &masked);
        let is_masked = shown != written || is_secret && !environment.is_empty() || !credentials.is_empty();
        let from = Source::File { place, environment, credentials, holds };
        Shown { table: table.to_owned(), key: key.to_owned(), value: Some(shown), from, is_masked }
    }

    /// A key that nobody has said anything of.
    pub fn nothing(table: &str, key: &str) -> Shown {
        let from = Source::None("not given".to_owned());
        Shown { table: table.to_owned(), key: key.to_owned(), value: None, from, is_masked: false }
    }

    /// Where it comes from, in words.
    pub fn origin(&self) -> String {
        match &self.from {
            Source::Default => "default".to_owned(),
            Source::None(words) => words.clone(),
            Source::File { place, environment, credentials, holds } => {
                let mut text = place.to_string();
                for name in environment {
                    text.push_str(&format!(", environment {name}"));
                }
                for name in credentials {
                    text.push_str(&format!(", credential {name}"));
                }
                match holds {
                    Some(value) => text.push_str(&format!(": {}", toml(value))),
                    None if self.is_masked => text.push_str(", masked"),
                    None => {}
                }
                text
            }
        }
    }
}

/// All of it as a configuration, with where each value comes from as comments.
pub fn document(all: &[Shown]) -> String {
    // Tables in the order in which they were read, each in one piece; what is in no table before them.
    let mut order: Vec<&str> = vec![""];
    for s in all {
        let header = header(&s.table);
        if !order.contains(&header) {
            order.push(header);
        }
    }
    let mut text = String::new();
    for wanted in order {
        if !wanted.is_empty() {
            let name = without_numbers(wanted);
            text.push_str(&if wanted.ends_with(']') { format!("\n[[{name}]]\n") } else { format!("\n[{name}]\n") });
        }
        for s in all.iter().filter(|s| header(&s.table) == wanted) {
            let within = s.table.get(wanted.len()..).unwrap_or("").trim_start_matches('.');
            let dot = if within.is_empty() { "" } else { "." };
            let key = format!("{within}{dot}{}", bare(&s.key));
            let origin = crate::log::Visible(s.origin()).to_string();
            text.push_str(&match &s.value {
                Some(value) => format!("{key} = {}  # {origin}\n", toml(value)),
                None => format!("# {key}: {origin}\n"),
            });
        }
    }
    text
}

/// The table whose header stands above: up to the last that has a number, or the outermost.
fn header(table: &str) -> &str {
    match table.rfind(']') {
        Some(end) => table.get(..=end).unwrap_or(table),
        None => table.split('.').next().unwrap_or(table),
    }
}

/// The name of a table without numbers: `output.meter`.
pub fn without_numbers(table: &str) -> String {
    table.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

fn bare(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A value as TOML, in one line, with nothing in it that is not seen.
pub fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let pairs: Vec<String> = table.iter().map(|(k, v)| format!("{} = {}", bare(k), toml(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_hidden(c) => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value as it stands in its file.
fn written(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(s) => Value::String(s.to_string()),
        DeValue::Integer(_) => Value::Integer(integer(value).unwrap_or_default()),
        DeValue::Float(f) => Value::Float(f.as_str().replace('_', "").parse().unwrap_or_default()),
        DeValue::Boolean(b) => Value::Boolean(*b),
        DeValue::Datetime(d) => Value::Datetime(*d),
        DeValue::Array(items) => Value::Array(items.iter().map(|i| written(i.get_ref())).collect()),
        DeValue::Table(t) => {
            Value::Table(t.iter().map(|(k, v)| (k.get_ref().to_string(), written(v.get_ref()))).collect())
        }
    }
}

/// A value with each of its texts changed.
fn each_text(value: &Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => Value::Array(items.iter().map(|v| each_text(v, change)).collect()),
        other => other.clone(),
    }
}

/// The variables and credentials in a value.
fn origins(value: &Value, environment: &mut Vec<String>, credentials: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Ok((expanded, names)) = value::expand(text, |name| std::env::var_os(name)) {
                environment.extend(names);
                if text.starts_with(credential::PREFIX) {
                    credentials.extend(credential::name(&expanded).and_then(Result::ok).map(str::to_owned));
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| origins(v, environment, credentials)),
        _ => {}
    }
}

/// A text without the passwords that stand in it as in a connection string: `PWD=...;`, `password=...`.
pub fn masked(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut out, mut from) = (String::new(), 0);
    while let Some((at, len)) = ["pwd=", "password=", "passphrase="]
        .iter()
        .filter_map(|word| Some((lower.get(from..)?.find(word)? + from, word.len())))
        .min()
    {
        let value = at + len;
        let rest = text.get(value..).unwrap_or("");
        // Within braces a semicolon is part of it, and two closing ones are one of it.
        let end = if rest.starts_with('{') {
            let mut close = rest.replace("}}", "  ");
            close.truncate(close.find('}').map_or(close.len(), |n| n + 1));
            close.len()
        } else {
            rest.find([';', '&', ' ']).unwrap_or(rest.len())
        };
        out.push_str(text.get(from..value).unwrap_or(""));
        if end > 0 {
            out.push_str(MASK);
        }
        from = value + end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_a_connection_string_are_not_shown() {
        for (text, shown) in [
            ("DSN=X;UID=u;PWD=secret;A=b", "DSN=X;UID=u;PWD=***;A=b"),
            ("Pwd={a;b}}c};A=b", "Pwd=***;A=b"),
            ("pwd={open", "pwd=***"),
            ("naming=sql;password=x", "naming=sql;password=***"),
            ("Password=;x", "Password=;x"),
            ("PWD=a;PWD=b", "PWD=***;PWD=***"),
            ("/home/pwd", "/home/pwd"),
            ("\u{20ac}PWD=\u{20ac}", "\u{20ac}PWD=***"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn a_value_is_toml_in_one_line_with_nothing_hidden_in_it() {
        for value in [
            Value::String("a\"b\\c\nd\u{202e}e\u{7f}".to_owned()),
            Value::Array(vec![Value::Integer(-1), Value::Float(0.5), Value::Boolean(true)]),
        ] {
            let text = toml(&value);
            assert!(!text.chars().any(is_hidden), "{text}");
            assert_eq!(format!("x = {text}").parse::<::toml::Table>().unwrap().get("x"), Some(&value));
        }
        assert_eq!(without_numbers("listener[0].sender[12]"), "listener.sender");
        assert_eq!(header("listener[0].sender[12].filter.types"), "listener[0].sender[12]");
    }
}
