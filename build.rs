//! Brings the layout tables into the program: every file of `formats/journal` and `formats/history` as JSON, which is read ten times
//! faster at start than the TOML that people write. A new entry type is one more file and no line of code. And what `--version` says.
use std::{env, fs, io, path::Path};

#[path = "build/commit.rs"]
mod commit;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    describe()?;
    let mut code = String::new();
    for (folder, constant) in [("journal", "FILES"), ("history", "HISTORY")] {
        code.push_str(&tables(folder, constant)?);
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("journal_tables.rs"), code)
}

/// The constant with the tables of `formats/NAME`: pairs of file name and text.
fn tables(name: &str, constant: &str) -> io::Result<String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&root).join("formats").join(name);
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| n.ends_with(".toml"))
        .collect();
    names.sort();
    let mut code = format!("pub(super) const {constant}: &[(&str, &str)] = &[\n");
    for name in &names {
        let path = folder.join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path)?;
        let table: serde_json::Value =
            toml::from_str(&text).map_err(|e| io::Error::other(format!("{}: {e}", path.display())))?;
        let json = Path::new(&out).join(name.replace(".toml", ".json"));
        fs::write(&json, table.to_string())?;
        code.push_str(&format!("    ({name:?}, include_str!({:?})),\n", json.to_string_lossy()));
    }
    code.push_str("];\n");
    Ok(code)
}

/// What the program knows of how it was built: commit, target and features.
fn describe() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let root = Path::new(&root);
    println!("cargo:rerun-if-env-changed=QAUDJRN_COMMIT");
    let commit = match env::var("QAUDJRN_COMMIT") {
        Ok(given) if !given.trim().is_empty() => Some(given.trim().to_owned()),
        // A build for tests, which is not to be made again with every commit, does not ask; nor does it say anything wrong.
        _ if env::var("OPT_LEVEL").is_ok_and(|level| level == "0") => None,
        _ => of_sources(root),
    };
    println!("cargo:rustc-env=QAUDJRN_BUILT_FROM={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=QAUDJRN_TARGET={}", env::var("TARGET").map_err(io::Error::other)?);
    let features: Vec<&str> = env::var_os("CARGO_FEATURE_ODBC").map(|_| "odbc").into_iter().collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    println!("cargo:rustc-env=QAUDJRN_FEATURES={features}");
    Ok(())
}

/// The commit of the sources, looked up again whenever it or they have changed.
fn of_sources(root: &Path) -> Option<String> {
    for path in commit::moves_with(root).into_iter().chain(commit::INPUTS.map(|name| root.join(name))) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    commit::of_checkout(root).or_else(|| commit::of_archive(root))
}
