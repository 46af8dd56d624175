//! What is told, as sections of notes and tables: text and page show the same.

/// A part of the report.
pub struct Section {
    /// Its anchor in the page.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// Sentences before the tables.
    pub notes: Vec<String>,
    /// Tables.
    pub tables: Vec<Table>,
}

impl Section {
    /// Without notes and tables yet.
    pub fn new(id: &'static str, title: &str) -> Section {
        Section { id, title: title.to_owned(), notes: Vec::new(), tables: Vec::new() }
    }
}

/// A column of a table.
#[derive(Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// How it is set.
    pub set: Set,
}

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// A number, or a time: never broken.
    Number,
    /// A word that is short: never broken.
    Word,
    /// A text that may be broken.
    Text,
}

/// Rows and columns.
pub struct Table {
    /// What it holds.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// Rows that there are, where that is known and more than those that are here.
    pub total: u64,
    /// Whether the terminal shows all rows that are here, and not only the first ones.
    pub is_whole: bool,
}

impl Table {
    /// Of rows of which there are no more.
    pub fn new(title: &str, columns: &[(&'static str, Set)], rows: Vec<Vec<String>>) -> Table {
        let columns = columns.iter().map(|(name, set)| Column { name, set: *set }).collect();
        Table { title: title.to_owned(), columns, total: rows.len() as u64, rows, is_whole: false }
    }
}
