//! The rows of the configuration matrix: every key of agent.toml, with two values, or why it has none.

/// What the entries are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// *TYPE5 entries in a capture that is followed.
    Entries,
    /// *TYPE1 entries, whose headings lack most.
    Type1,
    /// Messages of the history log in a folder.
    History,
}

/// When a value counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counts {
    /// When an entry is read.
    Read,
    /// When it is sent.
    Sent,
    /// It says in which order lines go, not what they are.
    Order,
}

/// A key with its two values.
pub struct Row {
    pub key: String,
    pub kind: Kind,
    pub counts: Counts,
    /// What else must be said for the key to do something: lines of the table that the key is in.
    pub with: &'static str,
    pub one: &'static str,
    pub two: &'static str,
}

/// The keys of a filter. Key, what else is needed, two values.
const FILTER: [(&str, &str, &str, &str); 27] = [
    ("protect_audit_changes", "types.exclude = [\"AD\", \"CP\", \"SV\"]", "true", "false"),
    ("audit_change_severity", "", "9", "10"),
    ("presets", "users.exclude = [\"BILL\"]", "[]", "[\"temp-paths\", \"security\"]"),
    ("types.send", "", "[\"*ALL\"]", "[\"PW\", \"ZR\", \"CD\"]"),
    ("types.exclude", "", "[\"ZR\"]", "[\"CD\", \"ZC\"]"),
    ("objects.exclude", "", "[]", "[\"*ALL/*ALL\"]"),
    (
        "objects.include",
        "objects.exclude = [\"*ALL/*ALL\"]",
        "[]",
        "[\"PRODDTA/*ALL\", \"HRDATA/*ALL\", \"PAYLIB/*ALL\"]",
    ),
    ("objects.commands", "objects.exclude = [\"*ALL/*ALL\"]", "false", "true"),
    ("ifs.exclude", "", "[]", "[\"/\"]"),
    (
        "ifs.include",
        "ifs.exclude = [\"/\"]",
        "[]",
        "[\"/home\", \"/tmp\", \"/www\", \"/QIBM\", \"/payroll\", \"/exports\", \"/var\"]",
    ),
    ("users.exclude", "", "[\"BILL\"]", "[\"AKHAN\", \"WEBAPP\", \"MWOLFE\"]"),
    ("users.include", "users.exclude = [\"*ALL\"]", "[\"BILL\"]", "[\"AKHAN\", \"WEBAPP\"]"),
    ("users.match", "users.exclude = [\"QUSER\", \"BILL\"]", "\"effective\"", "\"job\""),
    ("users.privileged", "users.exclude = [\"*ALL\"]", "[]", "[\"AKHAN\", \"WEBAPP\"]"),
    ("users.allow_filtering_privileged", "users.exclude = [\"*ALL\"]", "[]", "[\"QSECOFR\"]"),
    ("system_values.exclude", "protect_audit_changes = false", "[]", "[\"*ALL\"]"),
    ("system_values.include", "protect_audit_changes = false\nsystem_values.exclude = [\"*ALL\"]", "[]", "[\"Q*\"]"),
    ("programs.exclude", "", "[]", "[\"*ALL/*ALL\"]"),
    ("programs.include", "programs.exclude = [\"*ALL/*ALL\"]", "[]", "[\"*ALL/Q*\"]"),
    ("jobs.exclude", "", "[]", "[\"*ALL/*ALL/QZDASOINIT\"]"),
    ("jobs.include", "jobs.exclude = [\"*ALL/*ALL/*ALL\"]", "[]", "[\"*ALL/*ALL/QZDASOINIT\"]"),
    ("remote.exclude", "", "[]", "[\"0.0.0.0/0\"]"),
    ("remote.include", "remote.exclude = [\"0.0.0.0/0\"]", "[]", "[\"10.0.0.0/8\", \"192.168.0.0/16\"]"),
    ("history.send", "", "\"all\"", "\"logon_logoff\""),
    ("history.sign_on_failures", "history.send = \"logon_logoff\"", "false", "true"),
    ("history.minimum_severity", "", "0", "30"),
    ("history.exclude_jobs", "", "[]", "[\"QPADEV*\", \"QZ*\", \"QS*\", \"QT*\"]"),
];

/// Keys that say something else than what is read, in which order, and what lines are made of it; each with the reason.
pub const OTHERS: [(&str, &str); 122] = [
    ("state_dir", "another state is another agent"),
    ("stop_timeout", "how long an end may take"),
    ("heartbeat", "when the agent speaks of itself"),
    ("agent_events", "whether the agent says what it does"),
    ("gaps", "what counts as missing: tests/supervise.rs"),
    ("spool.max_size", "when a source waits"),
    ("spool.when_full", "only where the spool is full: tests/control.rs"),
    ("control.socket", "where it is: tests/control_socket.rs"),
    ("control.enabled", "whether there is one: tests/control_socket.rs"),
    ("metrics.listen", "where the figures are asked: tests/metrics_http.rs"),
    ("metrics.allow_remote", "who may ask for the figures"),
    ("metrics.file", "where the figures are: tests/metrics_http.rs"),
    ("metrics.mode", "who may read the figures: tests/metrics_http.rs"),
    ("doctor.libraries", "not of the agent"),
    ("doctor.objects", "not of the agent"),
    ("doctor.paths", "not of the agent"),
    ("source.name", "another name is another source"),
    ("source.kind", "another kind is another source"),
    ("source.path", "where it is"),
    ("source.follow", "whether more is waited for"),
    ("source.pattern", "where it is"),
    ("source.complete", "when a file is read"),
    ("source.stable_seconds", "when a file is read"),
    ("source.order", "when a file is read"),
    ("source.after", "what becomes of a file"),
    ("source.move_to", "what becomes of a file"),
    ("source.input", "what the bytes are: another value is a mistake"),
    ("source.encoding", "what the bytes are: another value is a mistake"),
    ("source.input_framing", "what the bytes are: another value is a mistake"),
    ("source.record_length", "what the bytes are: another value is a mistake"),
    ("source.listen", "where it is"),
    ("source.cert", "who we are"),
    ("source.key", "who we are"),
    ("source.client_ca", "whom to trust"),
    ("source.gaps", "what counts as missing: tests/supervise.rs"),
    ("source.client_names", "whom to trust"),
    ("source.client_crl", "whom to trust"),
    ("source.address", "where it is"),
    ("source.command", "where it is"),
    ("source.user", "the login"),
    ("source.password", "the login"),
    ("source.ca", "whom to trust"),
    ("source.server_name", "whom to trust"),
    ("source.pin", "whom to trust"),
    ("source.insecure_skip_verify", "whom to trust"),
    ("source.call_timeout", "how long a call may take"),
    ("source.technique", "how the server is asked"),
    ("source.properties", "how the server is asked"),
    ("source.connection", "the login"),
    ("source.dsn", "the login"),
    ("source.dialect", "how the server is asked"),
    ("source.journal", "where it is: tests/live.rs"),
    ("source.from", "where a new source begins"),
    ("source.journal_codes", "what is asked of the server: tests/live.rs"),
    ("source.page", "how the server is asked"),
    ("source.poll_interval", "how the server is asked"),
    ("source.columns", "how the server is asked"),
    ("source.remote_columns", "how the server is asked"),
    ("output.name", "another name is another output"),
    ("output.address", "where lines go"),
    ("output.failover", "where lines go"),
    ("output.failback_interval", "where lines go"),
    ("output.framing", "how lines follow one another"),
    ("output.connect_timeout", "the connection"),
    ("output.dead_peer_timeout", "the connection"),
    ("output.stall_timeout", "the connection"),
    ("output.resend_window.bytes", "what counts as arrived"),
    ("output.resend_window.seconds", "what counts as arrived"),
    ("output.from", "where a new output begins"),
    ("output.heartbeat", "when the agent speaks of itself"),
    ("output.meter.timezone", "when a day begins"),
    ("output.ca", "whom to trust"),
    ("output.cert", "who we are"),
    ("output.key", "who we are"),
    ("output.server_name", "whom to trust"),
    ("output.pin", "whom to trust"),
    ("output.insecure_skip_verify", "whom to trust"),
    ("output.meter.events_per_second", "when lines go"),
    ("output.meter.burst", "when lines go"),
    ("output.meter.bytes_per_second", "when lines go"),
    ("output.meter.byte_burst", "when lines go"),
    ("source.read", "what is asked of the server: tests/live.rs"),
    ("source.enabled", "whether it is started: tests/switched_off.rs"),
    ("listener.enabled", "whether it is started"),
    ("output.enabled", "whether it is started: tests/switched_off.rs"),
    ("test.name", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.capture", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.entry", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.sequence", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.source", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.output", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.expect", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.rule", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.line", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("test.contains", "what is expected of a configuration: tests/configuration_tests.rs"),
    ("listener.name", "another name is another listener"),
    ("listener.listen", "where it is"),
    ("listener.cert", "who we are"),
    ("listener.key", "who we are"),
    ("listener.client_ca", "whom to trust"),
    ("listener.client_names", "whom to trust"),
    ("listener.client_crl", "whom to trust"),
    ("listener.source", "another name is another source: tests/listener.rs"),
    ("listener.max_senders", "how many there may be"),
    ("listener.input", "what the bytes are: another value is a mistake"),
    ("listener.ccsid", "as source.ccsid, of senders: tests/listener.rs"),
    ("listener.timezone", "as source.timezone, of senders: tests/listener.rs"),
    ("listener.date_format", "as source.date_format, of senders"),
    ("listener.gaps", "what counts as missing: tests/supervise.rs"),
    ("listener.system", "as source.system, of senders"),
    ("listener.receiver", "as source.receiver, of senders"),
    ("listener.receiver_library", "as source.receiver_library, of senders"),
    ("listener.sender.input", "what the bytes are: another value is a mistake"),
    ("listener.sender.ccsid", "as source.ccsid, of senders: tests/listener.rs"),
    ("listener.sender.timezone", "as source.timezone, of senders: tests/listener.rs"),
    ("listener.sender.date_format", "as source.date_format, of senders"),
    ("listener.sender.gaps", "what counts as missing: tests/supervise.rs"),
    ("listener.sender.system", "as source.system, of senders"),
    ("listener.sender.receiver", "as source.receiver, of senders"),
    ("listener.sender.receiver_library", "as source.receiver_library, of senders"),
    ("listener.sender.match", "who it is"),
    ("listener.sender.name", "another name is another source"),
];

/// The filters of listeners and of their senders: read, and compiled into sources, as `source.filter` is, whose rows those of each key are;
/// that they are is in `src/config/tests/listener.rs` and `tests/listener.rs`.
pub fn filters_of_senders() -> impl Iterator<Item = String> {
    let prefixes = ["listener.filter", "listener.sender.filter"];
    prefixes.into_iter().flat_map(|prefix| FILTER.iter().map(move |(key, ..)| format!("{prefix}.{key}")))
}

/// All rows.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, with, one, two) in FILTER {
        let kind = if key.starts_with("history") { Kind::History } else { Kind::Entries };
        for (prefix, counts) in
            [("filter", Counts::Read), ("source.filter", Counts::Read), ("output.filter", Counts::Sent)]
        {
            rows.push(Row { key: format!("{prefix}.{key}"), kind, counts, with, one, two });
        }
    }
    let mut add = |key: &str, kind, counts, with, one, two| {
        rows.push(Row { key: key.to_owned(), kind, counts, with, one, two });
    };
    add("source.ccsid", Kind::Entries, Counts::Read, "", "37", "273");
    add("source.timezone", Kind::Entries, Counts::Read, "", "\"UTC\"", "\"Europe/Berlin\"");
    add("source.date_format", Kind::Type1, Counts::Read, TYPE1_NAMES, "\"MDY\"", "\"YMD\"");
    add(
        "source.system",
        Kind::Type1,
        Counts::Read,
        "date_format = \"MDY\"\nreceiver = \"R1\"\nreceiver_library = \"L1\"",
        "\"SYS1\"",
        "\"SYS2\"",
    );
    add(
        "source.receiver",
        Kind::Type1,
        Counts::Read,
        "date_format = \"MDY\"\nsystem = \"SYS1\"\nreceiver_library = \"L1\"",
        "\"R1\"",
        "\"R2\"",
    );
    add(
        "source.receiver_library",
        Kind::Type1,
        Counts::Read,
        "date_format = \"MDY\"\nsystem = \"SYS1\"\nreceiver = \"R1\"\n",
        "\"L1\"",
        "\"L2\"",
    );
    add("severity", Kind::Entries, Counts::Sent, "", "{ ZR = 1 }", "{ ZR = 7, \"PW-P\" = 2 }");
    add("line.facility", Kind::Entries, Counts::Sent, "", "13", "16");
    add("line.vendor", Kind::Entries, Counts::Sent, "", "\"one\"", "\"two\"");
    add("line.product", Kind::Entries, Counts::Sent, "", "\"one\"", "\"two\"");
    add("line.version", Kind::Entries, Counts::Sent, "", "\"1\"", "\"2\"");
    add("line.sd_id", Kind::Entries, Counts::Sent, "", "\"one@32473\"", "\"two@32473\"");
    add("line.app_name", Kind::Entries, Counts::Sent, "", "\"one\"", "\"two\"");
    add("output.format", Kind::Entries, Counts::Sent, "", "\"cef\"", "\"json\"");
    add("output.header", Kind::Entries, Counts::Sent, "", "\"rfc5424\"", "\"rfc3164\"");
    add("output.detail", Kind::Entries, Counts::Sent, "", "\"compact\"", "\"full\"");
    add("output.include_guesses", Kind::Entries, Counts::Sent, "detail = \"full\"", "false", "true");
    add("output.max_size", Kind::Entries, Counts::Sent, "detail = \"full\"", "8000", "700");
    add("output.profile", Kind::Entries, Counts::Sent, "", "\"native\"", "\"logagent\"");
    add("output.vendor", Kind::Entries, Counts::Sent, "", "\"one\"", "\"two\"");
    add("output.product", Kind::Entries, Counts::Sent, "", "\"one\"", "\"two\"");
    add("output.version", Kind::Entries, Counts::Sent, "", "\"1\"", "\"2\"");
    add("output.fields", Kind::Entries, Counts::Sent, "", "{ site = \"one\" }", "{ site = \"two\", floor = \"2\" }");
    add("output.encoding", Kind::Entries, Counts::Sent, "", "\"utf-8\"", "\"iso-8859-6\"");
    add("output.priority_types", Kind::Entries, Counts::Order, "", "[\"PW\"]", "[\"ZR\", \"CD\"]");
    add("output.meter.bytes_per_day", Kind::Entries, Counts::Order, "", "9000", "\"1GiB\"");
    add(
        "output.meter.pass_types",
        Kind::Entries,
        Counts::Order,
        "meter.bytes_per_day = BUDGET",
        "[\"PW\", \"ZR\"]",
        "[\"CD\"]",
    );
    add("output.meter.pass_severity", Kind::Entries, Counts::Order, "meter.bytes_per_day = BUDGET", "7", "5");
    rows
}

const TYPE1_NAMES: &str = "system = \"SYS1\"\nreceiver = \"R1\"\nreceiver_library = \"L1\"";
