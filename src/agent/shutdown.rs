//! How an agent ends.
use tokio_util::sync::CancellationToken;

use super::tasks::Kind;

/// How an agent ends: its sources first, then its outputs in good order, and at once when the time for that is over.
#[derive(Default)]
pub struct Shutdown {
    /// The wish to stop: sources end.
    pub(super) sources: CancellationToken,
    /// No source will add anything: outputs finish what they have on the way.
    pub(super) outputs: CancellationToken,
    /// The time is over: whatever goes on ends.
    pub(super) abort: CancellationToken,
}

impl Shutdown {
    /// Tells those of one kind to end in good order.
    pub(super) fn drain(&self, kind: Kind) -> &CancellationToken {
        match kind {
            Kind::Source => &self.sources,
            Kind::Output => &self.outputs,
        }
    }
}
