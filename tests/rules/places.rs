//! `system_values`, `programs`, `jobs` and `remote`.
use super::bench::{Bench, any, by, data, head, object, system_value};
use harness::record::Record;

#[test]
fn r39_system_values_are_excluded_for_sv_entries_only() {
    let bench = Bench::new([
        ("QDATFMT", system_value("QDATFMT")),
        ("QPRTDEV", system_value("QPRTDEV")),
        ("QPRTTXT", system_value("QPRTTXT")),
        ("QTIME", system_value("QTIME")),
        ("none", any("SV")),
        ("object", object("ZC", "QSYS/QDATFMT:*DTAARA")),
        ("command", data(any("CD"), "object_name", "QTIME")),
    ]);
    bench.table(&[
        (
            "a name",
            r#"system_values.exclude = ["QTIME"]"#,
            "QDATFMT QPRTDEV QPRTTXT none object command",
            &[("system_values.exclude QTIME", "QTIME")],
        ),
        (
            "generic names",
            "system_values.exclude = [\n  \"QDATFMT\",\n  \"QPRT*\",\n]",
            "QTIME none object command",
            &[("system_values.exclude QDATFMT", "QDATFMT"), ("system_values.exclude QPRT*", "QPRTDEV QPRTTXT")],
        ),
        (
            "an include beats an exclude",
            "system_values.exclude = [\"*ALL\"]\nsystem_values.include = [\"QPRTT*\", \"QTIME\"]",
            "QPRTTXT QTIME none object command",
            &[("system_values.exclude *ALL", "QDATFMT QPRTDEV")],
        ),
    ]);
}

#[test]
fn r25_programs_are_excluded_by_name_and_library() {
    let run_by =
        |library: &str, program: &str| head(head(any("ZR"), "program_name", program), "program_library", library);
    let bench = Bench::new([
        ("pay100", run_by("PAYLIB", "PAY100")),
        ("pay200", run_by("PAYLIB", "PAY200")),
        ("test100", run_by("TESTLIB", "PAY100")),
        ("qcmd", run_by("QSYS", "QCMD")),
        ("no-library", run_by("", "PAY100")),
        ("no-program", run_by("PAYLIB", "")),
        ("star-n", run_by("PAYLIB", "*N")),
    ]);
    bench.table(&[
        (
            "a name in every library",
            r#"programs.exclude = ["PAY100"]"#,
            "pay200 qcmd no-program star-n",
            &[("programs.exclude PAY100", "pay100 test100 no-library")],
        ),
        (
            "in one library",
            r#"programs.exclude = ["PAYLIB/PAY100"]"#,
            "pay200 test100 qcmd no-library no-program star-n",
            &[("programs.exclude PAYLIB/PAY100", "pay100")],
        ),
        (
            "generic",
            r#"programs.exclude = ["PAY1*", "Q*/Q*"]"#,
            "pay200 no-program star-n",
            &[("programs.exclude PAY1*", "pay100 test100 no-library"), ("programs.exclude Q*/Q*", "qcmd")],
        ),
        (
            "all of a library but one",
            "programs.exclude = [\"PAYLIB/*ALL\"]\nprograms.include = [\"PAYLIB/PAY200\"]",
            "pay200 test100 qcmd no-library no-program star-n",
            &[("programs.exclude PAYLIB/*ALL", "pay100")],
        ),
    ]);
}

#[test]
fn r25_jobs_are_excluded_by_name_user_and_number() {
    let job = |number: &str, user: &str, name: &str| {
        by(head(head(any("ZR"), "job_number", number), "job_name", name), "BILL", user)
    };
    let bench = Bench::new([
        ("ftp1", job("123456", "QTCP", "QTFTP00231")),
        ("ftp2", job("123457", "QTCP", "QTFTP00232")),
        ("night", job("123458", "BILL", "NIGHT")),
        ("alice-night", job("123459", "ALICE", "NIGHT")),
        ("none", job("000000", "", "")),
    ]);
    bench.table(&[
        ("a name", r#"jobs.exclude = ["NIGHT"]"#, "ftp1 ftp2 none", &[("jobs.exclude NIGHT", "night alice-night")]),
        ("generic", r#"jobs.exclude = ["QTFTP*"]"#, "night alice-night none", &[("jobs.exclude QTFTP*", "ftp1 ftp2")]),
        (
            "with the user, who is the job user",
            r#"jobs.exclude = ["ALICE/NIGHT"]"#,
            "ftp1 ftp2 night none",
            &[("jobs.exclude ALICE/NIGHT", "alice-night")],
        ),
        (
            "every job of a user",
            r#"jobs.exclude = ["QTCP/*ALL"]"#,
            "night alice-night none",
            &[("jobs.exclude QTCP/*ALL", "ftp1 ftp2")],
        ),
        (
            "with user and number",
            r#"jobs.exclude = ["123457/QTCP/QTFTP00232", "123457/QTCP/NIGHT", "1/BILL/NIGHT"]"#,
            "ftp1 night alice-night none",
            &[("jobs.exclude 123457/QTCP/QTFTP00232", "ftp2")],
        ),
        (
            "an include beats an exclude",
            "jobs.exclude = [\"*ALL\"]\njobs.include = [\"ALICE/N*\", \"QTFTP00231\"]",
            "ftp1 alice-night none",
            &[("jobs.exclude *ALL", "ftp2 night")],
        ),
    ]);
}

fn from(address: &str) -> Record {
    head(any("ZR"), "remote_address", address)
}

#[test]
fn r25_remote_addresses_are_excluded_by_network() {
    let bench = Bench::new([
        ("10.1.2.3", from("10.1.2.3")),
        ("10.1.2.30", from("10.1.2.30")),
        ("10.255.0.1", from("10.255.0.1")),
        ("11.0.0.1", from("11.0.0.1")),
        ("mapped", from("::FFFF:10.1.2.3")),
        ("mapped-hex", from("::ffff:0a01:0203")),
        ("v6", from("2001:db8::1")),
        ("v6-long", from("2001:0DB8:0000:0000:0000:0000:0000:0001")),
        ("v6-other", from("2001:db9::1")),
        ("none", from("")),
        ("name", from("host.example.com")),
        ("nearly", from("10.1.2.3.4")),
    ]);
    bench.table(&[
        (
            "one address, mapped ones too",
            r#"remote.exclude = ["10.1.2.3"]"#,
            "10.1.2.30 10.255.0.1 11.0.0.1 v6 v6-long v6-other none name nearly",
            &[("remote.exclude 10.1.2.3", "10.1.2.3 mapped mapped-hex")],
        ),
        (
            "a network",
            r#"remote.exclude = ["10.0.0.0/8"]"#,
            "11.0.0.1 v6 v6-long v6-other none name nearly",
            &[("remote.exclude 10.0.0.0/8", "10.1.2.3 10.1.2.30 10.255.0.1 mapped mapped-hex")],
        ),
        (
            "a network that ends within a byte",
            r#"remote.exclude = ["10.1.2.0/28"]"#,
            "10.1.2.30 10.255.0.1 11.0.0.1 v6 v6-long v6-other none name nearly",
            &[("remote.exclude 10.1.2.0/28", "10.1.2.3 mapped mapped-hex")],
        ),
        (
            "one IPv6 address, however it is written",
            r#"remote.exclude = ["2001:DB8:0::1"]"#,
            "10.1.2.3 10.1.2.30 10.255.0.1 11.0.0.1 mapped mapped-hex v6-other none name nearly",
            &[("remote.exclude 2001:DB8:0::1", "v6 v6-long")],
        ),
        (
            "IPv6 networks, the first that fits",
            r#"remote.exclude = ["2001:db8::/32", "2001:d00::/24"]"#,
            "10.1.2.3 10.1.2.30 10.255.0.1 11.0.0.1 mapped mapped-hex none name nearly",
            &[("remote.exclude 2001:db8::/32", "v6 v6-long"), ("remote.exclude 2001:d00::/24", "v6-other")],
        ),
        (
            "a mapped network",
            r#"remote.exclude = ["::ffff:10.1.0.0/112"]"#,
            "10.255.0.1 11.0.0.1 v6 v6-long v6-other none name nearly",
            &[("remote.exclude ::ffff:10.1.0.0/112", "10.1.2.3 10.1.2.30 mapped mapped-hex")],
        ),
        (
            "all of IPv4",
            r#"remote.exclude = ["0.0.0.0/0"]"#,
            "v6 v6-long v6-other none name nearly",
            &[("remote.exclude 0.0.0.0/0", "10.1.2.3 10.1.2.30 10.255.0.1 11.0.0.1 mapped mapped-hex")],
        ),
        (
            "an include beats an exclude",
            "remote.exclude = [\"10.0.0.0/8\", \"2001:db8::/32\"]\nremote.include = [\"10.1.0.0/16\"]",
            "10.1.2.3 10.1.2.30 mapped mapped-hex 11.0.0.1 v6-other none name nearly",
            &[("remote.exclude 10.0.0.0/8", "10.255.0.1"), ("remote.exclude 2001:db8::/32", "v6 v6-long")],
        ),
    ]);
}

#[test]
fn r25_the_address_in_the_heading_counts_and_without_one_that_of_the_entry() {
    let socket =
        |heading: &str, field: &str| data(head(any("SK"), "remote_address", heading), "remote_ip_address", field);
    let bench = Bench::new([
        ("heading", socket("10.1.2.3", "")),
        ("field", socket("", "10.1.2.3")),
        ("both", socket("10.9.9.9", "10.1.2.3")),
        ("neither", socket("203.0.113.1", "203.0.113.2")),
        ("local", data(socket("", ""), "local_ip_address", "10.1.2.3")),
        ("detection", data(any("IM"), "event_remote_address", "10.1.2.3")),
        ("directory", data(any("DI"), "client_ip_address", "10.1.2.3")),
        ("kerberos", data(any("X0"), "remote_ip_address", "10.1.2.3")),
        ("guess", data(any("ST"), "current_ip_address", "10.1.2.3")),
    ]);
    bench.table(&[
        (
            "one address",
            r#"remote.exclude = ["10.1.2.3"]"#,
            "both neither local guess",
            &[("remote.exclude 10.1.2.3", "heading field detection directory kerberos")],
        ),
        (
            "an include",
            "remote.exclude = [\"10.0.0.0/8\"]\nremote.include = [\"10.9.0.0/16\"]",
            "both neither local guess",
            &[("remote.exclude 10.0.0.0/8", "heading field detection directory kerberos")],
        ),
    ]);
}

#[test]
fn r41_the_first_dimension_that_drops_is_the_one_that_counts() {
    let everything = || {
        let mut r = data(any("SK"), "remote_ip_address", "10.1.2.3");
        r = head(head(by(r, "BILL", "QTCP"), "job_name", "QTFTP1"), "program_name", "PAY100");
        head(r, "remote_address", "10.1.2.3")
    };
    let bench = Bench::new([("entry", everything())]);
    // In the order of the pipeline, and the rules in the file the other way round.
    let rules = [
        ("types.exclude", "SK"),
        ("users.exclude", "BILL"),
        ("programs.exclude", "PAY100"),
        ("jobs.exclude", "QTFTP*"),
        ("remote.exclude", "10.0.0.0/8"),
    ];
    for from in 0..rules.len() {
        let toml: Vec<String> =
            rules[from..].iter().rev().map(|(key, value)| format!("{key} = [\"{value}\"]")).collect();
        let named = format!("{} {}", rules[from].0, rules[from].1);
        bench.table(&[(&named, &toml.join("\n"), "", &[(&named, "entry")])]);
    }
    let mut named = object("ZC", "HR/EMP:*STMF");
    super::bench::set_path(&mut named, "ZC", "object_path", "/tmp/a", "Y");
    let named = Bench::new([("entry", head(named, "program_name", "PAY100"))]);
    let rules = [("objects.exclude", "HR/*ALL"), ("ifs.exclude", "/tmp"), ("programs.exclude", "PAY100")];
    for from in 0..rules.len() {
        let toml: Vec<String> =
            rules[from..].iter().rev().map(|(key, value)| format!("{key} = [\"{value}\"]")).collect();
        let rule = format!("{} {}", rules[from].0, rules[from].1);
        named.table(&[(&rule, &toml.join("\n"), "", &[(&rule, "entry")])]);
    }
    let value = Bench::new([("entry", head(system_value("QDATFMT"), "program_name", "PAY100"))]);
    value.table(&[(
        "system values before programs",
        "programs.exclude = [\"PAY100\"]\nsystem_values.exclude = [\"QDATFMT\"]",
        "",
        &[("system_values.exclude QDATFMT", "entry")],
    )]);
}
