//! `doctor`: does a system write the audit entries that the agent is to send, and may the agent read them and no more?
//!
//! One way: [`questions`] are asked ([`answers`]), [`findings`] are made of what was answered, [`report`] writes them. All that is sent
//! to the system are queries (R40); commands that would change something are printed for the administrator.
pub mod answers;
pub mod findings;
pub mod layouts;
pub mod questions;
pub mod receivers;
pub mod report;
