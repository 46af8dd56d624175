//! `pin`: what a receiver shows, so that an administrator can decide to trust it.
use super::{
    console::print,
    exit::{Exit, Failure},
};
use crate::log::Visible;
use crate::net::{
    Address, ConnectError,
    tls::{
        client,
        pin::{self, Pin},
    },
};
use crate::runtime;

/// Options of `pin`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The receiver
    #[arg(value_name = "HOST:PORT", value_parser = address)]
    address: Address,
    /// The name to ask for (SNI), where one address serves several
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

/// `HOST:PORT`, or as an output has it.
fn address(text: &str) -> Result<Address, ConnectError> {
    let bare = ["tls://", "relp+tls://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    bare.parse()
}

/// Runs `pin`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let cert = runtime::block_on(client::look(&args.address, args.server_name.as_deref()))
        .map_err(Failure::failed)?
        .map_err(Failure::failed)?;
    print(&format!(
        "{} shows the certificate {}\n\n\
         Compare this fingerprint with the one that the receiver's administrator reads on the receiver itself\n\
         (openssl x509 -in CERT.pem -noout -fingerprint -sha256). If they are the same, trust it with:\n  --pin {}\n",
        Visible(&args.address),
        pin::describe(&cert),
        Pin::of(&cert)
    ))?;
    Ok(Exit::Done)
}
