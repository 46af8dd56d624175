//! `[metrics]`: where the figures of the agent are to be had: at an address that Prometheus asks, and in a file.
use std::{net::SocketAddr, path::PathBuf};

use super::{
    problem::Problem,
    read::{Reader, Section},
};

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Where it is asked by HTTP; nowhere unless that is said.
    pub listen: Option<SocketAddr>,
    /// The file; `metrics.prom` in the state folder unless another is named.
    pub file: Option<PathBuf>,
    /// Who may read the file, as `chmod` says it.
    pub mode: u32,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        MetricsConfig { listen: None, file: None, mode: MODE }
    }
}

/// Only the agent reads what stands in its state folder.
const MODE: u32 = 0o600;
/// The name of the file in the state folder.
pub const NAME: &str = "metrics.prom";

/// Reads the table. What is odd about it comes with it.
pub fn metrics(s: &mut Section<'_>, state_dir: Option<&PathBuf>, r: &mut Reader<'_>) -> (MetricsConfig, Vec<Problem>) {
    let mut t = s.table("metrics", r);
    let mut odd = Vec::new();
    let mut config = MetricsConfig::default();
    let listen = t.string("listen", r);
    t.otherwise("listen", "nowhere", r);
    let may_be_remote = t.boolean_or("allow_remote", false, r);
    if let Some(listen) = listen {
        match listen.value.parse::<SocketAddr>() {
            Ok(at) if at.ip().is_loopback() || may_be_remote => {
                if !at.ip().is_loopback() {
                    odd.push(Problem::warning(
                        Some(listen.place),
                        format!("metrics.listen = {:?}: whoever reaches it can read the names of sources and outputs, and what is counted: without a password, and in clear text", listen.value),
                    ));
                }
                config.listen = Some(at);
            }
            Ok(at) => r.error(listen.place, format!(
                "metrics.listen = {:?}: others than this machine could ask there: take \"127.0.0.1:{}\", or say metrics.allow_remote = true",
                listen.value,
                at.port()
            )),
            Err(_) => r.error(
                listen.place,
                format!("metrics.listen = {:?}: expected an address with a port, such as \"127.0.0.1:9117\"", listen.value),
            ),
        }
    }
    let file = t.path("file", r);
    t.otherwise("file", format!("{NAME} in state_dir"), r);
    if let Some(file) = file {
        let within = state_dir.is_some_and(|folder| file.value.parent() == Some(folder));
        if file.value.file_name().is_none() {
            r.error(
                file.place,
                "metrics.file: expected the name of a file, such as \"/var/lib/prometheus/node-exporter/qaudjrn.prom\""
                    .to_owned(),
            );
        } else if within && file.value.file_name().is_some_and(|name| name != NAME) {
            r.error(
                file.place,
                format!("metrics.file: in state_dir the file is called {NAME}: name it so, or take another folder"),
            );
        } else {
            config.file = Some(file.value);
        }
    }
    let mode = t.string("mode", r);
    t.usual("mode", format!("{MODE:04o}"), r);
    if let Some(mode) = mode {
        match bits(&mode.value) {
            Some(bits) => config.mode = bits,
            None => r.error(
                mode.place,
                format!("metrics.mode = {:?}: expected \"0600\", \"0640\" or \"0644\": the agent writes the file, others may read it", mode.value),
            ),
        }
    }
    t.finish(r);
    (config, odd)
}

/// A mode in which the agent reads and writes the file, and nobody else does more than read.
fn bits(mode: &str) -> Option<u32> {
    let is_octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(mode, 8).ok().filter(|bits| is_octal && bits & !0o044 == 0o600)
}
