//! Connections, for both ends: outputs that send and sources that read.
//!
//! For: addresses, names and connections ([`connect`]), their sockets ([`sys`]), TLS and whom it trusts ([`tls`]), what the kernel knows of a connection
//! ([`tcp_info`]), making Unix sockets that others connect to ([`unix`]). Not for: what is said on a connection.
pub mod address;
pub mod connect;
mod error;
pub mod sys;
pub mod tcp_info;
pub mod tls;
pub mod unix;
pub mod wait;

pub use address::Address;
pub use error::ConnectError;
