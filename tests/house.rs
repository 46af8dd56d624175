//! Rules of the house that no compiler checks, read from the sources: what uses no tokio, which crates there are and why.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All sources below a folder, by their paths from the root, in order.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.insert(name, read(&path));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The program's own code: without files of tests, the tests at the end of a file, and comments.
fn code(folder: &str) -> BTreeMap<String, String> {
    let is_test = |name: &str| name.split('/').any(|part| part.trim_end_matches(".rs").ends_with("tests"));
    let own = sources(folder).into_iter().filter(|(name, _)| !is_test(name));
    own.map(|(name, text)| (name, without_comments(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap())))
        .collect()
}

/// Lines without what stands behind `//`. A text with `//` in it loses its end, which no rule here asks for.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}

/// Decode, event, filter, encode and the store of the spool are plain functions and structs.
#[test]
fn what_is_plain_uses_no_tokio() {
    let rooms = ["src/decode", "src/event", "src/filter", "src/encode"];
    let mut plain: BTreeMap<String, String> = rooms.into_iter().flat_map(code).collect();
    plain.extend(code("src/spool").into_iter().filter(|(name, _)| name.starts_with("src/spool/store")));
    for (name, text) in plain {
        assert!(!words(&text).contains("tokio"), "{name} uses tokio");
    }
}

/// Who asked for this project named these; each crate that is used says in docs/DEPENDENCIES.md why.
#[test]
fn every_crate_has_its_reason_and_the_named_ones_are_there() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let crates = manifest["dependencies"].as_table().unwrap();
    for named in ["encoding_rs", "nom", "tokio", "rustls", "governor", "serde", "toml", "chrono"] {
        assert!(crates.contains_key(named), "{named} is not used");
    }
    let reasons = read(&root().join("docs/DEPENDENCIES.md"));
    // The first column of the table: names, with commas between, and what is said of them in brackets.
    let first = reasons.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let told: BTreeSet<&str> = first.flat_map(|column| column.split(|c: char| ", ()`".contains(c))).collect();
    for name in crates.keys() {
        assert!(told.contains(name.as_str()), "docs/DEPENDENCIES.md says nothing of {name}");
    }
}
