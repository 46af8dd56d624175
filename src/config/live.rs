//! `[[source]]` of the kinds mapepire and odbc: a live system.
use std::time::Duration;

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while_m_n},
    character::complete::{char, satisfy, u64},
    combinator::{map, recognize, value, verify},
    sequence::separated_pair,
};

use super::{
    read::{Placed, Reader, Section},
    tls,
};
use crate::{
    filter::ConfigLocation,
    net::Address,
    parse::whole,
    source::live::{
        Database, LiveOptions, entry,
        journal_tail::TailOptions,
        mapepire::{MapepireOptions, PORT, SocketOptions, Transport},
        news::From,
        odbc::{self, Dialect, Login, OdbcOptions},
        statements::Columns,
    },
};

/// How long an answer may take.
const CALL: Duration = Duration::from_secs(60);
/// Library and name of the journal.
const JOURNAL: (&str, &str) = ("QSYS", "QAUDJRN");
/// Journal codes.
const CODES: [&str; 2] = ["T", "J"];
/// Seconds between two questions.
const POLL: u32 = 2;

/// Reads the keys of kind mapepire.
pub fn mapepire(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<LiveOptions> {
    let transport = transport(t, at, r);
    let call_timeout = t.positive_or("call_timeout", CALL, r);
    let technique = t.choice_or("technique", &[("tcp", "tcp"), ("cli", "cli")], "tcp", r).to_owned();
    let properties = t.string_or("properties", "naming=sql;", r);
    followed(
        t,
        transport
            .map(|transport| Database::Mapepire(MapepireOptions { transport, technique, properties, call_timeout })),
        r,
    )
}

/// Reads the keys of kind odbc.
pub fn odbc(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<LiveOptions> {
    if !odbc::IS_BUILT {
        let place = t.place_of("kind", r).unwrap_or_else(|| at.clone());
        r.error(place, format!("source.kind = \"odbc\": {}", odbc::NOT_BUILT));
    }
    let login = login(t, at, r);
    let call_timeout = t.positive_or("call_timeout", CALL, r);
    let dialects = [("db2i", Dialect::Db2i), ("postgresql", Dialect::PostgreSql)];
    let dialect = t.choice_or("dialect", &dialects, Dialect::Db2i, r);
    followed(t, login.map(|login| Database::Odbc(OdbcOptions { login, dialect, call_timeout })), r)
}

/// The keys of both kinds: what is followed, and how.
fn followed(t: &mut Section<'_>, database: Option<Database>, r: &mut Reader<'_>) -> Option<LiveOptions> {
    let (journal, history) = logs(t, r);
    let name = name(t, r);
    let from = from(t, r);
    let codes = codes(t, r);
    let page = t.integer_or("page", 1_000..1_000_001, 100_000, r);
    let poll = poll(t, r);
    let columns = t.choice_or("columns", &[("auto", 0), ("user_name", 1), ("current_user", 2)], 0, r);
    let remote = t.boolean_or("remote_columns", false, r);
    let columns = (columns > 0).then_some(Columns { user_name: columns == 1, remote });
    let (library, name) = name?;
    Some(LiveOptions {
        database: database?,
        tail: TailOptions { library, journal: name, from, codes, page, rows: 1_000 },
        poll,
        columns,
        journal,
        history,
    })
}

/// `address` with `user` and `password`, or `command`.
fn transport(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<Transport> {
    let (address, command) = (t.string("address", r), t.strings("command", r));
    let (user, password) = (t.string("user", r), t.secret("password", r));
    let tls = tls::tls(t, "source", r);
    match (address, command) {
        (Some(address), None) => {
            let (Some(user), Some(password)) = (user, password) else {
                // Of one that is wrong that is told.
                if t.has("user") && t.has("password") {
                    return None;
                }
                r.error(address.place, "source.address needs user, and password: a file that holds it in its first line, or credential:NAME");
                return None;
            };
            let with_port = if address.value.rsplit(']').next().is_some_and(|end| end.contains(':')) {
                address.value.clone()
            } else {
                format!("{}:{PORT}", address.value)
            };
            let to =
                with_port.parse::<Address>().map_err(|e| r.error(address.place, format!("source.address: {e}"))).ok();
            let user = match user.value {
                name if name.is_empty() || name.contains(':') || name.len() > 10 => {
                    r.error(user.place, format!("source.user = {name:?}: expected a user profile, 1 to 10 characters"));
                    None
                }
                name => Some(name),
            };
            let password = password.value;
            Some(Transport::Socket(Box::new(SocketOptions { address: to?, tls, user: user?, password })))
        }
        (None, Some(command)) if command.value.is_empty() => {
            r.error(
                command.place,
                "source.command is empty: expected a program and its arguments, such as [\"ssh\", \"prod01\", ...]",
            );
            None
        }
        (None, Some(command)) => {
            if let Some(user) = user {
                r.error(user.place, "source.user: with command, the program logs in");
            }
            Some(Transport::Program(command.value.into_iter().map(|p| p.value).collect()))
        }
        (None, None) => {
            r.error(at.clone(), "source.address is missing: the system, HOST or HOST:PORT; or command, a program that speaks Mapepire on its standard input and output");
            None
        }
        (Some(_), Some(command)) => {
            r.error(command.place, "source.command: address is there too; one of them is the way to the system");
            None
        }
    }
}

/// `connection`, or `dsn` with `user` and `password` where the data source does not hold them.
fn login(t: &mut Section<'_>, at: &ConfigLocation, r: &mut Reader<'_>) -> Option<Login> {
    let (connection, dsn) = (t.secret("connection", r), t.string("dsn", r));
    let (user, password) = (t.string("user", r), t.secret("password", r));
    let is_said = |key: &str, is_there: bool| t.has(key) && !is_there;
    if is_said("connection", connection.is_some())
        || is_said("dsn", dsn.is_some())
        || is_said("user", user.is_some())
        || is_said("password", password.is_some())
    {
        // What is wrong with it is told.
        return None;
    }
    match (connection, dsn) {
        (Some(connection), None) => {
            if let Some(place) = user.map(|u| u.place).or(password.map(|p| p.place)) {
                r.error(place, "source.connection: user and password stand in the connection string, as UID= and PWD=");
            }
            Some(Login::Connection(connection.value))
        }
        (None, Some(dsn)) if dsn.value.is_empty() || dsn.value.contains([';', '=', '{', '}', '\0']) => {
            r.error(dsn.place, format!("source.dsn = {:?}: expected the name of a data source of odbc.ini; a connection string stands in a file: connection = \"FILE\"", dsn.value));
            None
        }
        (None, Some(dsn)) => match (user, password) {
            (Some(user), Some(password)) => {
                Some(Login::Dsn { dsn: dsn.value, user: Some((user.value, password.value)) })
            }
            (None, None) => Some(Login::Dsn { dsn: dsn.value, user: None }),
            (user, password) => {
                let place = user.map(|u| u.place).or(password.map(|p| p.place)).unwrap_or(dsn.place);
                r.error(place, "source.dsn: user and password go together; password is a file that holds it in its first line, or credential:NAME");
                None
            }
        },
        (None, None) => {
            r.error(at.clone(), "source.connection is missing: a file that holds an ODBC connection string in its first line, or credential:NAME; or dsn, the name of a data source of odbc.ini");
            None
        }
        (Some(_), Some(dsn)) => {
            r.error(dsn.place, "source.dsn: connection is there too; one of them is the way to the system");
            None
        }
    }
}

/// `read`: the journal, the history log, or both; the journal unless something else is given.
fn logs(t: &mut Section<'_>, r: &mut Reader<'_>) -> (bool, bool) {
    let list = t.strings("read", r);
    t.usual("read", vec!["journal"], r);
    let Some(list) = list else { return (true, false) };
    for log in &list.value {
        if !matches!(log.value.as_str(), "journal" | "history") {
            r.error(log.place.clone(), format!("source.read: {:?}: expected journal or history", log.value));
        }
    }
    let has = |name: &str| list.value.iter().any(|log| log.value == name);
    if list.value.is_empty() {
        r.error(list.place.clone(), "source.read is empty: expected journal, history or both");
    }
    (has("journal"), has("history"))
}

/// A name of an object, in upper case.
pub(super) fn object_name(text: &str) -> IResult<&str, &str, ()> {
    let first = |c: char| c.is_ascii_uppercase() || matches!(c, '#' | '@' | '$');
    let other = move |c: char| first(c) || c.is_ascii_digit() || matches!(c, '_' | '.');
    recognize((satisfy(first), take_while_m_n(0, 9, other))).parse(text)
}

/// `journal`; QSYS/QAUDJRN unless another is given.
fn name(t: &mut Section<'_>, r: &mut Reader<'_>) -> Option<(String, String)> {
    let given = t.string("journal", r);
    let (library, name) = JOURNAL;
    t.usual("journal", format!("{library}/{name}"), r);
    let Some(Placed { value, place }) = given else { return Some((library.to_owned(), name.to_owned())) };
    match whole(value.as_str(), separated_pair(object_name, char('/'), object_name)) {
        Some((library, name)) => Some((library.to_owned(), name.to_owned())),
        None => {
            r.error(place, format!("source.journal = {value:?}: expected LIBRARY/JOURNAL, such as QSYS/QAUDJRN"));
            None
        }
    }
}

/// `from`; now unless something else is given.
fn from(t: &mut Section<'_>, r: &mut Reader<'_>) -> From {
    let given = t.string("from", r);
    t.usual("from", "now", r);
    let Some(Placed { value, place }) = given else { return From::Now };
    whole(value.as_str(), beginning).unwrap_or_else(|| {
        r.error(
            place,
            format!(
                "source.from = {value:?}: expected now, oldest, RECEIVER:SEQUENCE or a time such as 2026-11-20 08:00:00"
            ),
        );
        From::Now
    })
}

/// `now`, `oldest`, a day with or without a time of day, or `RECEIVER:SEQUENCE`.
fn beginning(text: &str) -> IResult<&str, From, ()> {
    // The system would refuse a time that no calendar has, and be asked again and again.
    let exists = |time: &String| chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d-%H.%M.%S%.6f").is_ok();
    let time = verify(alt((entry::moment, entry::midnight)), exists);
    let place = separated_pair(object_name, char(':'), u64);
    alt((
        value(From::Now, tag("now")),
        value(From::Oldest, tag("oldest")),
        map(time, From::Time),
        map(place, |(receiver, sequence)| From::Entry(receiver.to_owned(), sequence)),
    ))
    .parse(text)
}

/// `journal_codes`; T and J unless others are given.
fn codes(t: &mut Section<'_>, r: &mut Reader<'_>) -> String {
    let list = t.strings("journal_codes", r);
    t.usual("journal_codes", CODES.to_vec(), r);
    let Some(list) = list else { return CODES.join(",") };
    for code in &list.value {
        if code.value.len() != 1 || !code.value.starts_with(|c: char| c.is_ascii_uppercase()) {
            r.error(
                code.place.clone(),
                format!("source.journal_codes: {:?}: expected a letter, such as T", code.value),
            );
        }
    }
    let codes: Vec<&str> = list.value.iter().map(|c| c.value.as_str()).collect();
    codes.join(",")
}

/// `poll_interval`; a second at least, because IBM warns of more frequent queries.
fn poll(t: &mut Section<'_>, r: &mut Reader<'_>) -> Duration {
    let place = t.place_of("poll_interval", r);
    let given = t.positive("poll_interval", r);
    t.usual("poll_interval", POLL, r);
    match (given, place) {
        (Some(seconds), Some(place)) if seconds < 1.0 => {
            r.error(place, format!("source.poll_interval = {seconds}: expected 1 or more seconds: IBM warns that more frequent queries disturb the system"));
            Duration::from_secs(1)
        }
        (Some(seconds), _) => Duration::from_secs_f64(seconds),
        (None, _) => Duration::from_secs(u64::from(POLL)),
    }
}
