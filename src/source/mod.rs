//! Where entries come from. In this version: capture files and standard input ([`capture`]).
pub mod capture;

pub use capture::{Capture, CaptureError, Item};
