//! What is proven of a small table, and what is not.
use std::sync::Arc;

use proptest::prelude::*;

use super::{
    Action, FieldReport, TypeReport, Verdict,
    compare::{Column, ColumnKind, Pair, compare},
};
use crate::decode::{
    ebcdic::Charset,
    journal::{Catalog, Heading, HeadingKind, Layout, compose::Composer},
};

const TABLE: &str = r#"
entry_type = "QQ"
title = "t"
[[field]]
name = "entry_type"
j5 = 610
type = "char"
length = 1
values = { A = "a", B = "b" }
[[field]]
name = "user"
column = "USER_PROFILE"
j5 = 611
type = "char"
length = 10
confidence = "expected"
[[field]]
name = "special"
j5 = 621
type = "char"
length = 1
confidence = "guess"
[[field]]
name = "asp_number"
j5 = 622
type = "char"
length = 5
[[field]]
name = "amount"
j5 = 627
type = "bin"
length = 4
confidence = "guess"
[[field]]
name = "file_id"
j5 = 631
type = "hex"
length = 4
[[field]]
name = "path"
j5 = 635
type = "varpath"
length = 102
"#;

fn heading() -> Arc<Heading> {
    Catalog::shipped().unwrap().heading(HeadingKind::Type5).unwrap().clone()
}

/// Entry data of the table.
fn data(code: &str, user: &str, special: &str, asp: &str, amount: u32, id: [u8; 4], path: &str) -> Vec<u8> {
    let ebcdic = Charset::ebcdic(37).unwrap();
    let mut data = ebcdic.encode(&format!("{code:1}{user:10}{special:1}{asp:5}")).unwrap();
    data.extend(amount.to_be_bytes());
    data.extend(id);
    let path: Vec<u8> = path.encode_utf16().flat_map(u16::to_be_bytes).collect();
    data.extend(u16::try_from(path.len()).unwrap().to_be_bytes());
    data.extend(path);
    data
}

fn pair(heading: &Arc<Heading>, number: u64, data: &[u8], stated: usize, theirs: &[&str]) -> Pair {
    let mut composer = Composer::new(heading.clone());
    composer.begin();
    composer.plain("journal_code", "T");
    composer.plain("journal_entry_type", "QQ");
    composer.number("sequence_number", number);
    let record = composer.end(data, stated).to_vec();
    let theirs = theirs.iter().map(|t| (!t.is_empty()).then(|| (*t).to_owned())).collect();
    Pair { id: format!("R:{number}"), record, theirs }
}

fn columns() -> Vec<Column> {
    use ColumnKind::{Bytes, Number, Text, Wide};
    let column = |(name, kind): (&str, ColumnKind)| Column { name: name.into(), kind };
    [
        ("ENTRY_TYPE", Text),
        ("USER_PROFILE", Text),
        ("SPECIAL", Text),
        ("ASP_NUMBER", Number),
        ("AMOUNT", Number),
        ("FILE_ID", Bytes),
        ("PATH", Wide),
        ("ENTRY_TYPE_DETAIL", Text),
    ]
    .map(column)
    .into()
}

fn judged(rows: &[(Vec<u8>, [&str; 8])]) -> TypeReport {
    let heading = heading();
    let pairs: Vec<Pair> =
        rows.iter().zip(1..).map(|((data, theirs), n)| pair(&heading, n, data, data.len(), theirs)).collect();
    compare(&Layout::parse(TABLE).unwrap(), &heading, Charset::ebcdic(37).unwrap(), &columns(), &pairs)
}

#[track_caller]
fn field<'r>(report: &'r TypeReport, name: &str) -> &'r FieldReport {
    report.fields.iter().find(|f| f.field == name).unwrap()
}

/// Three entries, of which IBM says what it says of such: null for blank, words for codes, integers, hexadecimal digits.
fn right() -> Vec<(Vec<u8>, [&'static str; 8])> {
    vec![
        (
            data("A", "ANNA", "Y", "00001", 7, [1, 2, 3, 4], "/home/anna"),
            ["A", "ANNA", "YES", "1", "7", "01020304", "/home/anna", "x"],
        ),
        (
            data("B", "BOB", "N", "00033", 70_000, [0xFF, 0, 0, 1], "/tmp"),
            ["B", "BOB", "NO", "33", "70000", "FF000001", "/tmp", "y"],
        ),
        (data("A", "", "", "", 0, [0; 4], ""), ["A", "", "", "", "", "", "", "x"]),
    ]
}

#[test]
fn what_is_right_agrees_whatever_ibm_writes_for_it() {
    let report = judged(&right());
    assert!(report.fields.iter().all(|f| f.verdict == Verdict::Agree && f.different == 0), "{report:#?}");
    assert_eq!((report.entries, report.columns_without_field.as_slice()), (3, &["ENTRY_TYPE_DETAIL".to_owned()][..]));
    let action = |name: &str| field(&report, name).action;
    assert_eq!(["user", "special", "amount"].map(action), [Action::Promote, Action::None, Action::Promote]);
    // Words for two bytes that each came once prove nothing; twice they do.
    assert_eq!(field(&report, "special").why, "too few entries for words: not promoted");
    let twice: Vec<_> = right().into_iter().chain(right()).collect();
    assert_eq!(field(&judged(&twice), "special").action, Action::Promote);
    assert_eq!(["entry_type", "asp_number", "file_id", "path"].map(action), [Action::None; 4], "these count as seen");
    assert_eq!(field(&report, "user").column, "USER_PROFILE");
    let codes: Vec<(&str, &str)> =
        field(&report, "special").codes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(codes, [("", ""), ("N", "NO"), ("Y", "YES")]);
}

#[test]
fn one_value_proves_no_place() {
    let one = right().remove(0);
    let report = judged(&[one.clone(), one]);
    assert_eq!((field(&report, "user").verdict, field(&report, "user").action), (Verdict::Agree, Action::None));
    assert_eq!(field(&report, "user").why, "one value only: not promoted");
    let special = field(&report, "special");
    assert_eq!(special.verdict, Verdict::NotComparable);
    assert_eq!(special.why, "one code only, which IBM writes as a word");
}

#[test]
fn a_word_for_blank_alone_is_no_difference_of_a_flag() {
    let mut row = right().remove(2);
    row.1[2] = "NO";
    let report = judged(&[row]);
    let special = field(&report, "special");
    assert_eq!((special.verdict, special.action), (Verdict::NotComparable, Action::None));
}

#[test]
fn what_differs_once_is_turned_off_and_shown() {
    let mut rows = right();
    rows[1].1[1] = "OBB";
    rows[1].1[4] = "70001";
    rows[2].1[5] = "00000001";
    let report = judged(&rows);
    for name in ["user", "amount", "file_id"] {
        let found = field(&report, name);
        assert_eq!((found.verdict, found.action, found.different), (Verdict::Differ, Action::TurnOff, 1), "{name}");
    }
    let example = field(&report, "user").example.clone().unwrap();
    assert_eq!((example.entry_id.as_str(), example.ours.as_str(), example.theirs.as_str()), ("R:2", "BOB", "OBB"));
    let example = field(&report, "file_id").example.clone().unwrap();
    assert_eq!((example.ours.as_str(), example.theirs.as_str()), ("", "00000001"));
}

#[test]
fn a_code_that_is_once_this_and_once_that_differs() {
    let mut rows = right();
    rows.push((data("A", "EVE", "Y", "", 1, [0; 4], ""), ["A", "EVE", "NO", "", "1", "", "", "x"]));
    let report = judged(&rows);
    assert_eq!(
        (field(&report, "special").verdict, field(&report, "special").action),
        (Verdict::Differ, Action::TurnOff)
    );
    // Two codes with one word are no proof either.
    let mut rows = right();
    rows[1].1[2] = "YES";
    assert_eq!(field(&judged(&rows), "special").verdict, Verdict::Differ);
}

#[test]
fn a_field_at_the_wrong_place_is_no_code_of_another() {
    // Read a byte too far, each text still has one of IBM's: that must not count as IBM's word for it.
    let text = TABLE.replace("j5 = 611\ntype = \"char\"\nlength = 10", "j5 = 612\ntype = \"char\"\nlength = 3");
    let heading = heading();
    let pairs: Vec<Pair> = right().iter().zip(1..).map(|((d, t), n)| pair(&heading, n, d, d.len(), t)).collect();
    let report = compare(&Layout::parse(&text).unwrap(), &heading, Charset::ebcdic(37).unwrap(), &columns(), &pairs);
    assert_eq!((field(&report, "user").verdict, field(&report, "user").action), (Verdict::Differ, Action::TurnOff));
}

#[test]
fn null_where_ours_has_a_value_proves_nothing_and_promotes_nothing() {
    let mut rows = right();
    rows[0].1[1] = "";
    let user = judged(&rows);
    let user = field(&user, "user");
    assert_eq!((user.verdict, user.action, user.only_ours, user.equal), (Verdict::Agree, Action::None, 1, 1));
    assert_eq!(user.why, "null in IBM's column in 1 entry where ours has a value");
    rows[1].1[1] = "";
    let user = judged(&rows);
    assert_eq!(
        (field(&user, "user").verdict, field(&user, "user").why.as_str()),
        (Verdict::NotComparable, "IBM's column is null")
    );
}

#[test]
fn special_values_and_relative_paths_are_no_differences() {
    let mut rows = right();
    rows[2].1[1] = "*SYSBAS";
    rows[0] = (
        data("A", "ANNA", "Y", "00001", 7, [1, 2, 3, 4], "anna/x"),
        ["A", "ANNA", "YES", "1", "7", "01020304", "/home/anna/x", "x"],
    );
    let report = judged(&rows);
    assert_eq!(field(&report, "user").verdict, Verdict::Agree);
    assert_eq!(field(&report, "path").verdict, Verdict::Agree);
    assert_eq!(field(&report, "path").equal, 1);
}

#[test]
fn what_the_data_does_not_reach_is_not_compared() {
    let heading = heading();
    let (whole, theirs) = right().remove(0);
    let layout = Layout::parse(TABLE).unwrap();
    let job = Charset::ebcdic(37).unwrap();
    // Cut on the way, as entry data beyond 16,000 bytes is: nothing is known of the rest.
    let cut = pair(&heading, 1, &whole[..15], whole.len(), &theirs);
    let report = compare(&layout, &heading, job, &columns(), &[cut]);
    assert_eq!(field(&report, "entry_type").equal, 1);
    for name in ["asp_number", "amount", "file_id", "path"] {
        assert_eq!(
            (field(&report, name).verdict, field(&report, name).different),
            (Verdict::NotComparable, 0),
            "{name}"
        );
    }
    // Written that short by an older release: the field is not there, and a column that says something differs.
    let short = pair(&heading, 1, &whole[..15], 15, &theirs);
    let report = compare(&layout, &heading, job, &columns(), &[short]);
    assert_eq!(field(&report, "file_id").verdict, Verdict::Differ);
}

#[test]
fn a_field_without_a_column_is_told_which_column_has_its_values() {
    let heading = heading();
    let mut columns = columns();
    columns[1].name = "PROFILE".into();
    columns[3].name = "X".into();
    let pairs: Vec<Pair> = right().iter().zip(1..).map(|((d, t), n)| pair(&heading, n, d, d.len(), t)).collect();
    let report = compare(&Layout::parse(TABLE).unwrap(), &heading, Charset::ebcdic(37).unwrap(), &columns, &pairs);
    assert_eq!(field(&report, "user").why, "no column of this name; PROFILE has the same values");
    assert_eq!(field(&report, "asp_number").why, "no column of this name; X has the same values");
    assert_eq!(report.columns_without_field, ["PROFILE", "X", "ENTRY_TYPE_DETAIL"]);
}

proptest! {
    /// Whatever a system answers and whatever stands in the entry data: a verdict, and never a field that agrees where one differs.
    #[test]
    fn nothing_that_is_answered_stops_it(
        rows in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..160), proptest::collection::vec(proptest::option::of(".{0,12}"), 0..10)), 0..12)
    ) {
        let heading = heading();
        let pairs: Vec<Pair> = rows.iter().zip(1..).map(|((data, theirs), n)| Pair { theirs: theirs.clone(), ..pair(&heading, n, data, data.len(), &[]) }).collect();
        for columns in [columns(), Vec::new()] {
            let report = compare(&Layout::parse(TABLE).unwrap(), &heading, Charset::ebcdic(37).unwrap(), &columns, &pairs);
            for f in &report.fields {
                prop_assert_eq!(f.verdict == Verdict::Differ, f.different > 0 && f.example.is_some() && f.action == Action::TurnOff);
                prop_assert!(f.action != Action::Promote || f.equal > 0);
            }
        }
    }
}
