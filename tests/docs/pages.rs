//! The pages as their readers see them: blocks of commands and configurations, each with what a comment before it says.
//!
//!     <!-- elsewhere: REASON -->     the commands are for another machine, and are only read
//!     <!-- file: NAME -->            the block is that file from here on
use std::{fs, path::Path};

use harness::root;

/// A fenced block.
pub struct Block {
    /// Path from the root.
    pub page: String,
    /// Of its first line, from 1.
    pub line: usize,
    /// What stands behind the fence: `sh`, `toml`.
    pub language: String,
    pub text: String,
    /// Why it runs elsewhere.
    pub elsewhere: Option<String>,
    /// The file it is.
    pub file: Option<String>,
}

impl Block {
    /// For messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// Whether it has commands.
    pub fn is_shell(&self) -> bool {
        ["sh", "bash", "console"].contains(&self.language.as_str())
    }
}

/// README.md and the pages of docs/, by name.
pub fn pages() -> Vec<(String, String)> {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let folder = fs::read_dir(root().join("docs")).expect("docs").map(|e| e.expect("a page").path());
    let mut found: Vec<(String, String)> = folder
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| (format!("docs/{}", path.file_name().expect("a name").display()), read(&path)))
        .collect();
    found.push(("README.md".to_owned(), read(&root().join("README.md"))));
    found.sort();
    found
}

/// The blocks of a page, in order.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let (mut elsewhere, mut file) = (None, None);
    for (n, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        match (&mut open, trimmed.strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                open = Some(Block {
                    page: page.to_owned(),
                    line: n + 2,
                    language: language.to_owned(),
                    text: String::new(),
                    elsewhere: elsewhere.take(),
                    file: file.take(),
                });
            }
            (None, None) => {
                elsewhere = said(trimmed, "elsewhere");
                file = said(trimmed, "file");
            }
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    found
}

/// What a comment says of the block behind it.
fn said(line: &str, key: &str) -> Option<String> {
    let rest = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.strip_prefix(key)?;
    Some(rest.strip_prefix(": ")?.to_owned())
}

/// The page without its blocks: what is between them.
pub fn prose(text: &str) -> String {
    let mut inside = false;
    let outside = text.lines().filter(|line| {
        let fence = line.trim().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    outside.collect::<Vec<_>>().join("\n")
}

/// The words of a command, as a shell cuts them; without its comment.
pub fn words(command: &str) -> Vec<String> {
    let (mut all, mut word, mut quote, mut some) = (Vec::new(), String::new(), None, false);
    for c in command.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.push(c),
            None if c == '\'' || c == '"' => (quote, some) = (Some(c), true),
            None if c == '#' && word.is_empty() && !some => break,
            None if c.is_whitespace() => {
                if some || !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
                some = false;
            }
            None => word.push(c),
        }
    }
    if some || !word.is_empty() {
        all.push(word);
    }
    all
}

#[test]
fn blocks_and_words_are_cut_as_readers_and_shells_cut_them() {
    let text = "a\n<!-- elsewhere: an IBM i -->\n```sh\nls 'a b' \"c\" # d\n```\n\n```toml\nx = 1\n```\n";
    let found = blocks("page", text);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].elsewhere.as_deref()), (4, Some("an IBM i")));
    assert_eq!((found[1].language.as_str(), found[1].elsewhere.as_deref()), ("toml", None));
    assert_eq!(words(&found[0].text), ["ls", "a b", "c"]);
    assert_eq!(prose(text).trim(), "a\n<!-- elsewhere: an IBM i -->");
}
