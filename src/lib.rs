//! `qaudjrn`: the security audit journal of IBM i (QAUDJRN), decoded, filtered and written as lines that SIEMs read.
//!
//! Data flows one way: [`source`] yields the bytes of entries, [`decode`] turns them into a view of one entry,
//! [`event`] gives its values names that do not depend on the entry type, [`filter`] says whether it is sent,
//! [`encode`] writes the line and [`output`] sends it. [`pipeline`] is the one way from an entry to its line; [`cli`] puts all
//! together. [`doctor`]
//! looks at systems, not at entries.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
pub mod agent;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credential;
pub mod decode;
pub mod digest;
pub mod doctor;
pub mod encode;
pub mod event;
pub mod files;
pub mod filter;
pub mod log;
pub mod net;
pub mod output;
pub mod parse;
pub mod pipeline;
pub mod runtime;
pub mod service;
pub mod source;
pub mod spool;
