//! TLS by rustls: to a receiver or server ([`client`]), certificates by fingerprint ([`pin`]), certificates and keys in files ([`pem`]), what a handshake
//! showed ([`witness`]).
pub mod client;
pub mod pem;
pub mod pin;
pub mod witness;

pub use client::TlsOptions;
