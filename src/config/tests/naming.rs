//! Vendor, product, version and fields of one output: what is read, and what is refused with its place and an advice.
use super::*;
use crate::encode::{Format, HeadingDefaults, Profile};

fn output(rest: &str) -> String {
    format!("[line]\nvendor = \"we\"\nproduct = \"ours\"\n[[output]]\nname = \"o\"\naddress = \"null\"\n{rest}")
}

#[test]
fn an_output_says_its_own_names_and_fields_and_the_others_stay_as_they_are() {
    let text = output("vendor = \"they\"\nversion = \"7.5\"\nfields.site = \"Köln\"\nfields.floor = \"2\"\n")
        + "[[output]]\nname = \"p\"\naddress = \"null\"\n";
    let config = parse(&text);
    assert_eq!(config.problems, vec![]);
    let profile = Profile::native().unwrap();
    let of = |name: &str| {
        let o = config.output(name).unwrap();
        o.settings(o.format, &config.line, &profile, HeadingDefaults::default())
    };
    let (o, p) = (of("o"), of("p"));
    assert_eq!((o.vendor.as_str(), o.product.as_str(), o.version.as_str()), ("they", "ours", "7.5"));
    assert_eq!((p.vendor.as_str(), p.product.as_str(), p.fields.len()), ("we", "ours", 0));
    assert_eq!(o.fields, [("floor".to_owned(), "2".to_owned()), ("site".to_owned(), "Köln".to_owned())]);
}

#[test]
fn a_field_that_would_break_or_double_a_line_is_refused_where_it_stands() {
    for (format, field, said) in [
        (
            "cef",
            "suser = \"x\"",
            "7:8: error: output.fields.suser: lines of this output have a key of this name already: take another, such as siteSuser",
        ),
        ("cef", "CS1LABEL = \"x\"", "7:8: error: output.fields.CS1LABEL: lines of this output have a key"),
        (
            "cef",
            "my_site = \"x\"",
            "7:8: error: output.fields.my_site: a name in cef has 1 to 32 letters and digits, a letter first",
        ),
        ("leef", "usrName = \"x\"", "7:8: error: output.fields.usrName: lines of this output have"),
        ("leef", "lagSeconds = \"x\"", "7:8: error: output.fields.lagSeconds: lines of this output have"),
        (
            "leef",
            "site = \"a|b\"",
            "7:15: error: output.fields.site = \"a|b\": expected a text without |, for which LEEF has no escape",
        ),
        ("leef2", "site = \"a^b\"", "7:15: error: output.fields.site = \"a^b\": expected a text without | and ^"),
        ("syslog", "objectaspname = \"x\"", "7:8: error: output.fields.objectaspname: lines of this output have"),
        ("json", "object_asp_name = \"x\"", "7:8: error: output.fields.object_asp_name: lines of this output have"),
        ("json", "\"a b\" = \"x\"", "7:8: error: output.fields.a b: a name in json has"),
        ("json", "site = 5", "7:8: error: output.fields.site: expected a text in quotes, got 5"),
        ("json", "site = \"\"", "7:15: error: output.fields.site = \"\": expected 1 to 255 bytes"),
        (
            "json",
            "site = \"a\\nb\"",
            "7:15: error: output.fields.site = \"a\\nb\": expected a text without control characters",
        ),
    ] {
        let all = problems(&output(&format!("fields.{field}\nformat = \"{format}\"\n")));
        assert_eq!(all.len(), 1, "{field}: {all:?}");
        assert!(all[0].contains(said), "{said}\n{}", all[0]);
    }
    let all = problems(&output("fields.site = \"a\"\nfields.SITE = \"b\"\n"));
    assert!(all.len() == 1 && all[0].contains("receivers fold case"), "{all:?}");
    let long = "x".repeat(200);
    let text = output(&format!("fields.a1 = \"{long}\"\nfields.a2 = \"{long}\"\nmax_size = 1000\n"));
    let all = problems(&text);
    assert!(all.len() == 1 && all[0].contains("they take 412 bytes of every line, and 250 of the 1000"), "{all:?}");
    assert_eq!(problems(&text.replace("1000", "2000")), Vec::<String>::new());
    assert!(problems(&output("vendor = \"a|b\"\n"))[0].contains("output.vendor: expected 1 to 40 bytes"));
}

#[test]
fn the_fields_stand_once_in_the_lines_of_entries_and_of_the_agent_in_every_format() {
    let profile = Profile::native().unwrap();
    let notice = crate::event::Notice::new(crate::event::notice::START, "PROD01", 0, chrono_tz::UTC);
    for (format, field) in [
        (Format::Cef, "site=a\\=b"),
        (Format::Leef, "\tsite=a=b"),
        (Format::Leef2, "^site=a=b"),
        (Format::Syslog, " site=\"a=b\""),
        (Format::Json, ",\"site\":\"a=b\""),
    ] {
        let config = parse(&output(&format!("fields.site = \"a=b\"\nformat = \"{}\"\n", format.key())));
        assert_eq!(config.problems, vec![]);
        let s = config.outputs[0].settings(format, &config.line, &profile, HeadingDefaults::default());
        let mut line = Vec::new();
        crate::encode::notice::put(&notice, &s, &profile, &mut line);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.matches(field).count(), 1, "{line}");
    }
}
