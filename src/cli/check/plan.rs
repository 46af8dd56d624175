//! What an agent would do by a configuration, in words: a sentence or two for each source and output.
use std::time::Duration;

use crate::{
    config::{Config, ListenerConfig, OutputConfig, SourceConfig, WhenFull, source::Input},
    log::numbers::grouped,
    output::{Target, sink::Framing},
    source::{
        directory::After,
        live::{Database, LiveOptions, mapepire::Transport, news::From, odbc::Login},
    },
};

/// What it is about, and what that does. Nothing of it was tried.
pub fn plan(config: &Config) -> Vec<(String, String)> {
    let mut all = Vec::new();
    if let Some(folder) = &config.state_dir {
        let full = match config.when_full {
            WhenFull::Wait => "when it is full, sources are not read",
            WhenFull::DropLowestSeverity => "when it is nearly full, entries of low severity are refused",
        };
        all.push((
            "agent".to_owned(),
            format!(
                "keeps its state in {}, with a spool of up to {}: {full}; takes up to {} to end",
                folder.display(),
                size(config.spool_max_size),
                time(config.stop_timeout)
            ),
        ));
    }
    all.extend(config.sources.iter().map(|s| (format!("source {}", s.name), source(s))));
    all.extend(config.listeners.iter().map(|l| (format!("listener {}", l.name), listener(l))));
    all.extend(config.outputs.iter().map(|o| (format!("output {}", o.name), output(o, config))));
    all
}

fn source(s: &SourceConfig) -> String {
    let what = match (&s.history, &s.buffers) {
        (Some(_), _) => "the history log",
        (_, Some(_)) => "retrieve buffers",
        _ => "entries",
    };
    let does = match &s.input {
        Input::Capture(path, true) => format!("follows the file {} as it grows, for {what}", path.display()),
        Input::Capture(path, false) => format!("reads the file {} once, for {what}", path.display()),
        Input::Directory(o) => {
            let after = match &o.after {
                After::Keep => "leaves them there".to_owned(),
                After::Delete => "deletes them when every output has delivered them".to_owned(),
                After::Move(to) => format!("moves them to {} when every output has delivered them", to.display()),
            };
            format!("reads files {} that arrive in {}, for {what}, and {after}", o.pattern, o.path.display())
        }
        Input::Stream(o) => format!("listens on {} for one sender of {what}", o.listen),
        Input::Live(o) => live(o),
    };
    format!("{does}; {}", facts(s))
}

fn facts(s: &SourceConfig) -> String {
    let zone = if s.zone_is_given { s.zone.name() } else { "UTC, because no timezone is given" };
    format!("times are those of {zone}, texts of CCSID {}", s.charset.ccsid())
}

fn live(o: &LiveOptions) -> String {
    let journal = format!("the journal {}/{}", o.tail.library, o.tail.journal);
    let what = match (o.journal, o.history) {
        (true, true) => format!("{journal} and the history log"),
        (false, true) => "the history log".to_owned(),
        _ => journal,
    };
    let of = match &o.database {
        Database::Mapepire(m) => match &m.transport {
            Transport::Socket(s) => format!("of the live system {} as {} (Mapepire)", s.address, s.user),
            // Arguments of a command may be secrets.
            Transport::Program(words) => {
                format!("of a live system through the program {} (Mapepire)", words.first().map_or("", String::as_str))
            }
        },
        Database::Odbc(o) => match &o.login {
            Login::Dsn { dsn, .. } => format!("of the live system behind the data source {dsn} (ODBC)"),
            Login::Connection(file) => format!("of the live system that the connection string in {file} names (ODBC)"),
        },
    };
    let from = match &o.tail.from {
        From::Now => "now".to_owned(),
        From::Oldest => "the oldest entry".to_owned(),
        From::Entry(receiver, number) => format!("{receiver}:{number}"),
        From::Time(time) => time.clone(),
    };
    format!("reads {what} {of} every {}, at first from {from}", time(o.poll))
}

fn listener(l: &ListenerConfig) -> String {
    let known = match l.senders.len() {
        0 => String::new(),
        1 => " 1 sender of its table and".to_owned(),
        n => format!(" {n} senders of its table and"),
    };
    let others = match &l.template {
        Some((before, behind)) => format!("others as {}/{before}NAME{behind}", l.name),
        None => "nobody else".to_owned(),
    };
    format!(
        "listens on {} for{known} {others}, {} in all; {}",
        l.options.listen,
        grouped(l.max_senders as u64),
        facts(&l.usual)
    )
}

fn output(o: &OutputConfig, config: &Config) -> String {
    let mut text = format!("writes {} lines", o.format.key().to_uppercase());
    let header = o.header.unwrap_or(o.format.default_header());
    let most = o.max_size.unwrap_or_else(|| {
        let usual = o.format.default_max_size();
        if matches!(o.address, Target::Udp(_)) { usual.min(crate::config::output::UDP_SIZE) } else { usual }
    });
    text.push_str(&format!(" (header {}, up to {} bytes", header.key(), grouped(most as u64)));
    if matches!(o.address, Target::Tcp(_) | Target::Tls(_)) {
        let framing = match o.framing() {
            Framing::Octet => "octet counting",
            Framing::Newline => "newlines",
        };
        text.push_str(&format!(", framed by {framing}"));
    }
    text.push_str(&format!(") to {}", o.address));
    for other in &o.failover {
        text.push_str(&format!(", else {other}"));
    }
    text.push_str("; ");
    text.push_str(&limits(o));
    let heartbeat = o.heartbeat.unwrap_or(config.heartbeat);
    text.push_str(&match heartbeat {
        Duration::ZERO => "; no heartbeat".to_owned(),
        every => format!("; a heartbeat every {}", time(every)),
    });
    let first: Vec<String> = o.priority_types.send.iter().map(|r| r.pattern.to_string()).collect();
    if !first.is_empty() {
        text.push_str(&format!("; when it is behind, {} go first", first.join(", ")));
    }
    text
}

fn limits(o: &OutputConfig) -> String {
    let l = &o.limits;
    let mut all = Vec::new();
    all.extend(l.events_per_second.map(|n| format!("{n} events a second")));
    all.extend(l.bytes_per_second.map(|n| format!("{} a second", size(n))));
    if let Some(n) = l.bytes_per_day {
        let mut pass: Vec<String> = o.pass.types.send.iter().map(|r| r.pattern.to_string()).collect();
        pass.extend(o.pass.severity.map(|n| format!("severity {n} and more")));
        let but = if pass.is_empty() { String::new() } else { format!(" but for {}", pass.join(", ")) };
        all.push(format!("{} a day of {}{but}", size(n), l.zone.name()));
    }
    if all.is_empty() { "without limit".to_owned() } else { format!("at most {}", all.join(" and ")) }
}

/// A size in the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 6] =
        [("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1_000)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", grouped(bytes / unit)),
        None => format!("{} bytes", grouped(bytes)),
    }
}

fn time(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::decode::journal::Catalog;

    #[test]
    fn what_would_run_is_said_in_a_sentence_each() {
        let text = "state_dir = \"/s\"\n[spool]\nmax_size = \"1500MB\"\n\
            [[source]]\nname = \"a\"\npath = \"/day\"\nfollow = true\ntimezone = \"Europe/Berlin\"\n\
            [[source]]\nname = \"b\"\nkind = \"mapepire\"\naddress = \"prod01\"\nuser = \"U\"\npassword = \"pw\"\nread = [\"journal\", \"history\"]\n\
            [[listener]]\nname = \"l\"\nlisten = \"unix:/t\"\ninput = \"type5\"\nccsid = 273\n\
            [[output]]\nname = \"o\"\naddress = \"tls://h:1\"\nfailover = [\"tls://i:1\"]\nformat = \"leef\"\nheartbeat = 0\n\
            meter = { events_per_second = 2.5, bytes_per_day = \"1GB\", pass_severity = 8 }\npriority_types = [\"PW\"]\n\
            [[output]]\nname = \"u\"\naddress = \"udp://h:1\"\npriority_types = []\n\
            [[output]]\nname = \"off\"\naddress = \"null\"\nenabled = false\n";
        let config = Config::parse(text, "agent.toml", Path::new("/"), &Catalog::shipped().unwrap());
        let config = config.into_valid(false).unwrap();
        let said: Vec<String> = plan(&config).into_iter().map(|(what, words)| format!("{what}: {words}")).collect();
        assert_eq!(
            said,
            [
                "agent: keeps its state in /s, with a spool of up to 1,500 MB: when it is full, sources are not read; takes up to 30 s to end",
                "source a: follows the file /day as it grows, for entries; times are those of Europe/Berlin, texts of CCSID 37",
                "source b: reads the journal QSYS/QAUDJRN and the history log of the live system prod01:8076 as U (Mapepire) every 2 s, at first from now; times are those of UTC, because no timezone is given, texts of CCSID 37",
                "listener l: listens on unix:/t for others as l/NAME, 1,000 in all; times are those of UTC, because no timezone is given, texts of CCSID 273",
                "output o: writes LEEF lines (header rfc3164, up to 4,000 bytes, framed by octet counting) to tls://h:1, else tls://i:1; at most 2.5 events a second and 1 GB a day of UTC but for severity 8 and more; no heartbeat; when it is behind, PW go first",
                "output u: writes CEF lines (header rfc5424, up to 2,048 bytes) to udp://h:1; without limit; a heartbeat every 60 s",
            ]
        );
    }
}
