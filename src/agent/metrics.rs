//! The agent in numbers, for others: by HTTP ([`server`]) and in a file ([`file`]), both as [`text`] of one snapshot, in which the sums
//! balance ([`totals`](super::totals)).
pub mod figures;
mod file;
mod health;
mod server;
mod text;

use std::fmt;

pub use self::{file::MetricsFile, server::Door, text::Form};
use super::{Shared, Totals};

impl Shared {
    /// Everything that is exposed, with sums of this moment.
    pub(super) fn metrics(&self, totals: Totals, form: Form) -> Result<String, fmt::Error> {
        text::text(self.figures(totals), form)
    }

    fn figures(&self, totals: Totals) -> figures::AgentTotals {
        let health = self.health();
        figures::AgentTotals {
            totals,
            configuration: self.configuration(),
            uptime: self.began.elapsed().as_secs(),
            started_at: self.began_at,
            spool: self.spool.size(),
            spool_used: self.spool.used(),
            spool_max: self.spool.max_size(),
            is_full: health.is_full,
            is_stuck: health.is_stuck,
            commits: self.spool.commits(),
            is_refused: health.is_refused,
        }
    }
}
