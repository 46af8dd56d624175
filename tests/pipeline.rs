//! One way from a record to a line: what a batch was read under is what its lines show, whatever the configuration says later;
//! what was learned lasts; `run` and `replay` write the same.

use std::{fs, io::Write, os::unix::net::UnixStream, path::Path, sync::atomic::Ordering, time::Duration};

use harness::{
    agent::{Agent, FOLLOWED, Receiver, capture, file, has_ids, ids, notices, signal},
    ebcdic,
    program::{Made, folder, head, make, replay},
    record::Record,
    unused_port,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

/// An output that nobody receives, and one that shows what is stored.
fn down(port: u16) -> String {
    format!("{}[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{port}\"\nformat = \"json\"\n", file("seen"))
}

/// Waits until so many entries are stored.
#[track_caller]
fn stored(agent: &Agent, entries: usize) {
    agent.wait("what is stored", SOON, || ids(&agent.read("seen")).len() >= entries);
}

/// Records of one length, as an outfile has them, with numbers from `first` on.
fn outfile(records: Vec<Record>, first: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for (mut record, n) in records.into_iter().zip(first..) {
        record.sequence(n);
        let mut bytes = record.bytes().to_vec();
        bytes.resize(1_500, 0x40);
        all.extend(bytes);
    }
    all
}

fn by(code: &str, user: &str) -> Record {
    let mut r = Record::new("type5", code);
    r.head("user_name", &ebcdic::plain(user));
    r.head("job_user", &ebcdic::plain(user));
    r
}

/// An entry that shows a profile to have *ALLOBJ.
fn shows(user: &str) -> Record {
    let mut r = by("CP", "OPER");
    r.data("user_profile", &ebcdic::plain(user));
    r.data("command_type", &ebcdic::plain("CHG"));
    r.data("special_authority_allobj", &ebcdic::plain("Y"));
    r
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().filter(|l| !l.contains("AGENT-")).map(str::to_owned).collect();
    lines.sort();
    lines
}

fn append(agent: &Agent, bytes: &[u8]) {
    let day = agent.dir.path().join("day.type5");
    let mut day = fs::OpenOptions::new().create(true).append(true).open(day).unwrap();
    day.write_all(bytes).unwrap();
}

#[test]
fn a1_what_was_learned_lasts_through_restarts_and_is_what_it_was_at_each_event() {
    let dir = folder();
    let users = ["BOB", "CAROL", "DAVE", "ERIN", "FRANK"];
    let mut before: Vec<Record> = users.iter().map(|u| by("ZR", u)).collect();
    before.extend(users.iter().take(3).map(|u| shows(u)));
    before.extend(users.iter().map(|u| by("ZR", u)));
    let mut after: Vec<Record> = users.iter().map(|u| by("ZR", u)).collect();
    after.push(shows("ERIN"));
    after.extend((0..40).map(|n| by("ZR", users[n % users.len()])));
    let (first, second) = (outfile(before, 1), outfile(after, 14));
    let users = "filter.users.exclude = [\"BOB\", \"CAROL\", \"DAVE\", \"ERIN\", \"FRANK\"]\n";
    // The source leaves out the entries that teach: it is the system's knowledge, not that of what was sent.
    let source = "[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfilter.types.exclude = [\"CP\"]\nfilter.protect_audit_changes = false\n";
    let agent = Agent::new(dir, &format!("{source}{}{users}", file("a")));
    append(&agent, &first);
    agent.assert_exit(agent.start(), 0, SOON);
    append(&agent, &second);
    agent.assert_exit(agent.start(), 0, SOON);
    let (all, config) = (agent.dir.path().join("all"), agent.dir.path().join("oracle.toml"));
    fs::write(&all, [first, second].concat()).unwrap();
    let oracle = format!("[filter]\ntypes.exclude = [\"CP\"]\nprotect_audit_changes = false\n{}{users}", file("a"));
    fs::write(&config, oracle.replace("DIR", "/tmp")).unwrap();
    let expected = replay(&format!("--to stdout --output a --config {}", config.display()), &[&all]);
    assert_eq!(expected.code, 0, "{}", expected.stderr);
    // Of the privileged: three of five behind the first ones, then these three before ERIN and four of five behind.
    assert_eq!(sorted(&expected.stdout).len(), 3 + 3 + 32);
    assert_eq!(sorted(&agent.read("a")), sorted(&expected.stdout));
}

#[test]
fn a1_an_output_that_reads_a_batch_again_sees_what_was_known_then() {
    let dir = folder();
    let port = unused_port();
    let users = "filter.users.exclude = [\"BOB\"]\n";
    let tcp = format!("{}{users}", down(port));
    // Three records, of which the first is cut off, may be one that was written to look like three.
    let agent = Agent::new(dir, &format!("{FOLLOWED}record_length = 1500\n{tcp}"));
    append(&agent, &outfile(vec![by("ZR", "BOB"), shows("BOB"), by("ZR", "BOB")], 1));
    let child = agent.start();
    stored(&agent, 3);
    append(&agent, &outfile(vec![by("ZR", "BOB")], 4));
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let receiver = Receiver::start_on(port);
    agent.configure(&format!("{}{tcp}", FOLLOWED.replace("follow = true\n", "")));
    agent.assert_exit(agent.start(), 0, SOON);
    agent.wait("what is sent", SOON, || has_ids(&receiver.text(), 3));
    assert_eq!(ids(&receiver.text()).into_keys().collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a3_lines_are_of_the_ccsid_that_the_batch_was_read_with() {
    let dir = folder();
    let port = unused_port();
    let name = |r: &mut Record| r.head("job_name", &[0xD4, 0x5A, 0xD3, 0xD3, 0xC5, 0xD9]);
    let made = |n: u64| {
        let mut r = by("ZR", "BILL");
        name(&mut r);
        outfile(vec![r], n)
    };
    let config = |ccsid: u16| {
        let source = format!("[[source]]\nname = \"prod01\"\npath = \"day.type5\"\nfollow = true\nccsid = {ccsid}\n");
        format!("{source}{}", down(port))
    };
    let agent = Agent::new(dir, &config(37));
    append(&agent, &made(1));
    let mut child = agent.start();
    stored(&agent, 1);
    agent.configure(&config(273));
    signal(&child, "HUP");
    agent.wait("the other CCSID", SOON, || agent.log().contains("was read again"));
    append(&agent, &made(2));
    signal(&child, "TERM");
    child.wait().unwrap();
    let receiver = Receiver::start_on(port);
    agent.configure(&config(273).replace("follow = true\n", ""));
    agent.assert_exit(agent.start(), 0, SOON);
    agent.wait("both lines", SOON, || has_ids(&receiver.text(), 2));
    let text = receiver.text();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let job = |n: &str| lines.iter().find(|l| l["sequence"] == n).unwrap().to_string();
    assert!(job("1").contains("M!LLER"), "{}", job("1"));
    assert!(job("2").contains("M\u{dc}LLER"), "{}", job("2"));
}

#[test]
fn a10_what_a_heading_lacks_is_that_of_the_time_of_reading_though_the_source_is_gone() {
    let dir = folder();
    let made = make(&dir, "day.type1", "--count 20 --seed 4 --type type1");
    let port = unused_port();
    let output = down(port);
    let source = |more: &str| format!("[[source]]\nname = \"old\"\npath = \"day.type1\"\n{more}");
    let facts =
        "date_format = \"MDY\"\nsystem = \"PROD07\"\nreceiver = \"AUDRCV0007\"\nreceiver_library = \"AUDLIB\"\n";
    let agent = Agent::new(dir, &format!("{}{output}", source(facts)));
    let child = agent.start();
    stored(&agent, 20);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let receiver = Receiver::start_on(port);
    make(&agent.dir, "other.type5", "--count 1 --seed 5 --first-sequence 900");
    agent.configure(&format!("[[source]]\nname = \"new\"\npath = \"other.type5\"\n{output}"));
    agent.assert_exit(agent.start(), 0, SOON);
    agent.wait("all lines", SOON, || has_ids(&receiver.text(), 21));
    let args = "--format json --date-format MDY --system PROD07 --receiver AUDRCV0007 --receiver-library AUDLIB";
    let expected = replay(args, &[&made.path]);
    assert_eq!(expected.code, 0, "{}", expected.stderr);
    let text = receiver.text();
    let old: Vec<&str> = text.lines().filter(|l| l.contains("PROD07")).collect();
    assert_eq!(sorted(&old.join("\n")), sorted(&expected.stdout));
}

/// Changes what a batch says of itself.
fn spoil(state: &Path, sql: &str) {
    let db = rusqlite::Connection::open(state.join("spool.db")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
    reseal(&db);
}

/// Gives the first batch the sum of what it says now, as a program would that knows more than this one. See src/spool/seal.rs.
fn reseal(db: &rusqlite::Connection) {
    let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
    let mut take = |bytes: Option<&[u8]>| {
        sum.update(&bytes.map_or(u64::MAX, |b| b.len() as u64).to_be_bytes());
        sum.update(bytes.unwrap_or(&[]));
    };
    take(Some(b"batch"));
    let sql = "SELECT b.id, b.source, b.format, b.about, b.position, b.part, b.part_position, b.raw_sha256, b.events, b.blob_sha256, s.previous FROM batch b JOIN seal s ON s.id = b.id WHERE b.id = 1";
    db.query_row(sql, [], |r| {
        for n in 0..11 {
            match r.get_ref(n)? {
                rusqlite::types::ValueRef::Integer(i) => take(Some(&i.to_be_bytes())),
                rusqlite::types::ValueRef::Null => take(None),
                other => take(Some(other.as_bytes().unwrap())),
            }
        }
        Ok(())
    })
    .unwrap();
    db.execute("UPDATE seal SET sum = ?1 WHERE id = 1", [sum.finish().as_ref()]).unwrap();
}

#[test]
fn b6_a_batch_of_an_unknown_heading_or_ccsid_is_passed_over_with_a_notice_and_counted_apart() {
    for (what, sql) in [
        (
            "this program knows no heading",
            "UPDATE batch SET about = replace(about, '\"type5\"', '\"type9\"') WHERE id = 1",
        ),
        ("does not know CCSID", "UPDATE batch SET about = replace(about, '\"ccsid\":37', '\"ccsid\":7') WHERE id = 1"),
    ] {
        let dir = folder();
        let port = unused_port();
        let agent = Agent::new(dir, &format!("[[source]]\nname = \"s\"\npath = \"day.type5\"\n{}", down(port)));
        append(&agent, &outfile((0..7).map(|_| by("ZR", "BILL")).collect(), 1));
        let child = agent.start();
        stored(&agent, 7);
        signal(&child, "TERM");
        agent.assert_exit(child, 0, SOON);
        spoil(&agent.dir.path().join("state"), sql);
        append(&agent, &outfile(vec![by("ZR", "BILL")], 8));
        let receiver = Receiver::start_on(port);
        agent.assert_exit(agent.start(), 3, SOON);
        agent.wait("what can be read", SOON, || has_ids(&receiver.text(), 1));
        let gaps = notices(&receiver.text(), "AGENT-GAP");
        let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
        let missing = gap["missing"].as_str().unwrap();
        assert!(missing.starts_with("7 of 7 stored events cannot be read again") && missing.contains(what), "{gap}");
        let log = agent.log();
        assert!(log.contains("output a: sent 1, filtered 0, resent 0, unreadable 7"), "{log}");
        assert_eq!(receiver.connections.load(Ordering::SeqCst), 1, "it is no matter of the connection");
    }
}

#[test]
fn a9_an_event_that_other_tables_cannot_read_is_not_said_to_be_filtered() {
    let dir = folder();
    let port = unused_port();
    let output = down(port);
    let agent = Agent::new(dir, &format!("[[source]]\nname = \"s\"\npath = \"day.type5\"\n{output}"));
    append(&agent, &outfile((0..5).map(|_| by("ZR", "BILL")).collect(), 1));
    let child = agent.start();
    stored(&agent, 5);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    // A heading whose sequence number stands where the user's name is.
    let layouts = agent.dir.path().join("layouts");
    fs::create_dir(&layouts).unwrap();
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/formats/journal/_headers.toml")).unwrap();
    fs::write(layouts.join("_headers.toml"), moved(&shipped)).unwrap();
    make(&agent.dir, "other.type1", "--count 1 --type type1");
    let facts = "date_format = \"MDY\"\nsystem = \"PROD07\"\nreceiver = \"R\"\nreceiver_library = \"L\"\n";
    agent.configure(&format!("[[source]]\nname = \"other\"\npath = \"other.type1\"\n{facts}{output}"));
    let receiver = Receiver::start_on(port);
    agent.assert_exit(agent.command().arg("--layouts").arg(&layouts).spawn().unwrap(), 3, SOON);
    agent.wait("the notice", SOON, || !notices(&receiver.text(), "AGENT-GAP").is_empty());
    let log = agent.log();
    assert!(log.contains("output a: sent 1, filtered 0, resent 0, unreadable 5"), "{log}");
}

/// The tables of headings, with the journal code of *TYPE5 in the place of blanks.
fn moved(shipped: &str) -> String {
    let mut tables: toml::Table = toml::from_str(shipped).unwrap();
    let fields = tables["type5"]["field"].as_array_mut().unwrap();
    let field = fields.iter_mut().find(|f| f["name"].as_str() == Some("sequence_number")).unwrap();
    let at = field.as_table_mut().unwrap();
    let user = 187;
    at.insert("offset".into(), toml::Value::Integer(user));
    toml::to_string(&tables).unwrap()
}

/// One filter for each key of `[output.filter]`, which must all be here: see the matrix of configurations.
const FILTERS: [&str; 29] = [
    "presets = [\"ibm-profiles\"]",
    "types.send = [\"PW\", \"CP\", \"AD\"]",
    "types.exclude = [\"ZR\"]",
    "objects.exclude = [\"PAYLIB/*ALL\"]",
    "objects.exclude = [\"PAYLIB/*ALL\"]\nfilter.objects.include = [\"PAYLIB/PAYMST\"]",
    "objects.exclude = [\"*ALL/*ALL\"]\nfilter.objects.commands = true",
    "ifs.exclude = [\"/tmp\"]",
    "ifs.exclude = [\"/home\"]\nfilter.ifs.include = [\"/home/bill\"]",
    "users.exclude = [\"*ALL\"]",
    "users.exclude = [\"*ALL\"]\nfilter.users.include = [\"BILL\"]",
    "users.exclude = [\"QUSER\", \"QTCP\"]\nfilter.users.match = \"job\"",
    "users.exclude = [\"QUSER\", \"BILL\"]\nfilter.users.match = \"either\"",
    "users.exclude = [\"*ALL\"]\nfilter.users.privileged = [\"AKHAN\"]",
    "users.exclude = [\"*ALL\"]\nfilter.users.allow_filtering_privileged = [\"QSECOFR\"]",
    "system_values.exclude = [\"QTIME\"]",
    "system_values.exclude = [\"*ALL\"]\nfilter.system_values.include = [\"QTIME\"]",
    "programs.exclude = [\"*ALL/*ALL\"]",
    "programs.exclude = [\"*ALL/*ALL\"]\nfilter.programs.include = [\"*ALL/QCMD\"]",
    "jobs.exclude = [\"*ALL/QUSER/*ALL\"]",
    "jobs.exclude = [\"*ALL/*ALL/*ALL\"]\nfilter.jobs.include = [\"*ALL/*ALL/QZDASOINIT\"]",
    "remote.exclude = [\"10.0.0.0/8\"]",
    "remote.exclude = [\"0.0.0.0/0\"]\nfilter.remote.include = [\"10.1.7.44\"]",
    "history.send = \"logon_logoff\"",
    "history.minimum_severity = 20",
    "protect_audit_changes = false",
    "protect_audit_changes = false\nfilter.types.exclude = [\"AD\", \"CP\", \"SV\"]",
    "audit_change_severity = 10",
    "audit_change_severity = 0",
    "types.exclude = [\"AD\"]\nfilter.audit_change_severity = 10",
];

#[test]
fn a11_run_writes_what_replay_writes_for_every_key_of_a_filter() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 1500 --seed 23 --stories --access-data");
    let outputs: String =
        FILTERS.iter().enumerate().map(|(n, f)| format!("{}filter.{f}\n", file(&format!("o{n}")))).collect();
    // What the agent raises is less than what an output does: what it was when it was read is not what the output says.
    let agent = Agent::new(
        dir,
        &format!("[[source]]\nname = \"prod01\"\npath = \"day.type5\"\n[filter]\naudit_change_severity = 7\n{outputs}"),
    );
    agent.assert_exit(agent.start(), 0, SOON);
    let mut different = 0;
    let usual = sorted(&agent.read("o27"));
    for (n, filter) in FILTERS.iter().enumerate() {
        let args = format!("--to stdout --output o{n} --config {}", agent.config.display());
        let expected = replay(&args, &[&made.path]);
        assert!(matches!(expected.code, 0 | 3), "{}", expected.stderr);
        let got = sorted(&agent.read(&format!("o{n}")));
        assert!(got == sorted(&expected.stdout), "{filter}: run and replay differ");
        different += usize::from(got != usual);
    }
    assert!(different > 20, "{different} filters do something");
}

#[test]
fn c8_a_source_more_changes_no_connection_and_no_sum() {
    let dir = folder();
    let made = capture(&dir, 200);
    let other_made = make(&dir, "other.type5", "--count 50 --seed 3 --system PROD02 --first-sequence 5000");
    let sent = |made: &Made| made.truth.iter().filter(|t| head(t, "journal_entry_type") != "ZR").count();
    let receiver = Receiver::start();
    let output = format!(
        "[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:{}\"\nformat = \"json\"\nfilter.types.exclude = [\"ZR\"]\nfilter.protect_audit_changes = false\n",
        receiver.port
    );
    let agent = Agent::new(dir, &format!("{FOLLOWED}{output}"));
    let child = agent.start();
    let got = || ids(&receiver.text()).len();
    agent.wait("the first", SOON, || got() == sent(&made));
    let other = "[[source]]\nname = \"prod02\"\npath = \"other.type5\"\nfollow = true\n";
    agent.configure(&format!("{FOLLOWED}{other}{output}"));
    signal(&child, "HUP");
    agent.wait("those of the other source", SOON, || got() == sent(&made) + sent(&other_made));
    // An output that changes and a source that changes go on with their sums.
    let changed = output.replace("format", "detail = \"full\"\nformat");
    agent.configure(&format!("{FOLLOWED}filter.types.exclude = [\"C3\"]\n{other}{changed}"));
    let connections = receiver.connections.load(Ordering::SeqCst);
    signal(&child, "HUP");
    agent.wait("another connection", SOON, || receiver.connections.load(Ordering::SeqCst) > connections);
    assert_eq!(connections, 1, "another source is nothing to an output");
    let more = make(&agent.dir, "more.type5", "--count 30 --seed 9 --mix PW --first-sequence 300");
    append(&agent, &fs::read(&more.path).unwrap());
    agent.wait("what came behind", SOON, || got() == sent(&made) + sent(&other_made) + 30);
    // The window is taken as arrived at the end, when the receiver closes too.
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    let log = agent.log();
    let number = |of: &str, key: &str| -> u64 {
        let line = log.lines().rfind(|l| l.contains(of)).unwrap_or_else(|| panic!("{of}: {log}"));
        let at = line.find(key).unwrap_or_else(|| panic!("{key}: {line}")) + key.len();
        line[at..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let spooled = number("source prod01: read", "spooled ") + number("source prod02: read", "spooled ");
    assert_eq!(number("source prod01: read", "read "), 230);
    let (sent, filtered) = (number("output a: sent", "sent "), number("output a: sent", "filtered "));
    assert_eq!(sent + filtered, spooled, "{log}");
    assert_eq!(sent, got() as u64);
    assert!(filtered > 0);
}

/// The memory of a process that is in use, in KiB.
fn resident(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn c1_300_senders_and_two_outputs_stay_under_96_mib() {
    let dir = folder();
    let made = make(&dir, "day.type5", "--count 40 --seed 17");
    let records: Vec<Vec<u8>> = fs::read(&made.path).unwrap().chunks(1_500).map(<[u8]>::to_vec).collect();
    let sources: String = (0..300)
        .map(|n| format!("[[source]]\nname = \"s{n}\"\nkind = \"stream\"\nlisten = \"unix:s{n}\"\ninput = \"type5\"\n"))
        .collect();
    let agent = Agent::new(dir, &format!("{sources}{}{}", file("a"), file("b")));
    let child = agent.start();
    let mut open = Vec::new();
    for n in 0..300 {
        let path = agent.dir.path().join(format!("s{n}"));
        agent.wait("the socket", SOON, || path.exists());
        let mut stream = UnixStream::connect(&path).unwrap();
        for record in &records {
            stream.write_all(&u32::try_from(record.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(record).unwrap();
        }
        open.push(stream);
    }
    agent.wait("all lines", 4 * SOON, || ["a", "b"].iter().all(|o| agent.read(o).lines().count() >= 12_000));
    let (most, now) = (resident(child.id(), "VmHWM:"), resident(child.id(), "VmRSS:"));
    drop(open);
    signal(&child, "TERM");
    agent.assert_exit(child, 0, SOON);
    assert!(most < 96 << 10, "{most} KiB at most, {now} KiB in the end");
}
