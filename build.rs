//! Brings the layout tables into the program: every file of `formats/journal` and `formats/history` as JSON, which is read ten times
//! faster at start than the TOML that people write. A new entry type is one more file and no line of code.
use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
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
