use super::*;

fn charset(n: u16) -> &'static Charset {
    Charset::of(Ccsid(n)).unwrap()
}

fn tree(patterns: &[&str], ccsid: u16) -> NameTree<3> {
    let ruled: Vec<_> =
        patterns.iter().zip(0..).map(|(p, i)| RulePattern { rule: RuleId(i), pattern: object(p).unwrap() }).collect();
    NameTree::new(ruled.iter(), charset(ccsid))
}

fn find(t: &NameTree<3>, library: &str, name: &str, ccsid: u16) -> Option<u32> {
    let key = |s: &str| Key::of(&charset(ccsid).encode(s).unwrap());
    t.find(&[key(library), key(name), key("*FILE")]).map(|r| r.0)
}

#[test]
fn exact_generic_and_all_match_as_ibm_writes_them() {
    let t = tree(&["PAYLIB/CUST", "PAY*/CUST*", "QTEMP/*ALL", "*ALL/X*:*PGM", "*all/lower"], 37);
    for (library, name, expected) in [
        ("PAYLIB", "CUST", Some(0)),
        ("PAYLIB", "CUSTOMER", Some(1)),
        ("PAY", "CUST", Some(1)),
        ("PA", "CUST", None),
        ("PAYLIB", "CUS", None),
        ("QTEMP", "ANYTHING", Some(2)),
        ("QTEMPX", "ANYTHING", None),
        ("LIB", "XPGM", None),
        ("LIB", "LOWER", Some(4)),
    ] {
        assert_eq!(find(&t, library, name, 37), expected, "{library}/{name}");
    }
}

#[test]
fn the_first_rule_of_those_that_match_speaks() {
    let t = tree(&["*ALL/*ALL", "PAYLIB/*ALL", "PAYLIB/CUST"], 37);
    assert_eq!(find(&t, "PAYLIB", "CUST", 37), Some(0));
}

#[test]
fn variant_characters_match_in_both_forms() {
    // In CCSID 297 # is X'B1'; the system keeps X'7B' for it in names.
    let t = tree(&["#LIB*/@A$"], 297);
    assert_eq!(find(&t, "#LIB1", "@A$", 297), Some(0));
    let ibm = [Key::of(b"\x7B\xD3\xC9\xC2\xF1"), Key::of(b"\x7C\xC1\x5B"), None];
    assert_eq!(t.find(&ibm).map(|r| r.0), Some(0));
    assert_eq!(find(&tree(&["#*/*ALL"], 37), "#COBLIB", "X", 37), Some(0));
}

#[test]
fn nothing_and_not_applicable_are_no_names() {
    assert_eq!(Key::of(b"\x40\x40"), None);
    assert_eq!(Key::of(b""), None);
    assert_eq!(Key::of(b"\x5C\xD5\x40\x40"), None);
    assert_eq!(Key::of(&[0xC1; 17]), None);
    assert!(Key::of(&[0xC1; 16]).is_some());
}

#[test]
fn malformed_names_are_refused_in_words() {
    for (text, why) in [
        ("PAYLIB", "LIBRARY/OBJECT"),
        ("/tmp/x", "path"),
        ("/tmp", "path"),
        ("A/B/C", "LIBRARY/OBJECT"),
        ("TOOLONGNAME1/X", "at most 10"),
        ("A*B/X", "last character"),
        ("*LIBL/X", "*LIBL"),
        ("A/*", "*ALL"),
        ("A/B C", "cannot stand"),
        ("A/B:FILE", "object type"),
        ("A/", "missing"),
    ] {
        let e = object(text).unwrap_err().0;
        assert!(e.contains(why), "{text}: {e}");
    }
    assert!(job("12A/U/N").is_err() && job("A/B/C/D").is_err() && program("A/B/C").is_err());
    assert_eq!(job("QUSER/QZDA*").unwrap(), [Name::All, Name::Exact("QUSER".into()), Name::Generic("QZDA".into())]);
}

/// The messages word for word.
#[test]
fn what_is_no_name_is_told_word_for_word() {
    const PARTS: &str = "expected LIBRARY/OBJECT, such as PAYLIB/*ALL, PAY*/CUST* or QTEMP/*ALL:*FILE";
    const TYPE: &str = "expected an object type, such as *FILE, *PGM or *ALL";
    const LONG: &str = "a name has at most 10 characters, this one 11";
    for (text, told) in [
        ("", format!(": {PARTS}; *ALL/ for every library")),
        ("PAYLIB", format!("PAYLIB: {PARTS}; *ALL/PAYLIB for every library")),
        ("CUST:*FILE", format!("CUST:*FILE: {PARTS}; *ALL/CUST for every library")),
        ("A/B/C", format!("A/B/C: {PARTS}; *ALL/A/B/C for every library")),
        ("A/B/C:*FILE", format!("A/B/C:*FILE: {PARTS}; *ALL/A/B/C for every library")),
        ("/tmp/x", "/tmp/x: this is a path: it belongs in ifs.exclude or ifs.include".to_owned()),
        ("/", "/: this is a path: it belongs in ifs.exclude or ifs.include".to_owned()),
        ("A/", "a name is missing: it is empty".to_owned()),
        (" /B", "a name is missing: it is empty".to_owned()),
        ("A/*", "* alone is no name: write *ALL".to_owned()),
        ("*libl/X", "*LIBL is no name: expected a name, a generic name such as PAY*, or *ALL".to_owned()),
        ("**/X", "** is no name: expected a name, a generic name such as PAY*, or *ALL".to_owned()),
        ("a*b/X", "A*B: a generic name has one * and it is the last character, such as PAY*".to_owned()),
        ("A**/X", "A**: a generic name has one * and it is the last character, such as PAY*".to_owned()),
        ("X/abcdefghijk", format!("ABCDEFGHIJK: {LONG}")),
        ("X/abcdefghijk*", format!("ABCDEFGHIJK*: {LONG}")),
        ("A/b c", "B C: ' ' cannot stand in a name".to_owned()),
        ("A/b\u{7}", "B\u{7}: '\\u{7}' cannot stand in a name".to_owned()),
        ("A/\"b c\"", "\"b c\": ' ' cannot stand in a name".to_owned()),
        ("A/B:", format!("\"\": {TYPE}")),
        ("A/B:FILE", format!("\"FILE\": {TYPE}")),
        ("A/B:*", format!("\"*\": {TYPE}")),
        ("A/B:*F*", format!("\"*F*\": {TYPE}")),
        ("A/B:*A2345678", format!("\"*A2345678\": {TYPE}")),
        ("A/B:*FILE:*PGM", format!("\"*FILE:*PGM\": {TYPE}")),
        // Of two mistakes the type is told first, then the parts, then the names from the left.
        ("CUST:FILE", format!("\"FILE\": {TYPE}")),
        ("*/A*B", "* alone is no name: write *ALL".to_owned()),
    ] {
        assert_eq!(object(text).unwrap_err().to_string(), told);
    }
    for (text, told) in [
        ("", "a name is missing: it is empty"),
        ("A/B/C", "A/B/C: expected PROGRAM or LIBRARY/PROGRAM"),
        ("A:B", "A:B: ':' cannot stand in a name"),
        ("/A", "a name is missing: it is empty"),
    ] {
        assert_eq!(program(text).unwrap_err().to_string(), told);
    }
    for (text, told) in [
        ("", "a name is missing: it is empty"),
        ("A/B/C/D", "A/B/C/D: expected NAME, USER/NAME or NUMBER/USER/NAME"),
        ("12A/U/N", "12A/U/N: a job number has digits only: NUMBER/USER/NAME"),
        ("12A*/*/N", "12A*/*/N: a job number has digits only: NUMBER/USER/NAME"),
        ("1//N", "a name is missing: it is empty"),
    ] {
        assert_eq!(job(text).unwrap_err().to_string(), told);
    }
}

#[test]
fn names_are_read_as_they_are_meant() {
    let exact = |n: &str| Name::Exact(n.into());
    for (text, want) in [
        (" paylib / cust ", [exact("PAYLIB"), exact("CUST"), Name::All]),
        ("*all/x*: *file ", [Name::All, Name::Generic("X".into()), exact("*FILE")]),
        ("A/B:*all", [exact("A"), exact("B"), Name::All]),
        ("\"a.b\"/§£¥-_.", [exact("\"a.b\""), exact("§£¥-_."), Name::All]),
        ("\"a*/B", [Name::Generic("\"a".into()), exact("B"), Name::All]),
    ] {
        assert_eq!(object(text).unwrap(), want, "{text}");
    }
    assert_eq!(program("x").unwrap(), [Name::All, exact("X")]);
    assert_eq!(job("123*/u/n").unwrap(), [Name::Generic("123".into()), exact("U"), exact("N")]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_names_read_back_as_they_are_shown(
        text in "([A-C\" é]{0,4}[*]?/){0,3}[*]?[1A-C é]{0,4}(:[*]?[A-C]{0,2})?\\PC?",
    ) {
        if let Ok(names @ [library, name, kind]) = object(&text).as_ref() {
            proptest::prop_assert_eq!(&object(&format!("{library}/{name}:{kind}")).unwrap(), names);
        }
        if let Ok(names @ [library, name]) = program(&text).as_ref() {
            proptest::prop_assert_eq!(&program(&format!("{library}/{name}")).unwrap(), names);
        }
        if let Ok(names @ [number, user, name]) = job(&text).as_ref() {
            proptest::prop_assert_eq!(&job(&format!("{number}/{user}/{name}")).unwrap(), names);
        }
    }
}
