//! TLS by rustls: to a receiver or server ([`client`]), certificates by fingerprint ([`pin`]), certificates and keys in files ([`pem`]).
pub mod client;
pub mod pem;
pub mod pin;

pub use client::TlsOptions;
