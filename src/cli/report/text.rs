//! The report for a terminal: 80 to 120 columns.
use std::fmt::Write as _;

use super::{
    document::{Column, Section, Set, Table},
    result::Report,
};
use crate::{
    cli::page::{evidence, words::clip},
    log::numbers::grouped,
};

/// Columns of the terminal.
const WIDTH: usize = 118;
/// Rows of a table before the rest is only counted.
const SHOWN: usize = 15;
/// A column that may be broken has at least so many.
const LEAST: usize = 14;

/// All of it.
pub fn text(r: &Report<'_>) -> String {
    let mut t = format!("{}\n", r.title());
    t.push_str(&evidence::text(&r.facts()));
    for capture in &r.evidence.captures {
        t.push('\n');
        t.push_str(&evidence::text(&evidence::capture(capture)));
    }
    for section in r.sections() {
        put(&mut t, &section);
    }
    t
}

fn put(t: &mut String, section: &Section) {
    let _ = writeln!(t, "\n{}", section.title.to_uppercase());
    for note in &section.notes {
        wrap(note, WIDTH - 2).iter().for_each(|line| {
            let _ = writeln!(t, "  {line}");
        });
    }
    section.tables.iter().for_each(|table| put_table(t, table));
}

fn put_table(t: &mut String, table: &Table) {
    if !table.title.is_empty() {
        let _ = writeln!(t, "\n  {}", table.title);
    }
    let shown = if table.is_whole { table.rows.len() } else { table.rows.len().min(SHOWN) };
    let rows = table.rows.get(..shown).unwrap_or(&[]);
    if rows.is_empty() {
        return;
    }
    let widths = widths(&table.columns, rows);
    let names: Vec<String> = table.columns.iter().map(|c| c.name.to_owned()).collect();
    for row in std::iter::once(&names).chain(rows) {
        put_row(t, &table.columns, &widths, row);
    }
    let more = table.total.saturating_sub(shown as u64);
    if more > 0 {
        let all = if table.rows.len() > shown { " (with --json or --html)" } else { "" };
        let _ = writeln!(t, "  and {} more{all}", grouped(more));
    }
}

fn put_row(t: &mut String, columns: &[Column], widths: &[usize], row: &[String]) {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(columns.iter().zip(widths))
        .map(|(cell, (column, width))| match column.set {
            Set::Text => wrap(cell, *width),
            _ => vec![clip(cell, (*width).max(4))],
        })
        .collect();
    for n in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
        let mut line = String::from(" ");
        for (cell, (column, width)) in cells.iter().zip(columns.iter().zip(widths)) {
            let piece = cell.get(n).map_or("", String::as_str);
            let _ = match column.set {
                Set::Number => write!(line, " {piece:>width$} "),
                _ => write!(line, " {piece:<width$} "),
            };
        }
        let _ = writeln!(t, "{}", line.trim_end());
    }
}

/// Each column as wide as it needs; where that is too much, those that may be broken give way, the widest first.
fn widths(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|c| c.name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let room = WIDTH - 1;
    while widths.iter().map(|w| w + 2).sum::<usize>() > room {
        let broken = columns.iter().zip(&mut widths).filter(|(c, w)| c.set == Set::Text && **w > LEAST);
        match broken.max_by_key(|(_, w)| **w) {
            Some((_, width)) => *width -= 1,
            None => break,
        }
    }
    widths
}

/// A text in lines of at most so many characters, broken between words where that goes.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(String::new());
            if let [.., last, _] = lines.as_mut_slice() {
                last.extend(word);
            }
            word = rest;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            used += word.len();
            line.extend(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words_and_long_words_where_they_must_be() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn a_wide_table_gives_way_where_it_may() {
        let columns = [("n", Set::Number), ("a", Set::Text), ("b", Set::Text)];
        let row = vec!["1".to_owned(), "x ".repeat(100), "y".repeat(10)];
        let mut t = String::new();
        put_table(&mut t, &Table::new("", &columns, vec![row]));
        assert!(t.lines().all(|l| l.chars().count() <= WIDTH), "{t}");
        assert!(t.contains(&"y".repeat(10)), "{t}");
    }
}
