//! The one door for what the program says of itself: the log of the agent, warnings and errors of every command.
//!
//! Text of strangers (names of files, what servers answer, certificates) is part of many messages. So the door is where
//! all of it becomes harmless, whoever wrote the message: every character that a terminal or a log would obey is made
//! visible, and one message is one line. It is no door for lines that are sent, nor for what a command was asked to
//! print on its standard output; [`Visible`] is for that.
//!
//! Invariants: a message costs its sender no more than a lock, whoever reads standard error (`queue`); order is kept;
//! what is not written is counted; the same message is written ten times at most and summed up once a minute after that
//! (`limits`).
mod limits;
pub mod numbers;
mod queue;
mod visible;

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    panic::Location,
    sync::{Arc, OnceLock},
};

use clap::ValueEnum;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::LevelFilter,
    layer::{Context, Layer, SubscriberExt as _},
    registry::Registry,
    reload,
};

pub use self::visible::{Visible, json, lines};
use self::{
    limits::Key,
    queue::{Queue, Shape},
};

/// How messages are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// A line of text each
    #[default]
    Human,
    /// A JSON object a line: time, level, subject, message
    Json,
}

/// The least that is said.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Least {
    /// What failed
    Error,
    /// And what is odd
    Warn,
    /// And what happens
    #[default]
    Info,
    /// And what helps to find a mistake
    Debug,
}

/// Options of every command.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "What the program says of itself, on standard error")]
pub struct Options {
    /// How messages are written
    #[arg(long = "log-format", global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub form: Form,
    /// The least that is said
    #[arg(long = "log-level", global = true, value_enum, default_value_t, value_name = "LEVEL")]
    pub least: Least,
}

impl Least {
    /// By its name on the command line.
    pub fn parse(name: &str) -> Option<Least> {
        Least::from_str(name, false).ok()
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Least::Error => "error",
            Least::Warn => "warn",
            Least::Info => "info",
            Least::Debug => "debug",
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Least::Error => LevelFilter::ERROR,
            Least::Warn => LevelFilter::WARN,
            Least::Info => LevelFilter::INFO,
            Least::Debug => LevelFilter::DEBUG,
        }
    }
}

static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();
static LEAST: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Opens the door. Before that, and where the library is used without the program, nothing is said.
pub fn start(options: Options) {
    let queue = QUEUE.get_or_init(|| Queue::start(Shape { form: options.form, priorities: queue::is_journal() }));
    let (least, handle) = reload::Layer::new(options.least.filter());
    let _ = LEAST.set(handle);
    let door = Door { queue: queue.clone(), hasher: RandomState::new() };
    // A second start finds the door open.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(least).with(door));
}

/// Changes the least that is said. It counts from the next message on.
pub fn set_least(least: Least) {
    if let Some(handle) = LEAST.get() {
        // It fails only where there is no log any more.
        let _ = handle.modify(|filter| *filter = least.filter());
    }
}

/// From here on nobody waits for a reader of standard error: for the agent, whose work matters more than its log. A
/// command waits a little, so that what it says stands before what it prints.
pub fn never_wait() {
    if let Some(queue) = QUEUE.get() {
        queue.never_wait();
    }
}

/// Writes what is left, sums too, as long as somebody reads it: for the end of the program.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish();
    }
}

/// Says what happens.
#[track_caller]
pub fn info(text: fmt::Arguments<'_>) {
    say(Level::INFO, text);
}

/// Says what is odd.
#[track_caller]
pub fn warn(text: fmt::Arguments<'_>) {
    say(Level::WARN, text);
}

/// Says what failed.
#[track_caller]
pub fn error(text: fmt::Arguments<'_>) {
    say(Level::ERROR, text);
}

/// Says something at a level. What comes from the same line of the program, about the same subject, and differs in numbers
/// only, is the same message.
#[track_caller]
pub fn say(level: Level, text: fmt::Arguments<'_>) {
    let at = Location::caller();
    // The level of an event is part of where it stands in the program.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(Level::$level, file = at.file(), line = at.line(), "{text}")
        };
    }
    match level {
        Level::ERROR => event!(ERROR),
        Level::WARN => event!(WARN),
        Level::INFO => event!(INFO),
        _ => event!(DEBUG),
    }
}

/// Says what strangers can cause as often as they like, such as a record that is no entry: whatever the text, messages of
/// one kind and subject are the same.
pub fn alike(kind: &'static str, text: fmt::Arguments<'_>) {
    tracing::warn!(kind, "{text}");
}

/// Says one of many things of which each is news, such as what is wrong with a configuration: without a limit.
pub fn each(level: Level, text: fmt::Arguments<'_>) {
    match level {
        Level::ERROR => tracing::error!(kind = EACH, "{text}"),
        _ => tracing::warn!(kind = EACH, "{text}"),
    }
}

/// The kind of what has no limit.
const EACH: &str = "each";

/// Writes lines of our own that belong together, such as a summary, as they are: no level, no limit, each line made
/// visible for itself.
pub fn text(text: &str) {
    if let Some(queue) = QUEUE.get() {
        text.lines().for_each(|line| queue.push_line(format!("{}\n", Visible(line))));
    }
}

/// Writes a JSON object on a line of its own.
pub fn object(object: &serde_json::Value) {
    if let Some(queue) = QUEUE.get() {
        queue.push_line(json(&format!("{object}\n")));
    }
}

/// What takes the events of `tracing`.
struct Door {
    queue: Arc<Queue>,
    /// With a key of its own: nobody can choose texts that are taken for others.
    hasher: RandomState,
}

impl<S: Subscriber> Layer<S> for Door {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let metadata = event.metadata();
        let message = visible::line(&said.message);
        let subject = subject(&message);
        let file = if said.file.is_empty() { metadata.file().unwrap_or("").to_owned() } else { said.file };
        let line = if said.line == 0 { metadata.line().unwrap_or(0).into() } else { said.line };
        let keys = match said.kind.as_str() {
            "" => [
                Key { hash: self.hasher.hash_one((&file, line, subject, shape(&message))), most: limits::SAME },
                Key { hash: self.hasher.hash_one((&file, line, subject)), most: limits::SIMILAR },
            ],
            EACH => [Key { hash: 0, most: u32::MAX }; 2],
            kind => [Key { hash: self.hasher.hash_one((kind, subject)), most: limits::SAME }; 2],
        };
        self.queue.push(*metadata.level(), message, keys);
    }
}

/// The fields of an event.
#[derive(Default)]
struct Said {
    message: String,
    kind: String,
    file: String,
    line: u64,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "kind" => value.clone_into(&mut self.kind),
            "file" => value.clone_into(&mut self.file),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "line" {
            self.line = value;
        }
    }
}

/// Whom a message is about: `source NAME`, `listener NAME` or `output NAME`.
fn subject(message: &str) -> &str {
    match message.split_once(": ") {
        Some((subject, _)) if ["source ", "listener ", "output "].iter().any(|kind| subject.starts_with(kind)) => {
            subject
        }
        _ => "",
    }
}

/// A message with what differs between messages of a kind taken out: words that hold a digit.
fn shape(message: &str) -> String {
    let words = message.split_inclusive(|c: char| !c.is_alphanumeric());
    words.map(|w| if w.bytes().any(|b| b.is_ascii_digit()) { "#" } else { w }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_about_the_source_or_output_it_begins_with() {
        assert_eq!(subject("source prod01: offset 7: parked"), "source prod01");
        assert_eq!(subject("output siem: connected again"), "output siem");
        assert_eq!(subject("listener ibmi: 10.0.0.1 is refused"), "listener ibmi");
        assert_eq!(subject("the configuration was read again: 12ab"), "");
        assert_eq!(subject("source"), "");
    }

    #[test]
    fn messages_that_differ_in_numbers_have_one_shape() {
        assert_eq!(shape("offset 12: AUDRCV0042, then X'C1'"), shape("offset 7: AUDRCV0043, then X'F0'"));
        assert_ne!(shape("offset 12: parked"), shape("offset 12: cut"));
    }
}
