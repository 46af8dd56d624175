//! A source that fails: whether that stays, what is said of it, and when it is tried again.
use std::{sync::atomic::Ordering, time::Duration};

use tokio::runtime::Handle as Runtime;

use super::{TaskContext, log, stats::SourceStats};
use crate::{
    config::{SourceConfig, source::Input},
    net::wait::jittered,
    source::FeedError,
    spool::SpoolError,
};

/// Whether an error stays as long as the configuration does. A file that is read once is there, and is what it is to be, or not;
/// in a folder, or under the name of a followed file, something else may stand in a moment. What only does not work now never does.
pub fn is_permanent(config: &SourceConfig, e: &anyhow::Error) -> bool {
    if e.downcast_ref::<SpoolError>().is_some() || e.downcast_ref::<FeedError>().is_some_and(FeedError::is_not_now) {
        return false;
    }
    let wrong = e.downcast_ref::<FeedError>().is_some_and(FeedError::is_permanent);
    match &config.input {
        Input::Capture(_, follow) => !follow,
        Input::Directory(options) => !options.follow,
        Input::Live(_) | Input::Stream(_) => wrong,
    }
}

/// What keeps a source from being read, and how long it is left alone before it is tried again.
pub struct Trouble {
    /// `source a`, for messages.
    whose: String,
    told: String,
    wait: Duration,
}

/// The first wait after a failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

impl Trouble {
    /// None yet; of a source or listener that messages call so.
    pub fn new(whose: String) -> Trouble {
        Trouble { whose, told: String::new(), wait: Duration::ZERO }
    }

    /// Says what is wrong, once.
    pub fn tell(&mut self, e: &anyhow::Error, rest: &str) {
        let text = e.to_string();
        if self.told != text {
            crate::log::error(format_args!("{}: {text}{rest}", self.whose));
            self.told = text;
        }
    }

    /// It failed after so long: waits until it is to be tried again.
    pub fn pause(&mut self, context: &TaskContext, stats: &SourceStats, e: &anyhow::Error, ran: Duration) {
        Runtime::current().block_on(self.rest(context, stats, e, ran));
    }

    /// The same for a task.
    pub async fn rest(&mut self, context: &TaskContext, stats: &SourceStats, e: &anyhow::Error, ran: Duration) {
        self.tell(e, "; it is tried again");
        stats.set_down(&format!("failed, and tried again: {e}"));
        stats.failed.store(true, Ordering::SeqCst);
        if let Some(lost) = e.downcast_ref::<SpoolError>().filter(|e| e.ends_the_agent()) {
            context.shared.fail(lost);
        }
        if ran > BACKOFF.1 || self.wait.is_zero() {
            self.wait = BACKOFF.0;
        }
        if context.pause_before_retry(jittered(self.wait)).await {
            self.wait = Duration::ZERO;
        }
        self.wait = (self.wait * 2).min(BACKOFF.1);
    }

    /// It is read.
    pub fn is_over(&mut self, stats: &SourceStats) {
        stats.failed.store(false, Ordering::SeqCst);
        if !std::mem::take(&mut self.told).is_empty() {
            log(format_args!("{}: it is read again", self.whose));
        }
    }

    /// It will not be read any more: by itself or because of the end, or for this.
    pub fn finish(&mut self, stats: &SourceStats, result: anyhow::Result<()>) {
        match result {
            Ok(()) => stats.set_up("ended"),
            Err(e) => {
                self.tell(&e, "");
                stats.set_down(&format!("failed: {e}"));
                stats.failed.store(true, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::*;
    use crate::{config::Config, decode::journal::Catalog};

    #[test]
    fn h5_what_only_does_not_work_now_ends_no_source_that_is_read_once() {
        let text = "state_dir = \"state\"\n[[source]]\nname = \"a\"\npath = \"day.type5\"\n[[output]]\nname = \"o\"\naddress = \"null\"\nformat = \"json\"\n";
        let config =
            Config::parse(text, "agent.toml", Path::new("/"), &Catalog::shipped().unwrap()).into_valid(false).unwrap();
        let of = |code: i32| FeedError::Io { what: "day".into(), source: io::Error::from_raw_os_error(code) };
        let stays = |e: anyhow::Error| is_permanent(&config.sources[0], &e);
        for code in [libc::EIO, libc::ESTALE, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ETIMEDOUT] {
            assert!(!stays(of(code).into()), "{code}");
        }
        assert!(!stays(FeedError::NotNow("later".into()).into()));
        assert!(!stays(SpoolError::InUse { path: "lock".into() }.into()));
        for code in [libc::ENOENT, libc::EACCES, libc::EISDIR] {
            assert!(stays(of(code).into()), "{code}");
        }
        assert!(stays(FeedError::Config("no".into()).into()));
    }
}
