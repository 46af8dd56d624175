//! `pin`: what a receiver shows, so that an administrator can decide to trust it.
use super::{Exit, Failure};
use crate::output::{
    Address,
    pin::{self, Pin},
    tls,
};

/// Options of `pin`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The receiver
    #[arg(value_name = "HOST:PORT")]
    address: Address,
    /// The name to ask for (SNI), where one address serves several
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let cert = tls::look(&args.address, args.server_name.as_deref()).map_err(Failure::failed)?;
    println!("{} shows the certificate {}", args.address, pin::describe(&cert));
    println!();
    println!("Compare this fingerprint with the one that the receiver's administrator reads on the receiver itself");
    println!("(openssl x509 -in CERT.pem -noout -fingerprint -sha256). If they are the same, trust it with:");
    println!("  --pin {}", Pin::of(&cert));
    Ok(Exit::Done)
}
