//! The state folder: whether a start could use it, who has it, how much room there is. It is only looked at.
use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, StatVfs, access, statvfs};
use serde_json::Value;

use super::finding::Finding;
use crate::{
    config::Config,
    spool::{inspect::Inspector, is_in_use},
};

/// What an agent left there.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The folder; none where the configuration has none.
    folder: Option<PathBuf>,
    /// An agent uses it at present.
    pub is_in_use: bool,
}

impl State {
    /// Looks.
    pub fn look(config: &Config) -> (State, Vec<Finding>) {
        let Some(folder) = config.state_dir.clone() else { return (State::default(), Vec::new()) };
        let state = State { is_in_use: is_in_use(&folder), folder: Some(folder.clone()) };
        let finding = state.finding(&folder, config.spool_max_size);
        let finding = finding.with("path", folder.display().to_string()).with("in_use", state.is_in_use);
        (state, vec![finding])
    }

    /// The place of a source that was stored last, as its position has it, and the places of its files.
    pub fn stored(&self, source: &str) -> (Value, std::collections::BTreeMap<String, (String, i64)>) {
        let Some(spool) = self.spool() else { return Default::default() };
        let position = spool.sources().ok().and_then(|all| all.into_iter().find(|s| s.name == source));
        let position = position.and_then(|s| serde_json::from_str(&s.position).ok()).unwrap_or_default();
        (position, spool.files(source).unwrap_or_default())
    }

    fn spool(&self) -> Option<Inspector> {
        let path = self.folder.as_ref()?.join("spool.db");
        // Whoever reads a database that an agent has leaves files beside it that are the agent's.
        if self.is_in_use { Inspector::open(&path).ok() } else { Inspector::open_unused(&path).ok() }
    }

    fn finding(&self, folder: &Path, most: u64) -> Finding {
        let shown = folder.display();
        // As far as it is there: a start makes the rest.
        let Some(there) = folder.ancestors().find(|part| part.exists()) else {
            return Finding::failed(
                "state",
                format!("{shown}: no folder of its path is there: make one, or name another"),
            );
        };
        if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            return Finding::failed(
                "state",
                format!(
                    "{}: the user that runs this command may not write there: run it as the user of the agent, or let that user write there",
                    there.display()
                ),
            );
        }
        let place = match (there == folder, self.is_in_use) {
            (false, _) => format!("{shown} is made with the first start"),
            (true, true) => format!("{shown} is used by an agent that runs"),
            (true, false) => format!("{shown} can be written, and no agent uses it at present"),
        };
        let StatVfs { f_bavail, f_frsize, .. } = match statvfs(there) {
            Ok(found) => found,
            Err(e) => return Finding::warning("state", format!("{place}; how much room there is cannot be told: {e}")),
        };
        let free = f_bavail.saturating_mul(f_frsize);
        let grows = most.saturating_sub(used(folder));
        let room = format!("{} are free, and the spool may grow by {}", megabytes(free), megabytes(grows));
        let finding = if free < grows {
            let advice = "the disk is full before the spool is: make room, or set spool.max_size lower";
            Finding::warning("state", format!("{place}; {room}: {advice}"))
        } else {
            Finding::ok("state", format!("{place}; {room}"))
        };
        finding.with("free_bytes", free).with("spool_may_grow_bytes", grows)
    }
}

/// Bytes of the spool that are there.
fn used(folder: &Path) -> u64 {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    let own = all.filter(|f| f.file_name().to_string_lossy().starts_with("spool.db"));
    own.filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum()
}

/// Bytes for people.
pub fn megabytes(bytes: u64) -> String {
    const MB: u64 = 1_000_000;
    match bytes / MB {
        n if n >= 10_000 => format!("{} GB", crate::log::numbers::grouped(n / 1_000)),
        n => format!("{} MB", crate::log::numbers::grouped(n)),
    }
}
