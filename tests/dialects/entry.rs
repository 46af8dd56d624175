//! The entry that a published line is about, byte by byte.
use harness::{ebcdic::plain, record::Record};

/// Of its type, with fields of the heading and of its data.
pub fn entry(code: &str, heading: &[(&str, &str)], data: &[(&str, &str)]) -> Record {
    let mut r = Record::new("type5", code);
    for (name, value) in heading {
        match *name {
            "sequence" => r.sequence(value.parse().unwrap()),
            "remote_port" => r.head(name, &plain(&format!("{value:0>5}"))),
            _ => r.head(name, &plain(value)),
        }
    }
    for (name, value) in data {
        match *name {
            "path_name" => {
                r.number("path_name_ccsid", 37);
                r.data("path_name_indicator", &plain("Y"));
                r.counted("path_name", &plain(value));
                r.number("path_name_length", u32::try_from(value.len()).unwrap());
            }
            // A field with its length in front.
            "command_string" if r.data_field(name).kind == "varchar" => r.counted(name, &plain(value)),
            _ => r.data(name, &plain(value)),
        }
    }
    r
}
