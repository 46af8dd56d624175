//! Which commit a build is made of: for `build.rs`, and for the test of it. It says what is in the sources, never when they were built,
//! so that the same sources become the same program.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What becomes part of the program: with a change in one of these it is not what the commit says.
pub const INPUTS: [&str; 7] = ["src", "formats", "filters", "build", "build.rs", "Cargo.toml", "Cargo.lock"];

/// The commit of a checkout and its date: `0123... (2026-11-30)`, with changes where it is not all there is. `None` where this is no
/// checkout of its own, or git is not to be had.
pub fn of_checkout(root: &Path) -> Option<String> {
    // Sources unpacked within somebody's repository are none of its commits.
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let commit = commit(&git(root, &["show", "-s", "--format=%H %cs", "HEAD"])?)?;
    let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--"];
    status.extend(INPUTS);
    let changed = if git(root, &status)?.is_empty() { "" } else { ", with changes" };
    Some(format!("{commit}{changed}"))
}

/// The commit of what `git archive` packed, which writes it into `build/archive`.
pub fn of_archive(root: &Path) -> Option<String> {
    commit(&fs::read_to_string(root.join("build/archive")).ok()?)
}

/// The files that change with the commit of a checkout.
pub fn moves_with(root: &Path) -> Vec<PathBuf> {
    let path = |name| Some(root.join(git(root, &["rev-parse", "--git-path", name])?));
    ["HEAD", "logs/HEAD"].into_iter().filter_map(path).filter(|p| p.exists()).collect()
}

/// `HASH DATE` in the words of the program.
fn commit(text: &str) -> Option<String> {
    let (hash, date) = text.trim().split_once(' ')?;
    let is_commit = hash.len() >= 40 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    is_commit.then(|| format!("{hash} ({date})"))
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
