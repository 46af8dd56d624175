//! Writes manual pages and completions of shells: `cargo run --example pages -- FOLDER`.
use std::{env, io, path::Path, process::ExitCode};

mod pages;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("pages: expected a folder: cargo run --example pages -- FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("pages: {}: {e}", Path::new(&folder).display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    pages::manual(&folder.join("man"))?;
    pages::completions(&folder.join("completions"))
}
