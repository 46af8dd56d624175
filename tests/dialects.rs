//! Profiles of other products (N12): for each published line of a product, the entry that it is about is built, sent through the profile,
//! and both lines are taken apart here, by the published rules and without the product's code: header, event id, every key. What differs is
//! listed with each line, and `docs/PROFILES.md` says why.
#[path = "dialects/entry.rs"]
mod entry;
#[path = "dialects/files.rs"]
mod files;
#[path = "dialects/parse.rs"]
mod parse;

use std::{fs, path::Path};

use entry::entry;
use harness::{
    program::{folder, qaudjrn},
    root,
};
use parse::{Line, differences, parse};
use serde_json::json;

/// How a line of the product comes about.
enum Made {
    /// From an entry: type, heading fields, fields of its data.
    Entry(&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]),
    /// From a message of the history log: id, user, job, text.
    Message(&'static str, &'static str, &'static str, &'static str),
    /// Not at all.
    Never,
}

/// A line of the fixture, known by something that no other has.
struct Case {
    known_by: &'static str,
    options: &'static str,
    made: Made,
    /// What the other parser finds different.
    differs: &'static [&'static str],
}

const AF: &[(&str, &str)] =
    &[("violation_type", "A"), ("object_name", "CFGJSCR"), ("object_library", "QZRDSECSRM"), ("object_type", "*PGM")];

const CASES: &[Case] = &[
    qhst(
        "act=CodeSample",
        "CPC1126",
        "QSYSOPR",
        "086157/QSYSOPR/UPSA_QHTTP",
        "The user QSYSOPR has stopped the job 080352/QTMHHTTP/ADMIN.",
        &["missing act=CodeSample"],
    ),
    qhst(
        "L'utilisateur QSYSOPR a",
        "CPC1126",
        "QSYSOPR",
        "086157/QSYSOPR/UPSA_QHTTP",
        "L'utilisateur QSYSOPR a arrêt{ le travail 080352/QTMHHTTP/ADMIN.",
        &[],
    ),
    qhst("CPF0927", "CPF0927", "QSYS", "080211/QSYS/QSYSARB4", "Subsystem QBATCH stopped", &[]),
    Case {
        known_by: "722506/QZRDSRMOWN/SLMSQMONS started",
        options: "--profile ibm --system EXPC3 IBM=7.4",
        made: Made::Message(
            "CPF1124",
            "QZRDSRMOWN",
            "722506/QZRDSRMOWN/SLMSQMONS",
            "Job 722506/QZRDSRMOWN/SLMSQMONS started on 25.08.20 at 18:59:04 in subsystem SLSBS in QZRDSECSRM. Job entered system on 25.08.20 at 18:59:04.",
        ),
        differs: &[],
    },
    qhst(
        "Travail 086167",
        "CPF1124",
        "QZRDSRMOWN",
        "086167/QZRDSRMOWN/SLMSQMONS",
        "Travail 086167/QZRDSRMOWN/SLMSQMONS d{marr{ le 12/03/24 @ 02:08:51 dans le sous-syst}me SLSBS de QZRDSECSRM ; soumis le 12/03/24 @ 02:08:51.",
        &[],
    ),
    qhst(
        "111111/JDOE/JPRC stopped",
        "CPF1164",
        "JDOE",
        "111111/JDOE/JPRC",
        "Job 111111/JDOE/JPRC stopped at 12/03/24 @ 02:06:54; UC time 0,002; exit code 123 .",
        &[],
    ),
    qhst(
        "Travail 080694",
        "CPF1164",
        "QSPLJOB",
        "080694/QSPLJOB/RMTW000008",
        "Travail 080694/QSPLJOB/RMTW000008 arrêt{ le 12/03/24 @ 02:05:56; temps UC 0,005; code fin 50 .",
        &[],
    ),
    qhst(
        "User QBRMS, client",
        "CPI3E34",
        "QBRMS",
        "086171/QUSER/QRWTSRVR",
        "User QBRMS, client 192.168.242.20, was connected to the job 086171/QUSER/QRWTSRVR in the subsystem QSYSWRK, QSYS, 12/03/24, 02:16:22.",
        &[],
    ),
    qhst(
        "L'utilisateur QBRMS",
        "CPI3E34",
        "QBRMS",
        "086171/QUSER/QRWTSRVR",
        "L'utilisateur QBRMS, client 192.168.242.20, est connect{ au travail 086171/QUSER/QRWTSRVR dans le sous-syst}me QSYSWRK, QSYS, 12/03/24, 02:16:22.",
        &[],
    ),
    qhst(
        "TCP2617",
        "TCP2617",
        "QSYS",
        "080247/QSYS/QTCPWRK",
        "TCP/IP connection to remote system 10.1.43.58 closed, reason code 1.",
        &[],
    ),
    Case {
        known_by: "T-AF",
        options: "--profile ibm IBM=7.4",
        made: Made::Entry(
            "AF",
            &[
                ("user_name", "THOMAS"),
                ("job_user", "THOMAS"),
                ("job_name", "QPADEV000P"),
                ("job_number", "722470"),
                ("system_name", "I5OSP4"),
                ("remote_address", "192.168.126.71"),
                ("remote_port", "36868"),
            ],
            AF,
        ),
        differs: &[],
    },
    Case {
        known_by: "T-CD",
        options: "--profile ibm IBM=7.4",
        made: Made::Entry(
            "CD",
            &[
                ("user_name", "BARLEN"),
                ("job_user", "BARLEN"),
                ("job_name", "QPADEV000Q"),
                ("job_number", "721738"),
                ("system_name", "I5OSP4"),
                ("remote_address", "192.168.126.71"),
                ("remote_port", "36888"),
            ],
            &[
                ("entry_type", "C"),
                ("object_name", "CHGENVVAR"),
                ("object_library", "QSYS"),
                ("object_type", "*CMD"),
                ("where_run", "N"),
                ("command_string", "CHGENVVAR ENVVAR(test4) VALUE(77777) LEVEL(*SYS)"),
            ],
        ),
        differs: &[],
    },
    never("MSGMON"),
    never("DB2MON"),
    never("IFSMON"),
    Case {
        known_by: "TPW0016",
        options: "--profile powertech-interact Interact=SIEM_Agent 3.1=3.0",
        made: Made::Entry(
            "PW",
            &[
                ("entry_timestamp", "2017-05-08-13.27.58.000000"),
                ("system_name", "MYAS400"),
                ("job_name", "QBASE"),
                ("job_user", "QSYS"),
                ("job_number", "003752"),
                ("program_name", "QWTMCMNL"),
                ("remote_address", "10.0.1.38"),
            ],
            &[("violation_type", "P"), ("audit_user_name", "JERRYB"), ("device_name", "QPADEV000B")],
        ),
        differs: &["missing src=10.0.1.185"],
    },
    Case {
        known_by: "Changes to object ownership|6",
        options: "--profile powertech",
        made: Made::Entry("OW", OW_HEADING, OW),
        differs: &["missing duser=QSECOFR", "missing src=10.60.33.177"],
    },
    never("2021-03-15T14:59:06.100-6:00"),
    never("2021-03-15T14:32:18.987-6:00"),
    Case {
        known_by: "TCA0001",
        options: "--profile powertech-interact",
        made: Made::Entry(
            "CA",
            &[
                ("entry_timestamp", "2021-06-30-07.09.35.000000"),
                ("system_name", "host01"),
                ("job_name", "CYBAGENT"),
                ("job_user", "AGENTESP"),
                ("job_number", "898488"),
                ("program_name", "QLESPI"),
            ],
            &[
                ("entry_type", "A"),
                ("object_name", "*N"),
                ("object_library", "*N"),
                ("object_type", "*STMF"),
                ("user_profile_name", "TEST"),
                ("path_name", "/test/test/test/test/test/test.tmp"),
            ],
        ),
        differs: &[
            "missing dst=0.0.0.0",
            "missing src=1.1.1.1",
            "pri 6 -> 108",
            "value of msg: TYPE:JRN CLS:AUD JJOB:CYBAGENT JUSER:AGENTESP JNBR:898488 PGM:QLESPI OBJECT: LIBRARY: MEMBER: DETAIL:A *N *N *STMF AGENTESP  Y Y Y   Y Y Y Y   Y Y RPL        0000 00000 * * *NA /test/test/test/test/test/test.tmp -> TYPE:JRN CLS:AUD JJOB:CYBAGENT JUSER:AGENTESP JNBR:898488 PGM:QLESPI OBJECT: LIBRARY: MEMBER: DETAIL:A",
        ],
    },
    Case {
        known_by: "CEF: 0|PATownsend",
        options: "--profile logagent",
        made: Made::Entry("CO", CO_HEADING, CO),
        differs: &["header CEF: 0 -> CEF:0", "value of object_type: *MODULE object_attrCLE -> *MODULE"],
    },
    Case {
        known_by: "CEF:0|PATownsend",
        options: "--profile logagent",
        made: Made::Entry("CO", CO_HEADING, CO),
        differs: &["value of object_type: *MODULE object_attrCLE -> *MODULE"],
    },
    Case {
        known_by: "[AF@0",
        options: "--profile logagent --format syslog",
        made: Made::Entry(
            "AF",
            &[
                ("entry_timestamp", "2012-04-18-16.32.58.988000"),
                ("user_name", "TESTFORAF"),
                ("job_user", "TESTFORAF"),
                ("job_name", "QPADEV000B"),
                ("job_number", "256937"),
                ("system_name", "AS400"),
                ("remote_address", "10.0.1.23"),
                ("remote_port", "55875"),
                ("sequence", "1001363"),
            ],
            &[
                ("violation_type", "A"),
                ("object_name", "AFTEST"),
                ("object_library", "CUS9242"),
                ("object_type", "*FILE"),
                ("object_job_name", "QPADEV000B"),
                ("object_job_user", "TESTFORAF"),
                ("object_job_number", "256937"),
            ],
        ),
        differs: &["host 10.0.1.11 -> AS400", "missing action=Undefined(x00)", "missing err_user=TESTFORAF"],
    },
];

const OW_HEADING: &[(&str, &str)] = &[
    ("entry_timestamp", "2021-03-15-14.47.02.000000"),
    ("system_name", "DWSIEM73"),
    ("user_name", "QSECOFR"),
    ("job_user", "QSECOFR"),
    ("job_name", "QPADEV0002"),
    ("job_number", "537013"),
    ("program_name", "PSATESTPAS"),
    ("remote_address", "10.60.135.40"),
    ("sequence", "1579233"),
];
const OW: &[(&str, &str)] = &[
    ("entry_type", "A"),
    ("object_name", "PSATSTUSR"),
    ("object_library", "QUSRSYS"),
    ("object_type", "*MSGQ"),
    ("previous_owner", "QSECOFR"),
    ("new_owner", "PSATSTUSR"),
];
const CO_HEADING: &[(&str, &str)] = &[
    ("entry_timestamp", "2012-02-29-15.47.25.823000"),
    ("user_name", "MVAGANEK"),
    ("job_user", "MVAGANEK"),
    ("job_name", "ICC"),
    ("job_number", "638012"),
    ("sequence", "102361"),
];
const CO: &[(&str, &str)] = &[
    ("entry_type", "N"),
    ("object_name", "X_BIGNUM"),
    ("object_library", "ICAPITST"),
    ("object_type", "*MODULE"),
    ("object_attribute", "CLE"),
];

const fn never(known_by: &'static str) -> Case {
    Case { known_by, options: "", made: Made::Never, differs: &[] }
}

const fn qhst(
    known_by: &'static str,
    id: &'static str,
    user: &'static str,
    job: &'static str,
    text: &'static str,
    differs: &'static [&'static str],
) -> Case {
    Case {
        known_by,
        options: "--profile ibm --system EXPC3 IBM=7.3",
        made: Made::Message(id, user, job, text),
        differs,
    }
}

/// The line of a case.
fn line(case: &Case, dir: &Path) -> Option<String> {
    // `IBM=7.4` stands for what an output says of its header; here it is put in place of ours.
    let (given, options): (Vec<&str>, Vec<&str>) =
        case.options.split(' ').partition(|o| o.contains('=') && !o.starts_with("--"));
    let capture = match &case.made {
        Made::Never => return None,
        Made::Entry(code, heading, data) => {
            fs::write(dir.join("capture"), entry(code, heading, data).bytes()).unwrap();
            "capture"
        }
        Made::Message(id, user, job, text) => {
            let row = json!({"MESSAGE_TIMESTAMP": "2024-03-12-02.08.51.000000", "MESSAGE_ID": id, "MESSAGE_TYPE": "INFORMATIONAL", "SEVERITY": 0, "FROM_USER": user, "FROM_JOB": job, "FROM_PROGRAM": "QWTPIIPP", "MESSAGE_TEXT": text});
            fs::write(dir.join("log.json"), format!("[{row}]")).unwrap();
            "log.json"
        }
    };
    let names: String = given.iter().filter_map(|g| g.split_once('=')).fold(String::new(), |said, (of, new)| {
        let key = if of == "Interact" { "product" } else { "version" };
        format!("{said}{key} = \"{}\"\n", new.replace('_', " "))
    });
    let profile = options.iter().skip_while(|o| **o != "--profile").nth(1).unwrap();
    let format = if case.options.contains("--format syslog") { "syslog" } else { "cef" };
    let config = format!(
        "[[output]]\nname = \"o\"\naddress = \"stdout\"\nformat = \"{format}\"\nprofile = \"{profile}\"\n{names}"
    );
    fs::write(dir.join("agent.toml"), config).unwrap();
    let system = if case.options.contains("--system") { "--system EXPC3" } else { "" };
    let args = format!("replay --timezone UTC --summary none {system} --output o --deny-warnings --config");
    let run = qaudjrn(&args, &[&dir.join("agent.toml"), &dir.join(capture)]);
    run.assert_output(0, &[]);
    Some(run.stdout.trim_end().to_owned())
}

/// The published lines.
fn samples() -> Vec<String> {
    let text = fs::read_to_string(root().join("fixtures/siem_samples.txt")).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn n12_every_published_line_of_a_product_is_what_its_profile_makes_of_the_same_event() {
    let samples = samples();
    assert_eq!(samples.len(), CASES.len(), "each line has a case");
    let doc = fs::read_to_string(root().join("docs/PROFILES.md")).unwrap();
    for case in CASES {
        let of: Vec<&String> = samples.iter().filter(|l| l.contains(case.known_by)).collect();
        assert_eq!(of.len(), 1, "{}", case.known_by);
        let dir = folder();
        let Some(ours) = line(case, dir.path()) else {
            assert!(doc.contains(case.known_by), "docs/PROFILES.md does not say why there is no {}", case.known_by);
            continue;
        };
        let (theirs, ours): (Line, Line) = (parse(of[0]), parse(&ours));
        assert_eq!(differences(&theirs, &ours), case.differs, "{}\n{theirs:?}\n{ours:?}", case.known_by);
        for differs in case.differs {
            let what = differs.split([':', '=']).next().unwrap();
            let what = if differs.starts_with("header") { "CEF: 0" } else { what };
            assert!(doc.contains(&format!("`{what}`")), "docs/PROFILES.md does not say why `{what}` differs");
        }
    }
}
