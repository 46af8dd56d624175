//! What the program can say: the texts in its sources.
use std::{fs, path::PathBuf};

use harness::root;

/// The string literals of src, without tests; of each the pieces between what is filled in.
pub fn literals() -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![root().join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("a folder").map(|e| e.expect("a file").path()) {
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && !name.contains("/tests/") {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                found.extend(of(&code));
            }
        }
    }
    found
}

/// The literals of a text: comments are no literals, a backslash at the end of a line goes on in the next.
fn of(code: &str) -> Vec<String> {
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // '"' is a character, and 'a the name of a lifetime.
            '\'' if chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => match chars.next() {
                            Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            Some('n') | None => text.push('\n'),
                            Some(other) => text.push(other),
                        },
                        _ => text.push(c),
                    }
                }
                found.extend(pieces(&text));
            }
            _ => {}
        }
    }
    found
}

/// What stands between places that are filled in.
fn pieces(text: &str) -> Vec<String> {
    let mut depth = 0;
    let cut: String = text
        .chars()
        .map(|c| {
            depth += i32::from(c == '{');
            let here = if depth > 0 { '\0' } else { c };
            depth -= i32::from(c == '}' && depth > 0);
            here
        })
        .collect();
    cut.split('\0').filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

#[test]
fn literals_are_read_as_rust_reads_them() {
    let code = "// \"not this\"\nlet a = '\"'; say(\"it has {} of \\\n     {most:?} left\\\"s\");";
    assert_eq!(of(code), ["it has ", " of ", " left\"s"]);
}
