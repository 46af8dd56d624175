//! What reports for people share, whatever they report: texts in HTML, the file of a page, its style, charts, names and words.
//!
//! For: `what-if` and `report`. Not for: what they say.
pub mod charts;
pub mod evidence;
pub mod file;
pub mod markup;
pub mod style;
pub mod timeline;
pub mod words;
