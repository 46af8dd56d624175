//! The files of a configuration: the one that is named, and those in the folder `conf.d` beside it.
//!
//! They are read as one: what may be there more than once (`[[source]]`, `[[output]]`) adds up, and all else stands in one of them.
use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use toml::Value;

use super::{ConfigError, Problem, read::Reader};
use crate::{
    digest::{checksum, hex},
    files::read_regular,
};

/// The tables of which several files may have some.
pub const MANY: [&str; 4] = ["source", "listener", "output", "test"];

/// The longest configuration: some million rules.
pub const LONGEST: u64 = 256 << 20;

/// Files beside the first one, at most.
const MOST: usize = 10_000;

/// The folder beside the file.
const FOLDER: &str = "conf.d";

/// A file and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// The name that problems give it.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// The file of this path, and behind it those of the folder `conf.d`, by the bytes of their names. One that cannot be read is
/// an error; what is hidden, or not called `NAME.toml`, is none of them.
pub fn read(path: &Path) -> Result<Vec<ConfigText>, ConfigError> {
    let mut all = vec![text_of(path, LONGEST)?];
    let folder = path.parent().unwrap_or(Path::new("")).join(FOLDER);
    for name in names(&folder)? {
        let room = all.iter().fold(LONGEST, |room, t| room.saturating_sub(t.text.len() as u64));
        all.push(text_of(&folder.join(name), room)?);
    }
    Ok(all)
}

/// What of the folder is read, in order.
fn names(folder: &Path) -> Result<Vec<OsString>, ConfigError> {
    let wrong = |e: String| {
        ConfigError(vec![Problem::error(None, format!("cannot read the configuration in {}: {e}", folder.display()))])
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            return Err(wrong("expected a folder of files NAME.toml".to_owned()));
        }
        Err(e) => return Err(wrong(e.to_string())),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| wrong(e.to_string()))?.file_name();
        let bytes = name.as_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            names.push(name);
        }
        if names.len() > MOST {
            return Err(wrong(format!("expected {MOST} files at most, found more")));
        }
    }
    names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names)
}

/// The text of a file; says where it is no UTF-8.
fn text_of(path: &Path, at_most: u64) -> Result<ConfigText, ConfigError> {
    let wrong = |place, text: String| ConfigError(vec![Problem::error(place, text)]);
    let cannot = |e: io::Error| wrong(None, format!("cannot read the configuration {}: {e}", path.display()));
    let bytes = read_regular(path, at_most).map_err(cannot)?;
    let file = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(e.as_bytes().get(..valid).unwrap_or(&[])).into_owned();
        let place = Reader::new([(file.as_str(), before.as_str())]).place(valid..valid);
        wrong(Some(place), "this byte is no UTF-8: save the file as UTF-8".to_owned())
    })?;
    Ok(ConfigText { file, text })
}

/// SHA-256 over what the files say, comments and blanks aside, and in whichever of them it stands. Files and variables that they
/// name count by their names only, so that no secret can be in it.
pub fn hash(files: &[ConfigText]) -> String {
    let mut all = toml::Table::new();
    for text in files {
        let Ok(table) = text.text.parse::<toml::Table>() else {
            // Nothing runs with it.
            let whole: Vec<&str> = files.iter().map(|t| t.text.as_str()).collect();
            return hex(&checksum(whole.join("\n").as_bytes()));
        };
        for (key, value) in table {
            match (all.get_mut(&key), value) {
                (Some(Value::Array(some)), Value::Array(more)) => some.extend(more),
                (_, value) => drop(all.insert(key, value)),
            }
        }
    }
    hex(&checksum(all.to_string().as_bytes()))
}

/// Where relative paths begin.
pub fn folder(path: &Path) -> PathBuf {
    path.parent().map(PathBuf::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, process::Command};

    use super::*;
    use crate::{config::Config, decode::journal::Catalog};

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn load(dir: &tempfile::TempDir) -> Result<Config, ConfigError> {
        Config::load(&dir.path().join("agent.toml"), &Catalog::shipped().unwrap())
    }

    fn problems(dir: &tempfile::TempDir) -> Vec<String> {
        let front = format!("{}/", dir.path().display());
        match load(dir) {
            Ok(config) => config.problems.iter().map(|p| p.to_string().replace(&front, "")).collect(),
            Err(e) => vec![e.to_string().replace(&front, "")],
        }
    }

    const A: &str = "[[output]]\nname = \"a\"\naddress = \"null\"\n";
    const S: &str = "[[source]]\nname = \"s\"\npath = \"day.type5\"\n";

    #[test]
    fn files_of_the_folder_add_up_in_the_order_of_their_names() {
        let b = A.replace("\"a\"", "\"b\"");
        let c = A.replace("\"a\"", "\"c\"");
        let dir = folder_with(&[
            ("agent.toml", &format!("state_dir = \"state\"\n{A}")),
            ("conf.d/B.toml", &b),
            ("conf.d/a.toml", &format!("{c}{S}")),
            ("conf.d/.hidden.toml", "this is not TOML"),
            ("conf.d/a.toml.bak", "nor this"),
            ("conf.d/notes", "nor this"),
        ]);
        let config = load(&dir).unwrap();
        assert_eq!(config.problems, vec![]);
        let names: Vec<&str> = config.outputs.iter().map(|o| o.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        // Relative paths begin beside the main file, whichever file says them.
        assert!(format!("{:?}", config.sources[0].input).contains(&format!("{}/day.type5", dir.path().display())));
        // The hash is that of what is said, wherever it stands.
        let one = folder_with(&[("agent.toml", &format!("state_dir = \"state\"\n{A}{b}{c}{S}"))]);
        assert_eq!(load(&one).unwrap().hash, config.hash);
        fs::write(dir.path().join("conf.d/a.toml"), format!("{c}{S}follow = true\n")).unwrap();
        assert_ne!(load(&dir).unwrap().hash, config.hash);
    }

    #[test]
    fn what_stands_in_two_files_is_an_error_that_names_both() {
        let dir = folder_with(&[
            ("agent.toml", "stop_timeout = 5\n[filter]\ntypes.exclude = [\"SF\"]\n"),
            ("conf.d/a.toml", "\nstop_timeout = 6\n[filter]\nusers.exclude = [\"BILL\"]\n"),
        ]);
        let all = problems(&dir);
        assert_eq!(all.len(), 2, "{all:?}");
        for (said, of) in all.iter().zip([
            "conf.d/a.toml:2:1: error: stop_timeout stands in agent.toml:1:1 too",
            "conf.d/a.toml:3:2: error: [filter] stands in agent.toml:2:2 too",
        ]) {
            assert!(said.starts_with(of), "{said}");
        }
    }

    #[test]
    fn every_problem_names_its_own_file_line_and_column() {
        let dir = folder_with(&[
            ("agent.toml", "state_dir = 7"),
            ("conf.d/a.toml", "[[output]]\nname = \"a\"\naddress = \"nul\"\n"),
            (
                "conf.d/b.toml",
                "# \u{e9}\n[[output]]\nname = \"a\"\naddress = \"null\"\nformat = { a = 1 }\nfilter.users.exclude = [\n \"TOOLONGNAMEX\"]",
            ),
            ("conf.d/c.toml", "x = ["),
        ]);
        let all = problems(&dir);
        for of in [
            "agent.toml:1:13: error: state_dir: expected",
            "conf.d/a.toml:3:11: error: output.address: ",
            "conf.d/b.toml:3:8: error: output.name: there are two",
            "conf.d/b.toml:5:10: error: output.format: expected",
            "conf.d/b.toml:7:2: error: users.exclude: TOOLONGNAMEX",
            "conf.d/c.toml:1:",
        ] {
            assert!(all.iter().any(|p| p.starts_with(of)), "{of}\n{all:#?}");
        }
    }

    #[test]
    fn a_link_to_a_file_is_read_and_what_is_no_file_is_refused() {
        let dir = folder_with(&[("agent.toml", S), ("elsewhere", A)]);
        symlink(dir.path().join("elsewhere"), dir.path().join("conf.d/link.toml")).unwrap();
        assert_eq!(load(&dir).unwrap().outputs.len(), 1);
        fs::create_dir(dir.path().join("conf.d/folder.toml")).unwrap();
        assert!(
            problems(&dir)[0].contains("conf.d/folder.toml: expected a file, found a directory"),
            "{:?}",
            problems(&dir)
        );
        fs::remove_dir(dir.path().join("conf.d/folder.toml")).unwrap();
        assert!(Command::new("mkfifo").arg(dir.path().join("conf.d/p.toml")).status().unwrap().success());
        assert!(problems(&dir)[0].contains("found a named pipe"));
        fs::remove_file(dir.path().join("conf.d/p.toml")).unwrap();
        symlink("nowhere", dir.path().join("conf.d/nowhere.toml")).unwrap();
        assert!(problems(&dir)[0].contains("cannot read the configuration conf.d/nowhere.toml"));
        fs::remove_dir_all(dir.path().join(FOLDER)).unwrap();
        fs::write(dir.path().join(FOLDER), "").unwrap();
        assert!(problems(&dir)[0].contains("expected a folder of files NAME.toml"));
    }
}
