//! Records that are made of what a file holds: messages of a history log file ([`history_log`]) or of its rows ([`export`]), and entries
//! in retrieve buffers ([`retrieve_buffers`]).
//!
//! For: readers that hand out each record behind its 4-byte length, what was read of the file meanwhile ([`read_trace`]), and what stands in
//! place of a record that could not be made ([`placeholder`]). Not for: opening files and handing records out, which `capture` does.
pub mod export;
pub mod history_log;
pub mod history_row;
pub mod placeholder;
pub mod read_trace;
mod record_queue;
pub mod retrieve_buffers;
