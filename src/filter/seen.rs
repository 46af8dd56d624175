//! What rules look at in an event, in words: for explanations.
use std::net::IpAddr;

use super::{
    Dimension, Filter,
    names::Key,
    paths::Path,
    places::{LostPath, PathPlace},
    users,
};
use crate::{decode::journal::heading::Span, event::Event};

impl Filter {
    /// The values that the rules of a dimension are compared with; empty when the event names nothing there.
    pub fn seen(&self, dimension: Dimension, ev: &Event<'_>) -> Vec<String> {
        let Some(places) = self.places(ev) else { return Vec::new() };
        let job = self.charset();
        let text = |key: Option<Key>| key.map(|k| job.decode_string(&k.bytes()));
        let h = ev.entry.heading;
        let head = |span| ev.entry.head(span);
        match dimension {
            Dimension::Types => {
                let code = job.decode_string(&ev.entry.entry_type());
                let detail = job.decode_string(ev.detail_code());
                vec![if detail.is_empty() { code } else { format!("{code}-{detail}") }]
            }
            Dimension::Users => {
                let (effective, job_user) = users(ev);
                [("effective ", effective), ("job ", job_user)]
                    .into_iter()
                    .filter_map(|(word, key)| Some(format!("{word}{}", text(key)?)))
                    .collect()
            }
            Dimension::Objects => {
                let mut found: Vec<String> = places
                    .objects
                    .iter()
                    .filter_map(|o| o.of(&ev.entry))
                    .filter_map(|[library, name, kind]| {
                        let kind = text(kind).map_or(String::new(), |k| format!(":{k}"));
                        Some(format!("{}/{}{kind}", text(library)?, text(name)?))
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
                text(places.system_value.and_then(|s| Key::of(s.of(ev.entry.data)))).into_iter().collect()
            }
            Dimension::Programs => {
                let library = text(Key::of(head(h.program_library)));
                let name = text(Key::of(h.program_name.of(ev.entry.record)));
                name.map(|n| library.map_or(n.clone(), |l| format!("{l}/{n}"))).into_iter().collect()
            }
            Dimension::Jobs => {
                let part = |span: Span| text(Key::of(span.of(ev.entry.record))).unwrap_or_default();
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
