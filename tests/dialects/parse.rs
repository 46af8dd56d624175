//! A line as a receiver takes it apart: syslog header, header of the format, keys. From the published rules, more lenient than
//! `harness::parse`, because published lines break some.

/// A line in parts; what is not there is empty.
#[derive(Debug, Default)]
pub struct Line {
    pub pri: String,
    pub time: String,
    pub host: String,
    pub tag: String,
    /// CEF: seven parts. Structured data: the id.
    pub header: Vec<String>,
    pub pairs: Vec<(String, String)>,
}

pub fn parse(text: &str) -> Line {
    let mut line = Line::default();
    let at = ["CEF:", "["].iter().filter_map(|b| text.find(b)).min().expect("a body");
    let (mut head, body) = text.split_at(at);
    if let Some((pri, rest)) = head.strip_prefix('<').and_then(|h| h.split_once('>')) {
        line.pri = pri.to_owned();
        head = rest;
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    match words.as_slice() {
        // RFC 5424.
        ["1", time, host, ..] => (line.time, line.host) = ((*time).to_owned(), (*host).to_owned()),
        // RFC 3164; the day may be padded with a blank.
        [month, day, time, host, tag @ ..] => {
            line.time = format!("{month} {day} {time}");
            line.host = (*host).to_owned();
            line.tag = tag.concat();
        }
        _ => {}
    }
    if body.starts_with('[') {
        structured(body, &mut line)
    } else {
        cef(body, &mut line)
    }
    line
}

fn cef(body: &str, line: &mut Line) {
    let mut part = String::new();
    let mut chars = body.chars();
    while line.header.len() < 7 {
        match chars.next().expect("seven parts") {
            '|' => line.header.push(std::mem::take(&mut part)),
            '\\' => part.extend(chars.next()),
            c => part.push(c),
        }
    }
    let extension = chars.as_str().trim_start();
    // A word before a `=` that no backslash stands before begins a key.
    let mut starts = Vec::new();
    for (at, _) in extension.match_indices('=') {
        let before = &extension[..at];
        let key = before.rfind(' ').map_or(0, |blank| blank + 1);
        if !before.ends_with('\\') && !before[key..].is_empty() {
            starts.push((key, at));
        }
    }
    for (n, (key, at)) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map_or(extension.len(), |(next, _)| next - 1);
        let value = extension[at + 1..end].trim_end().replace("\\=", "=").replace("\\\\", "\\");
        line.pairs.push((extension[*key..*at].to_owned(), value));
    }
}

fn structured(body: &str, line: &mut Line) {
    let inside = body.strip_prefix('[').expect("an element");
    let (id, mut rest) = inside.split_once(' ').expect("an id");
    line.header.push(id.to_owned());
    while let Some((key, behind)) = rest.split_once("=\"") {
        let (value, more) = behind.split_once('"').expect("the end of a value");
        line.pairs.push((key.trim().to_owned(), value.to_owned()));
        rest = more;
    }
    assert_eq!(rest.trim(), "]", "nothing stands behind the element");
}

/// What is different in our line, in the order of theirs, sorted. Where they show no syslog header, ours is not compared.
pub fn differences(theirs: &Line, ours: &Line) -> Vec<String> {
    let mut found = Vec::new();
    for (name, theirs, ours) in [
        ("pri", &theirs.pri, &ours.pri),
        ("time", &theirs.time, &ours.time),
        ("host", &theirs.host, &ours.host),
        ("tag", &theirs.tag, &ours.tag),
    ] {
        if !theirs.is_empty() && theirs != ours {
            found.push(format!("{name} {theirs} -> {ours}"));
        }
    }
    assert_eq!(theirs.header.len(), ours.header.len());
    for (theirs, ours) in theirs.header.iter().zip(&ours.header).filter(|(t, o)| t != o) {
        found.push(format!("header {theirs} -> {ours}"));
    }
    let get = |line: &Line, key: &str| line.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    for (key, value) in &theirs.pairs {
        match get(ours, key) {
            None => found.push(format!("missing {key}={value}")),
            Some(own) if own != *value => found.push(format!("value of {key}: {value} -> {own}")),
            Some(_) => {}
        }
    }
    found.extend(ours.pairs.iter().filter(|(k, _)| get(theirs, k).is_none()).map(|(k, v)| format!("more {k}={v}")));
    // The keys that both have stand in one order.
    let order = |line: &Line, other: &Line| -> Vec<String> {
        line.pairs.iter().map(|(k, _)| k.clone()).filter(|k| get(other, k).is_some()).collect()
    };
    if order(theirs, ours) != order(ours, theirs) {
        found.push("order".to_owned());
    }
    found.sort();
    found
}
