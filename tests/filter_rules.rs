//! Every rule of `[filter]` through the real program: what it drops, what it must leave alone, how it is reported.
//!
//! Each test makes a small capture from records built byte by byte, and holds it against a table. A row is the rules,
//! the entries that are sent, and the entries that each rule drops; together they must be all entries of the capture,
//! so an entry nobody thought of cannot go missing unseen. The summary's rule, file and line are checked in every row.
//! Not here: the sums on large captures (`filter_sums.rs`). Nothing here knows how the filter works inside.
mod rules;
