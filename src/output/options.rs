//! What a connection and the choice of its address need to know of an output: plain values, without the file they come from.
use std::time::Duration;

use super::{Target, resend_window::ResendPolicy, sink::Framing};
use crate::net::tls::TlsOptions;

/// Of one output.
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// Its name in the log.
    pub name: String,
    /// Where lines go.
    pub address: Target,
    /// Where they go while that cannot be reached, in this order.
    pub failover: Vec<Target>,
    /// How lines follow one another on a stream.
    pub framing: Framing,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// How often the first address is looked for meanwhile; for UDP how often its name is looked up again.
    pub failback_interval: Duration,
    /// How long each may take: the name server, the connection, the handshake.
    pub connect_timeout: Duration,
    /// When a silent network counts as gone.
    pub dead_peer_timeout: Duration,
    /// How long a receiver may take nothing before it counts as gone.
    pub stall_timeout: Duration,
    /// When events of a connection without acknowledgement count as arrived.
    pub resend_window: ResendPolicy,
}

impl OutputOptions {
    /// Its addresses, the first first.
    pub fn addresses(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.address).chain(&self.failover)
    }
}
