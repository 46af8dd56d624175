//! What rules look at in an event, in words: for explanations.
use std::net::IpAddr;

use super::{
    Dimension, Filter,
    names::Key,
    paths::Path,
    places::{LostPath, PathPlace},
    users,
};
use crate::{
    decode::journal::{heading::Span, text},
    event::Event,
};

impl Filter {
    /// The values that the rules of a dimension are compared with; empty when the event names nothing there.
    pub fn seen(&self, dimension: Dimension, ev: &Event<'_>) -> Vec<String> {
        let Some(places) = self.places(ev) else { return Vec::new() };
        let job = self.charset();
        let text_of = |key: Option<Key>| key.map(|k| job.decode_string(&k.bytes()));
        let h = ev.entry.heading;
        let head = |span| ev.entry.head(span);
        match dimension {
            Dimension::Types => {
                let code = job.decode_string(&ev.entry.entry_type());
                let detail = job.decode_string(ev.detail_code());
                vec![if detail.is_empty() { code } else { format!("{code}-{detail}") }]
            }
            Dimension::History => {
                let severity = ev
                    .kind
                    .layout
                    .as_deref()
                    .and_then(|l| text::integer(l.fields.get(l.role("message_severity")?)?, ev.entry.data));
                let mut all = vec![job.decode_string(ev.detail_code())];
                all.extend(severity.map(|n| format!("severity {n}")));
                all.extend(text_of(Key::of(h.job_name.of(ev.entry.record))).map(|n| format!("job {n}")));
                all
            }
            Dimension::Users => {
                let (effective, job_user) = users(ev);
                [("effective ", effective), ("job ", job_user)]
                    .into_iter()
                    .filter_map(|(word, key)| Some(format!("{word}{}", text_of(key)?)))
                    .collect()
            }
            Dimension::Objects => {
                let mut found: Vec<String> = places
                    .objects
                    .iter()
                    .filter_map(|o| o.of(&ev.entry))
                    .filter_map(|[library, name, kind]| {
                        let kind = text_of(kind).map_or(String::new(), |k| format!(":{k}"));
                        Some(format!("{}/{}{kind}", text_of(library)?, text_of(name)?))
                    })
                    .collect();
                if places.is_command && !self.matches_commands() {
                    found.iter_mut().for_each(|o| o.push_str(" (a command: not looked at)"));
                }
                found
            }
            Dimension::Ifs => {
                let Some(layout) = ev.kind.layout.as_deref() else { return Vec::new() };
                let mut path = Path::default();
                let paths = places.paths.iter().filter_map(|p| p.of(layout, &ev.entry, job));
                let mut found = Vec::new();
                for (bytes, set) in paths {
                    if path.decode(bytes, set) {
                        found.push(path.text());
                    }
                }
                found
            }
            Dimension::SystemValues => {
                text_of(places.system_value.and_then(|s| Key::of(s.of(ev.entry.data)))).into_iter().collect()
            }
            Dimension::Programs => {
                let library = text_of(Key::of(head(h.program_library)));
                let name = text_of(Key::of(h.program_name.of(ev.entry.record)));
                name.map(|n| library.map_or(n.clone(), |l| format!("{l}/{n}"))).into_iter().collect()
            }
            Dimension::Jobs => {
                let part = |span: Span| text_of(Key::of(span.of(ev.entry.record))).unwrap_or_default();
                vec![format!("{}/{}/{}", part(h.job_number), part(h.job_user), part(h.job_name))]
            }
            Dimension::Remote => self.remote_address(ev, places).map(|a: IpAddr| a.to_string()).into_iter().collect(),
        }
    }

    /// Why paths are not looked at, though they stand there; empty for the other dimensions.
    pub fn unseen(&self, dimension: Dimension, ev: &Event<'_>) -> Vec<&'static str> {
        let (Dimension::Ifs, Some(places), Some(layout)) = (dimension, self.places(ev), ev.kind.layout.as_deref())
        else {
            return Vec::new();
        };
        let why = |p: &PathPlace| match p.lost(layout, &ev.entry, self.charset())? {
            LostPath::Relative => Some("relative to a directory: not looked at"),
            LostPath::Cut => Some("cut off: not looked at"),
        };
        let mut all: Vec<_> = places.paths.iter().filter_map(why).collect();
        all.dedup();
        all
    }
}
