//! The tables of `filter_rules.rs`, one module a rule kind, and the bench they share.
mod audit_changes;
mod bench;
mod ifs;
mod objects;
mod outputs;
mod places;
mod presets;
mod types;
mod users;
