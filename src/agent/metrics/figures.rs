//! What is exposed: each figure with its name, its unit, what it means, and where it comes from. [docs/METRICS.md](../../../docs/METRICS.md)
//! says more of each; a test compares them.
use crate::agent::totals::{OutputTotals, SourceTotals, Totals};

/// What a figure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It grows, from 0 at the start. What is taken out of the configuration keeps its sums.
    Counter,
    /// It goes up and down.
    Gauge,
    /// The same, of what the configuration in force has: nothing else has a state.
    State,
}

/// The unit, which ends the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds, or a time as seconds since 1970.
    Seconds,
    /// Bytes.
    Bytes,
}

/// One figure of a `T`.
pub struct Figure<T> {
    /// Without `qaudjrn_`, unit and `_total`.
    pub name: &'static str,
    /// See there.
    pub kind: Kind,
    /// See there.
    pub unit: Unit,
    /// One sentence.
    pub help: &'static str,
    /// Its value.
    pub value: fn(&T) -> u64,
}

const fn count<T>(name: &'static str, help: &'static str, value: fn(&T) -> u64) -> Figure<T> {
    Figure { name, kind: Kind::Counter, unit: Unit::Count, help, value }
}

const fn gauge<T>(name: &'static str, unit: Unit, help: &'static str, value: fn(&T) -> u64) -> Figure<T> {
    Figure { name, kind: Kind::Gauge, unit, help, value }
}

const fn state<T>(name: &'static str, unit: Unit, help: &'static str, value: fn(&T) -> u64) -> Figure<T> {
    Figure { name, kind: Kind::State, unit, help, value }
}

/// The agent at one moment.
#[derive(Clone, Debug, Default)]
pub struct AgentTotals {
    /// The sums.
    pub totals: Totals,
    /// Hash of the configuration in force.
    pub configuration: String,
    /// Seconds since the start.
    pub uptime: u64,
    /// When that was, UTC seconds.
    pub started_at: u64,
    /// Bytes of the spool on the disk.
    pub spool: u64,
    /// Those of them that are in use.
    pub spool_used: u64,
    /// Bytes it may have.
    pub spool_max: u64,
    /// It has them: the sources wait.
    pub is_full: bool,
    /// It cannot be written at present.
    pub is_stuck: bool,
    /// Transactions that stored batches, since the start.
    pub commits: u64,
    /// A new configuration was refused, and the old one stays.
    pub is_refused: bool,
}

/// Of the agent as a whole.
pub const AGENT: [Figure<AgentTotals>; 13] = [
    gauge("uptime", Unit::Seconds, "Seconds since the start", |a| a.uptime),
    gauge("start_time", Unit::Seconds, "When the agent was started, in seconds since 1970", |a| a.started_at),
    gauge("failed", Unit::Count, "1 where something ended that should not have; else 0", |a| {
        u64::from(a.totals.failed)
    }),
    gauge(
        "config_refused",
        Unit::Count,
        "1 where a new configuration was refused and the old one stays; else 0",
        |a| u64::from(a.is_refused),
    ),
    gauge("spool", Unit::Bytes, "Bytes of database, write-ahead log and reserve", |a| a.spool),
    gauge("spool_used", Unit::Bytes, "Those of them that are in use", |a| a.spool_used),
    gauge("spool_max", Unit::Bytes, "Bytes the spool may have", |a| a.spool_max),
    gauge("spool_full", Unit::Count, "1 where the spool has no room and the sources wait; else 0", |a| {
        u64::from(a.is_full)
    }),
    gauge("spool_stuck", Unit::Count, "1 where the spool cannot be written at present; else 0", |a| {
        u64::from(a.is_stuck)
    }),
    count("spool_commits", "Transactions that stored batches, each synced once", |a| a.commits),
    count("spool_events", "Events stored: entries of all sources, and notices", |a| a.totals.stored),
    count("spool_notices", "Events of the agent itself among them", |a| a.totals.notices),
    count("spool_damaged_batches", "Batches found damaged or missing, each told of in a gap event", |a| {
        a.totals.damaged
    }),
];

/// Of each source.
pub const SOURCE: [Figure<SourceTotals>; 15] = [
    count("read", "Records read", |s| s.read),
    count("filtered", "Entries dropped by rules", |s| s.filtered),
    count("refused", "Entries refused because the spool was nearly full: lost", |s| s.refused),
    count("parked", "Records that are no entries", |s| s.parked),
    count("spooled", "Entries spooled", |s| s.spooled),
    count("gaps", "Gaps seen: entries may be missing", |s| s.gaps),
    count("missing_entries", "Sequence numbers known to be missing", |s| s.missing),
    state("up", Unit::Count, "1 where it is read, or was read to its end; 0 where it cannot be", |s| u64::from(s.up)),
    state("down", Unit::Seconds, "Seconds since it was last read, where it cannot be; else 0", |s| s.down_seconds),
    state("halted", Unit::Count, "1 where it waits for another configuration; else 0", |s| u64::from(s.halted)),
    state("ended", Unit::Count, "1 where it will read no more; else 0", |s| u64::from(s.ended)),
    state("incomplete", Unit::Count, "1 where something was read that was not whole or not understood; else 0", |s| {
        u64::from(s.incomplete)
    }),
    state("lacks", Unit::Count, "1 where its entries are sent without what their headings do not hold; else 0", |s| {
        u64::from(s.lacks)
    }),
    state(
        "last_stored_timestamp",
        Unit::Seconds,
        "When its last batch was stored, in seconds since 1970; 0 for never",
        |s| s.stored_at,
    ),
    state(
        "last_entry_timestamp",
        Unit::Seconds,
        "When the last entry that was read was made, in seconds since 1970; 0 for none",
        |s| s.entry_at,
    ),
];

/// Of each output.
pub const OUTPUT: [Figure<OutputTotals>; 24] = [
    count(
        "queued",
        "Events put before it: those that waited when the agent began with it, and all that were stored since",
        |o| o.queued,
    ),
    count("found", "Those of them that waited when the agent began with it", |o| o.found),
    count("sent", "Entries delivered, recalled ones too", |o| o.sent + o.recalled),
    count("notices", "Events of the agent itself that were delivered", |o| o.notices + o.notices_recalled),
    count("refused", "Entries whose datagrams nobody took: lost", |o| o.refused),
    count("notices_refused", "Events of the agent itself whose datagrams nobody took: lost", |o| o.notices_refused),
    count("filtered", "Events dropped by the filter of the output", |o| o.filtered),
    count("unreadable", "Stored events that cannot be read again", |o| o.unreadable),
    count(
        "withdrawn",
        "Events that need no delivery after all: their batch is damaged, or they were delivered before the start",
        |o| o.withdrawn,
    ),
    count(
        "unqueued_notices",
        "Events of the agent itself, delivered or lost, that never waited in the spool: heartbeats",
        |o| o.unqueued,
    ),
    count("recalled", "Lines counted as delivered that were refused after all", |o| o.recalled + o.notices_recalled),
    count("resent", "Events sent once more", |o| o.resent),
    count("connections", "Connections made", |o| o.connections),
    count("connection_failures", "Connections that ended before their time, or were not made", |o| o.failures),
    gauge("waiting", Unit::Count, "Events not delivered yet", |o| o.waiting),
    gauge("oldest_waiting", Unit::Seconds, "Seconds since the oldest of them was read; 0 where none waits", |o| {
        o.oldest_seconds
    }),
    state(
        "unconfirmed",
        Unit::Count,
        "Entries sent on a connection that ended before they arrived, and not again yet",
        |o| o.unconfirmed,
    ),
    state("window", Unit::Count, "Lines sent on its connection and not known to have arrived", |o| o.window),
    state("up", Unit::Count, "1 where it has a connection; else 0", |o| u64::from(o.up)),
    state("down", Unit::Seconds, "Seconds since it had a connection, where it has none; else 0", |o| o.down_seconds),
    state(
        "stalled",
        Unit::Seconds,
        "Seconds since its receiver takes nothing of what it is given; 0 where it does",
        |o| o.stalled_seconds,
    ),
    state(
        "over_budget",
        Unit::Count,
        "1 where the bytes of the day are spent and events wait for the next; else 0",
        |o| u64::from(o.over_budget),
    ),
    state("answered", Unit::Count, "1 where a receiver answered, as none of syslog does: a wrong port?", |o| {
        u64::from(o.answered)
    }),
    state(
        "last_failure_timestamp",
        Unit::Seconds,
        "When a connection failed last, in seconds since 1970; 0 for never",
        |o| o.failed_at,
    ),
];
