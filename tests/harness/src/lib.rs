//! What tests share: driving the program and the systems it talks to, making captures and records, taking lines apart.
//!
//! It shares no code with the product. Everything panics with a message: these are tests.
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

pub mod agent;
pub mod arrived;
pub mod ebcdic;
pub mod findings;
pub mod parse;
pub mod peers;
pub mod postgres;
pub mod program;
pub mod record;
pub mod rest;
pub mod system;

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/harness")
}

/// A port of this machine on which nobody listens.
pub fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port()
}

/// Where cargo has put what it built: `target/PROFILE`, two levels above the test program that runs.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test program");
    let found = test.ancestors().nth(2).unwrap_or_else(|| panic!("{} is not below target/", test.display()));
    found.to_owned()
}

/// A folder below `target/` for what many tests share.
fn temporary() -> PathBuf {
    let folder = built().join("tmp");
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    folder
}
