//! Whether a folder can be the agent's: it is made private, and everything in it is taken for state.
use std::{
    ffi::OsStr,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{Config, source::Input};
use crate::{
    encode::escape::printable,
    output::Target,
    source::directory::{After, DirectoryOptions},
};

/// What a state folder holds: whole names, and how names begin.
const OWN: [&str; 3] = ["lock", "reserve", "lost+found"];
/// Names that only an agent gives.
const SIGNS: [&str; 4] = ["spool.db", "reserve", "position.0", "position.1"];
const OWN_FRONTS: [&str; 5] = ["spool.db", "position.", "metrics.prom", "control.sock", ".nfs"];

/// How many names of others a message shows.
const SHOWN: usize = 3;

/// What is wrong with the folder; nothing when it is not there yet, empty, or one of ours.
pub fn wrong(folder: &Path, config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let own = whole(folder);
    for s in &config.sources {
        let (path, is_in) = match &s.input {
            Input::Capture(path, _) => (path, whole(path).starts_with(&own)),
            Input::Directory(DirectoryOptions { path, after, .. }) => {
                let to = if let After::Move(to) = after { whole(to).starts_with(&own) } else { false };
                (path, to || whole(path).starts_with(&own))
            }
            _ => continue,
        };
        if is_in {
            found.push(format!(
                "source {} reads or moves its files there ({}): the agent's state needs a folder of its own",
                s.name,
                path.display()
            ));
        }
    }
    for o in &config.outputs {
        if let Target::File(path) = &o.address
            && whole(path).starts_with(&own)
        {
            found.push(format!(
                "output {} writes there ({}): the agent's state needs a folder of its own",
                o.name,
                path.display()
            ));
        }
    }
    if found.is_empty() {
        found.extend(others(folder));
    }
    found
}

/// What stands in the folder that is not ours.
fn others(folder: &Path) -> Option<String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return link_to_nothing(folder),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Some("this is no folder".to_owned()),
        // Whether it can be used is seen when it is.
        Err(_) => return None,
    };
    let mut names = Vec::new();
    let mut others = 0_u32;
    for entry in entries.flatten() {
        let name = entry.file_name();
        // A spool, or what stands beside one: it has been our folder before, whatever somebody has put there since.
        if SIGNS.iter().any(|sign| name == OsStr::new(sign)) {
            return None;
        }
        if !is_own(&name) {
            others += 1;
            if names.len() < SHOWN {
                names.push(name.display().to_string());
            }
        }
    }
    (others > 0).then(|| {
        names.sort();
        let more = if others as usize > SHOWN { ", ..." } else { "" };
        format!(
            "there are files of others in it ({}{more}): the agent makes its folder private and keeps its state there; name one that is empty or not there yet, such as {}",
            names.join(", "),
            folder.join("qaudjrn").display()
        )
    })
}

/// A link in the path that leads nowhere: no folder can be made through it.
fn link_to_nothing(folder: &Path) -> Option<String> {
    // The first that is there by name; what a link leads to must be there as well.
    let link = folder.ancestors().find(|part| fs::symlink_metadata(part).is_ok()).filter(|part| !part.exists())?;
    let to = fs::read_link(link).ok()?;
    Some(format!(
        "{} is a link to {}, which is not there: make that folder, or name another",
        printable(&link.display().to_string()),
        printable(&to.display().to_string())
    ))
}

fn is_own(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    OWN.iter().any(|own| bytes == own.as_bytes()) || OWN_FRONTS.iter().any(|front| bytes.starts_with(front.as_bytes()))
}

/// A path from the root, without links as far as it is there, and without `.` and `..` beyond.
pub fn whole(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|front| Some((front, fs::canonicalize(front).ok()?)));
    let Some((front, mut real)) = there else { return path };
    for part in path.strip_prefix(front).unwrap_or(Path::new("")).components() {
        match part {
            Component::Normal(name) => real.push(name),
            Component::ParentDir => drop(real.pop()),
            _ => {}
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::Catalog;

    fn config(folder: &Path, text: &str) -> Config {
        Config::parse(text, "agent.toml", folder, &Catalog::shipped().unwrap())
    }

    fn found(folder: &Path, text: &str) -> Vec<String> {
        let config = config(folder, text);
        assert_eq!(config.problems, vec![], "{text}");
        wrong(config.state_dir.as_ref().unwrap(), &config)
    }

    #[test]
    fn n5_a_folder_with_files_of_others_is_no_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(found(dir.path(), "state_dir = \"new\""), Vec::<String>::new());
        fs::create_dir(dir.path().join("home")).unwrap();
        assert_eq!(found(dir.path(), "state_dir = \"home\""), Vec::<String>::new());
        for name in ["letter.txt", "a\n", "b", "c"] {
            fs::write(dir.path().join("home").join(name), "x").unwrap();
        }
        let all = found(dir.path(), "state_dir = \"home\"");
        assert!(all.len() == 1 && all[0].contains("files of others") && all[0].contains("home/qaudjrn"), "{all:?}");
        assert!(found(dir.path(), "state_dir = \"home/b\"")[0].contains("no folder"));
    }

    #[test]
    fn h16_a_link_to_nothing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", dir.path().join("link")).unwrap();
        for text in ["state_dir = \"link\"", "state_dir = \"link/below/it\""] {
            let all = found(dir.path(), text);
            assert!(
                all.len() == 1 && all[0].contains("link is a link to /nowhere/at/all, which is not there"),
                "{all:?}"
            );
        }
        fs::create_dir(dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("good")).unwrap();
        assert_eq!(found(dir.path(), "state_dir = \"good/new\""), Vec::<String>::new());
    }

    #[test]
    fn n5_what_the_agent_leaves_behind_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        for name in [
            "lock",
            "reserve",
            "position.1",
            "metrics.prom",
            "metrics.prom.new",
            "spool.db.set-aside-2",
            "spool.db.new",
            "spool.db-wal",
        ] {
            fs::write(state.join(name), "").unwrap();
        }
        assert_eq!(found(dir.path(), "state_dir = \"state\""), Vec::<String>::new());
        fs::write(state.join("spool.db"), "").unwrap();
        fs::write(state.join("notes.txt"), "").unwrap();
        assert_eq!(found(dir.path(), "state_dir = \"state\""), Vec::<String>::new(), "it was ours before");
    }

    #[test]
    fn n5_the_folder_of_a_source_or_an_output_is_no_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("drop")).unwrap();
        let source = |rest: &str| format!("[[source]]\nname = \"s\"\n{rest}\n");
        for text in [
            source("kind = \"directory\"\npath = \"drop\""),
            source("kind = \"directory\"\npath = \"./x/../drop\""),
            source("path = \"drop/day.type5\""),
            source("kind = \"directory\"\npath = \"in\"\nafter = \"move\"\nmove_to = \"../drop\""),
            format!("[[output]]\nname = \"o\"\naddress = \"file:{}/drop/out\"\n", dir.path().display()),
        ] {
            let all = found(dir.path(), &format!("state_dir = \"drop\"\n{text}"));
            assert!(all.len() == 1 && all[0].contains("a folder of its own"), "{text}: {all:?}");
        }
        let beside = source("kind = \"directory\"\npath = \"drop\"");
        assert_eq!(found(dir.path(), &format!("state_dir = \"drop/state\"\n{beside}")), Vec::<String>::new());
    }
}
