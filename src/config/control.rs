//! `[control]`: the socket by which a running agent is asked how it is, and told what to do.
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    problem::Problem,
    read::{Placed, Reader, Section},
};
use crate::net::unix;

/// Its name, where the configuration says none.
const NAME: &str = "control.sock";

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Its path, where one is given.
    pub socket: Option<PathBuf>,
}

impl Default for ControlConfig {
    fn default() -> Self {
        ControlConfig { enabled: true, socket: None }
    }
}

impl ControlConfig {
    /// The path of the socket: as it is given; else in the folder that systemd makes for a service (`runtime`, the value of
    /// `RUNTIME_DIRECTORY`), else beside the state. `None` where there is to be none.
    pub fn path(&self, state_dir: Option<&Path>, runtime: Option<&OsStr>) -> Option<PathBuf> {
        if !self.enabled {
            return None;
        }
        let runtime = runtime.and_then(|all| std::env::split_paths(all).find(|folder| folder.is_absolute()));
        self.socket.clone().or_else(|| Some(runtime.as_deref().or(state_dir)?.join(NAME)))
    }

    /// The name in the state folder by which commands find a socket that is elsewhere because systemd made a folder for it.
    pub fn sign(&self, state_dir: &Path) -> Option<PathBuf> {
        self.socket.is_none().then(|| state_dir.join(NAME))
    }
}

/// Why no socket can be there, and what to do.
pub fn too_long(path: &Path) -> Option<String> {
    let excess = unix::excess(path);
    (excess > 0).then(|| {
        format!(
            "control.socket = {}: this path is {excess} bytes too long for a Unix socket: give a shorter one, such as socket = \"/run/qaudjrn/control.sock\" in [control]",
            path.display()
        )
    })
}

/// Reads the table.
pub fn control(s: &mut Section<'_>, r: &mut Reader<'_>) -> (ControlConfig, Option<Problem>) {
    let mut t = s.table("control", r);
    let enabled = t.enabled(r);
    let found = t.path("socket", r);
    t.otherwise("socket", "control.sock in the folder that systemd makes (RUNTIME_DIRECTORY), else in state_dir", r);
    t.finish(r);
    let problem = found
        .as_ref()
        .filter(|_| enabled)
        .and_then(|Placed { value, place }| Some(Problem::error(Some(place.clone()), too_long(value)?)));
    (ControlConfig { enabled, socket: found.map(|p| p.value) }, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_it_is_said_where_systemd_has_a_folder_or_beside_the_state() {
        let usual = ControlConfig::default();
        let state = Some(Path::new("/state"));
        let runtime = |text| Some(OsStr::new(text));
        assert_eq!(usual.path(state, None), Some("/state/control.sock".into()));
        assert_eq!(usual.path(state, runtime("/run/a:/run/b")), Some("/run/a/control.sock".into()));
        assert_eq!(usual.path(state, runtime("")), Some("/state/control.sock".into()));
        assert_eq!(usual.path(None, None), None);
        assert_eq!(usual.sign(Path::new("/state")), Some("/state/control.sock".into()));
        let said = ControlConfig { socket: Some("/s".into()), ..usual };
        assert_eq!(said.path(state, runtime("/run/a")), Some("/s".into()));
        assert_eq!(said.sign(Path::new("/state")), None);
        assert_eq!(ControlConfig { enabled: false, ..said }.path(state, None), None);
    }

    #[test]
    fn a_path_that_is_too_long_is_told_with_what_to_do() {
        assert_eq!(too_long(Path::new("/run/control.sock")), None);
        let text = too_long(Path::new(&format!("/{}", "x".repeat(120)))).unwrap();
        assert!(text.contains("bytes too long for a Unix socket: give a shorter one"), "{text}");
    }
}
