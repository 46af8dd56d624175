//! What was answered, and what is made of it: the configuration, and the steps behind it.
use std::{fs, path::Path};

use anyhow::anyhow;

use super::{
    Args, Place,
    ask::Asker,
    ibmi,
    siem::{Siem, To, quoted},
    source::{Kind, Source},
};
use crate::cli::exit::Failure;

/// See the module.
pub struct Plan<'a> {
    args: &'a Args,
    place: Place,
    siem: Siem,
    host: String,
    system: String,
    zone: String,
    source: Source,
}

impl<'a> Plan<'a> {
    /// From options and answers.
    pub fn new(args: &'a Args, asker: &mut Asker) -> Result<Plan<'a>, Failure> {
        let place = asker.choice(args.place, ("--place", "Where does the agent run"), Some(Place::Relay))?;
        let kind = asker.choice::<Kind>(args.source, ("--source", "Where do entries come from"), None)?;
        let siem = asker.choice::<Siem>(args.siem, ("--siem", "Which SIEM"), None)?;
        let host = asker.text(args.host.as_ref(), ("--host", "Host of the SIEM or its collector"), None)?;
        let system = asker.text(args.system.as_ref(), ("--system", "Name of the IBM i"), None)?;
        let zone = asker.text(args.timezone.as_ref(), ("--timezone", "Its time zone"), own_zone(asker).as_deref())?;
        let place = place.unwrap_or(Place::Relay);
        let source = kind.map(|kind| Source::new(kind, place, &system, args, asker)).transpose()?;
        asker.nothing_is_missing()?;
        let (Some(source), Some(siem)) = (source, siem) else {
            return Err(Failure::usage(anyhow!("--source and --siem are needed")));
        };
        if !is_name(&system) {
            return Err(Failure::usage(anyhow!(
                "--system {system:?}: expected the name of a system: letters, digits, \".\", \"_\", \"-\", \"#\", \"@\" and \"$\""
            )));
        }
        Ok(Plan { args, place, siem, host, system, zone, source })
    }

    /// The file.
    pub fn configuration(&self) -> String {
        let state = self.args.state_dir.as_deref().unwrap_or(match self.place {
            Place::Relay => "/var/lib/qaudjrn",
            Place::Pase => "/QOpenSys/var/lib/qaudjrn",
        });
        let to = To {
            host: &self.host,
            port: self.args.port,
            scheme: self.args.transport,
            ca: self.args.ca.as_deref(),
            pin: self.args.pin.as_deref(),
        };
        format!(
            "# Written by `qaudjrn init` {version}. `qaudjrn check --config FILE` says what is wrong with it and what it means, `check --connect`\n# tries it; qaudjrn.toml(5) and agent.toml.example have every key.\n\n# The spool: what was read and is not delivered yet. Nobody else keeps files there.\nstate_dir = {state}\n\n{source}\n# {title}: docs/siem of the sources has its page.\n{output}\n# What is sent: everything. docs/FILTERS.md; the preset \"security\" is a start.\n[filter]\npresets = []\n",
            version = env!("CARGO_PKG_VERSION"),
            state = quoted(state),
            source = self.source.table(&self.system, &self.zone),
            title = self.siem.title(),
            output = self.siem.output(&to),
        )
    }

    /// What is to be done now, in words.
    pub fn steps(&self, file: &Path) -> String {
        let file = file.display();
        let credentials = self.source.credentials(&self.system);
        let mut text =
            format!("{file} is written.\n\nOn the IBM i, by an administrator (nothing of it is run by qaudjrn):\n\n");
        text.push_str(&indented(&ibmi::commands(&self.source)));
        text.push_str(&format!("\nOn the side of {}:\n\n{}", self.siem.title(), indented(&self.siem.its_side())));
        text.push_str("\nHere:\n\n");
        text.push_str(&indented(&match self.place {
            Place::Relay => relay(&credentials, file),
            Place::Pase => pase(&credentials, file),
        }));
        text
    }
}

/// On a host with systemd.
fn relay(credentials: &[String], file: impl std::fmt::Display) -> String {
    let mut text = String::new();
    if !credentials.is_empty() {
        text.push_str("# Secrets: files that only root can read, handed to the service by systemd (/etc/systemd/system/qaudjrn.service.d/20-credentials.conf)\n[Service]\n");
        for name in credentials {
            text.push_str(&format!("LoadCredential={name}:/etc/qaudjrn/{name}\n"));
        }
        text.push_str("# then: chmod 600 /etc/qaudjrn/NAME; systemctl daemon-reload\n");
    }
    let load: String =
        credentials.iter().map(|name| format!("-p LoadCredential={name}:/etc/qaudjrn/{name} ")).collect();
    let run = if load.is_empty() { String::new() } else { format!("systemd-run --pty {load}") };
    text.push_str(&format!(
        "qaudjrn check --config {file}\n{run}qaudjrn check --send-test --config {file}   # tries everything, and sends one event\nsystemctl enable --now qaudjrn   # with the file as /etc/qaudjrn/agent.toml: docs/INSTALL.md\n"
    ));
    text
}

/// In PASE, where there is no systemd: the folder of the credentials is a variable that start.sh sets.
fn pase(credentials: &[String], file: impl std::fmt::Display) -> String {
    let mut text = String::from(
        "# Nobody has run qaudjrn in PASE: docs/PASE.md says what is known. The file goes to /QOpenSys/opt/qaudjrn/agent.toml\n",
    );
    if !credentials.is_empty() {
        text.push_str(
            "export CREDENTIALS_DIRECTORY=/QOpenSys/opt/qaudjrn/credentials   # as start.sh of packaging/ibmi does\n",
        );
        text.push_str(&format!(
            "# there, readable to the agent's profile only (mode 0600): {}\n",
            credentials.join(", ")
        ));
    }
    text.push_str(&format!("qaudjrn check --send-test --config {file}\n"));
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}

/// A name that a source can have, and that is nothing else in a command of CL.
fn is_name(system: &str) -> bool {
    let is_right = |c: char| c.is_ascii_alphanumeric() || "._-#@$".contains(c);
    !system.is_empty() && system.len() <= 64 && system.chars().all(is_right)
}

/// The zone of this host as a default, where somebody is there to see it: elsewhere it is to be given.
fn own_zone(asker: &Asker) -> Option<String> {
    if !asker.is_there() {
        return None;
    }
    let link = fs::read_link("/etc/localtime").ok()?;
    let zone = link.to_str()?.split_once("zoneinfo/")?.1.to_owned();
    zone.parse::<chrono_tz::Tz>().ok().map(|_| zone)
}
