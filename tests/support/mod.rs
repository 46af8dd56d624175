//! Shared by `properties.rs` and `command_line.rs`: records made from the layout tables, and parsers of lines.
#![allow(dead_code)] // each of the two uses a part of it

pub mod agent;
pub mod arrived;
pub mod ebcdic;
pub mod findings;
pub mod parse;
pub mod postgres;
pub mod program;
pub mod record;
pub mod rest;
pub mod system;
