//! What becomes of a file that every output has passed: it stays, is moved or deleted, and its mark with it.
//!
//! File and mark cannot go in one step. So a file with a mark first gets a hidden name that says what is under way, then the mark
//! goes, then the file: whatever ends the agent between, the next start sees it and finishes it, and no mark is left for the next
//! file of that name.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{After, with_end};

/// The end of the hidden name.
const DELIVERED: &str = ".delivered";

/// Does with a file what was asked for. Where that fails, the file is where it was.
pub fn dispose(path: &Path, after: &After) -> io::Result<()> {
    if *after == After::Keep {
        return Ok(());
    }
    if !is_there(&with_end(path, ".done"))? {
        return move_or_delete(path, path, after);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".{name}{DELIVERED}"));
    fs::rename(path, &hidden)?;
    let gone = move_marker(path, after).and_then(|()| move_or_delete(&hidden, path, after));
    if gone.is_err() && is_there(path).is_ok_and(|there| !there) {
        let _ = fs::rename(&hidden, path);
    }
    gone
}

/// Finishes what a killed agent began; returns what it did and could not do.
pub fn finish_interrupted(folder: &Path, after: &After) -> Vec<String> {
    let mut said = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_prefix('.').and_then(|n| n.strip_suffix(DELIVERED)) else { continue };
        if *after == After::Keep {
            continue;
        }
        let path = folder.join(name);
        // Where another file of that name has come, the mark is its own.
        let gone = is_there(&path)
            .and_then(|there| if there { Ok(()) } else { move_marker(&path, after) })
            .and_then(|()| move_or_delete(&entry.path(), &path, after));
        said.push(match gone {
            Ok(()) => format!("{}: it was delivered before, and is put away now", path.display()),
            Err(e) => format!("{}: it was delivered before, and cannot be put away: {e}", entry.path().display()),
        });
    }
    said
}

/// The mark of a file goes where the file will go.
fn move_marker(path: &Path, after: &After) -> io::Result<()> {
    let mark = with_end(path, ".done");
    if !is_there(&mark)? {
        return Ok(());
    }
    match after {
        After::Keep => Ok(()),
        After::Delete => fs::remove_file(mark),
        After::Move(folder) => {
            fs::create_dir_all(folder)?;
            fs::rename(mark, with_end(&free_name(folder, path)?, ".done"))
        }
    }
}

/// A file goes; `called` is the name that it had.
fn move_or_delete(path: &Path, called: &Path, after: &After) -> io::Result<()> {
    match after {
        After::Keep => Ok(()),
        After::Delete => fs::remove_file(path),
        After::Move(folder) => {
            fs::create_dir_all(folder)?;
            fs::rename(path, free_name(folder, called)?)
        }
    }
}

/// A name in a folder that nothing has yet: what goes there is a file that nobody may write over.
fn free_name(folder: &Path, file: &Path) -> io::Result<PathBuf> {
    let plain = folder.join(file.file_name().unwrap_or_default());
    let (mut name, mut n) = (plain.clone(), 0);
    while is_there(&name)? {
        n += 1;
        name = with_end(&plain, &format!(".{n}"));
    }
    Ok(name)
}

/// Whether something goes by a name. An error is no answer: what cannot be looked at now may be there.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn whatever_ends_the_agent_between_file_and_mark_the_next_start_finishes_it() {
        for after in ["delete", "move"] {
            // Killed before the mark went, or behind it.
            for mark_there in [true, false] {
                let dir = tempfile::tempdir().unwrap();
                let (folder, to) = (dir.path().join("in"), dir.path().join("done"));
                fs::create_dir(&folder).unwrap();
                let after = if after == "move" { After::Move(to.clone()) } else { After::Delete };
                fs::write(folder.join(".a.delivered"), "A").unwrap();
                if mark_there {
                    fs::write(folder.join("a.done"), "").unwrap();
                }
                fs::write(folder.join("b"), "B").unwrap();
                assert_eq!(finish_interrupted(&folder, &after).len(), 1);
                assert_eq!(names(&folder), ["b"], "{after:?} {mark_there}");
                if let After::Move(_) = after {
                    let want: &[&str] = if mark_there { &["a", "a.done"] } else { &["a"] };
                    assert_eq!(names(&to), want);
                }
            }
        }
    }

    #[test]
    fn h1_a_name_that_cannot_be_looked_at_is_not_taken_for_free() {
        // Too long for any file system: it is neither there nor not there.
        let dir = tempfile::tempdir().unwrap();
        let file = Path::new(&"n".repeat(300)).to_owned();
        assert!(free_name(dir.path(), &file).is_err());
        // A link to nothing is there: a file that came over it would be followed by nobody.
        std::os::unix::fs::symlink("nothing", dir.path().join("a")).unwrap();
        assert_eq!(free_name(dir.path(), Path::new("a")).unwrap(), dir.path().join("a.1"));
    }

    #[test]
    fn a_file_that_cannot_be_put_away_is_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        for name in ["a", "a.done"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        // A file where the folder is to be.
        fs::write(dir.path().join("done"), "").unwrap();
        assert!(dispose(&file, &After::Move(dir.path().join("done"))).is_err());
        assert_eq!(names(dir.path()), ["a", "a.done", "done"]);
        fs::remove_file(dir.path().join("done")).unwrap();
        dispose(&file, &After::Move(dir.path().join("done"))).unwrap();
        assert_eq!(names(dir.path()), ["done"]);
        assert_eq!(names(&dir.path().join("done")), ["a", "a.done"]);
    }
}
