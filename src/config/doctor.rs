//! `[doctor]`: what `qaudjrn doctor` looks at because somebody here says that it is sensitive.
use nom::{
    IResult, Parser,
    bytes::complete::take_while_m_n,
    character::complete::char,
    combinator::{recognize, verify},
    sequence::terminated,
};

use super::{
    live::object_name,
    read::{Reader, Section},
};
use crate::parse::whole;

/// What is called sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorConfig {
    /// Libraries, each with all that is in it.
    pub libraries: Vec<String>,
    /// Objects.
    pub objects: Vec<ObjectName>,
    /// Directories or files of the integrated file system.
    pub paths: Vec<String>,
}

/// A library object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Its library.
    pub library: String,
    /// The name in the library.
    pub name: String,
    /// Its type, with the asterisk.
    pub kind: String,
}

impl ObjectName {
    /// By its parts.
    pub fn new(library: &str, name: &str, kind: &str) -> ObjectName {
        ObjectName { library: library.to_owned(), name: name.to_owned(), kind: kind.to_owned() }
    }

    /// `LIBRARY/NAME:*TYPE`.
    fn parse(text: &str) -> IResult<&str, ObjectName, ()> {
        let letters = take_while_m_n(1, 7, |c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
        let kind = verify(recognize((char('*'), letters)), |kind: &str| kind != "*ALL");
        (terminated(object_name, char('/')), terminated(object_name, char(':')), kind)
            .map(|(library, name, kind)| ObjectName::new(library, name, kind))
            .parse(text)
    }
}

/// Reads the table.
pub fn doctor(s: &mut Section<'_>, r: &mut Reader<'_>) -> DoctorConfig {
    let mut t = s.table("doctor", r);
    let libraries = list(&mut t, "libraries", "a library, such as PAYLIB", r, |text| {
        whole(text.to_uppercase().as_str(), object_name).map(str::to_owned)
    });
    let objects = list(&mut t, "objects", "LIBRARY/OBJECT:*TYPE, such as PAYLIB/PAYMST:*FILE", r, |text| {
        whole(text.to_uppercase().as_str(), ObjectName::parse)
    });
    let paths = list(&mut t, "paths", "an absolute path, such as /home/pay", r, |text| {
        let is_path = text.starts_with('/') && text.len() <= 1_024 && !text.chars().any(char::is_control);
        let end = text.trim_end_matches('/');
        is_path.then(|| if end.is_empty() { "/".to_owned() } else { end.to_owned() })
    });
    t.finish(r);
    DoctorConfig { libraries, objects, paths }
}

fn list<T>(
    t: &mut Section<'_>,
    key: &'static str,
    expected: &str,
    r: &mut Reader<'_>,
    read: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    let items = t.strings(key, r).map(|l| l.value).unwrap_or_default();
    t.usual(key, Vec::<String>::new(), r);
    for item in items {
        match read(item.value.trim()) {
            Some(value) => found.push(value),
            None => r.error(item.place, format!("doctor.{key}: {:?}: expected {expected}", item.value)),
        }
    }
    found
}
