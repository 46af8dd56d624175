//! How a running agent is asked how it is, and told what to do: by a Unix socket for its own user and root.
//!
//! A request and each answer is a JSON object on a line ([`protocol`], docs/CONTROL.md). How the agent is, is plain data
//! ([`snapshot`]), in words in one place ([`words`]). Who asks costs the agent a task and a moment, whatever he does ([`server`]).
pub mod protocol;
pub mod server;
pub mod snapshot;
pub mod socket;
mod view;
pub mod words;
