//! The SIEMs: each is its page in docs/siem, whose block is the output of the configuration and whose section is what is to be set there.
use clap::ValueEnum;

/// Whom there is a page about.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Siem {
    /// IBM QRadar
    Qradar,
    /// ArcSight
    Arcsight,
    /// Splunk, by Splunk Connect for Syslog
    Splunk,
    /// Microsoft Sentinel, by its log forwarder
    Sentinel,
    /// Google SecOps (Chronicle), by Bindplane
    Secops,
    /// Elastic, by Elastic Agent
    Elastic,
    /// rsyslog
    Rsyslog,
    /// syslog-ng
    SyslogNg,
}

/// How a receiver is reached.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// TLS
    Tls,
    /// TCP, in clear
    Tcp,
    /// UDP: loses lines without a sign
    Udp,
    /// RELP: every line is acknowledged
    Relp,
    /// RELP under TLS
    #[value(name = "relp+tls")]
    RelpTls,
}

impl Scheme {
    /// As an address begins, and the port where nothing else is said.
    fn usual(self) -> (&'static str, u16) {
        match self {
            Scheme::Tls => ("tls", 6514),
            Scheme::Tcp => ("tcp", 514),
            Scheme::Udp => ("udp", 514),
            Scheme::Relp => ("relp", 2514),
            Scheme::RelpTls => ("relp+tls", 2514),
        }
    }
}

/// The host in the pages.
const HOST: &str = "siem.example.com";

impl Siem {
    /// Its page.
    pub fn page(self) -> &'static str {
        match self {
            Siem::Qradar => include_str!("../../../docs/siem/qradar.md"),
            Siem::Arcsight => include_str!("../../../docs/siem/arcsight.md"),
            Siem::Splunk => include_str!("../../../docs/siem/splunk.md"),
            Siem::Sentinel => include_str!("../../../docs/siem/sentinel.md"),
            Siem::Secops => include_str!("../../../docs/siem/secops.md"),
            Siem::Elastic => include_str!("../../../docs/siem/elastic.md"),
            Siem::Rsyslog => include_str!("../../../docs/siem/rsyslog.md"),
            Siem::SyslogNg => include_str!("../../../docs/siem/syslog-ng.md"),
        }
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        self.page().lines().next().unwrap_or("").trim_start_matches("# ")
    }

    /// What stands under a heading of its page.
    fn section(self, heading: &str) -> impl Iterator<Item = &'static str> {
        let behind = self.page().lines().skip_while(move |l| l.strip_prefix("## ") != Some(heading)).skip(1);
        behind.take_while(|l| !l.starts_with("## "))
    }

    /// What is to be set there, and what was tried.
    pub fn its_side(self) -> String {
        let lines = |heading| self.section(heading).collect::<Vec<_>>().join("\n").trim().to_owned();
        format!("{}\n\nWhat was tried: {}", lines("On its side"), lines("Verified"))
    }

    /// The block of the configuration, line by line.
    fn block(self) -> impl Iterator<Item = &'static str> {
        self.section("The agent's part").filter_map(|l| l.strip_prefix("    "))
    }

    /// The address of the block, in its parts.
    fn usual_address(self) -> Option<(&'static str, u16)> {
        let address = self.block().find_map(|l| l.strip_prefix("address = \"")?.strip_suffix('"'))?;
        let (scheme, rest) = address.split_once("://")?;
        Some((scheme, rest.strip_prefix(HOST)?.strip_prefix(':')?.parse().ok()?))
    }

    /// Its output in a configuration, to this host.
    pub fn output(self, to: &To<'_>) -> String {
        let usual = self.usual_address().unwrap_or(("tls", 6514));
        let (scheme, port) = match to.scheme.map(Scheme::usual) {
            Some((scheme, port)) if scheme != usual.0 => (scheme, port),
            _ => usual,
        };
        let port = to.port.unwrap_or(port);
        let host = if to.host.contains(':') && !to.host.starts_with('[') {
            format!("[{}]", to.host)
        } else {
            to.host.to_owned()
        };
        let is_tls = scheme.ends_with("tls");
        let trust = to.ca.map(|ca| ("ca", ca)).or(to.pin.map(|pin| ("pin", pin)));
        let mut text = String::new();
        for line in self.block() {
            let key = line.trim_start_matches("# ").split(" = ").next().unwrap_or("");
            match key {
                "address" => text.push_str(&format!("address = {}\n", quoted(&format!("{scheme}://{host}:{port}")))),
                // Whom to trust: what was given, at the end.
                "ca" | "pin" if trust.is_some() || !is_tls => {}
                // A datagram is a line.
                "framing" if !matches!(scheme, "tls" | "tcp") => {}
                "max_size" if scheme == "udp" => {}
                _ => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        if let Some((key, value)) = trust.filter(|_| is_tls) {
            text.push_str(&format!("{key} = {}\n", quoted(value)));
        }
        text
    }
}

/// Where an output goes.
pub struct To<'a> {
    /// Host of the receiver.
    pub host: &'a str,
    /// Its port, where it is not that of the page.
    pub port: Option<u16>,
    /// How it is reached, where it is not as the page says.
    pub scheme: Option<Scheme>,
    /// The CA of its certificate.
    pub ca: Option<&'a str>,
    /// Its certificate.
    pub pin: Option<&'a str>,
}

/// A text as TOML has it.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_title_an_output_and_what_is_to_be_set() {
        for siem in Siem::value_variants() {
            assert!(!siem.title().is_empty() && siem.usual_address().is_some(), "{siem:?}");
            let to = To { host: "h", port: None, scheme: None, ca: None, pin: None };
            assert!(siem.output(&to).starts_with("[[output]]\nname = "), "{siem:?}");
            let side = siem.its_side();
            assert!(side.starts_with("1. ") && !side.contains("## "), "{side}");
            for heading in ["## Limits and traps", "## Verified", "## Sources"] {
                assert!(siem.page().contains(heading), "{siem:?}: {heading}");
            }
        }
    }

    #[test]
    fn the_address_and_whom_to_trust_are_what_was_given() {
        let to = To { host: "10.1.2.3", port: None, scheme: None, ca: Some("/etc/a\"b.pem"), pin: None };
        let text = Siem::Rsyslog.output(&to);
        assert!(text.contains("address = \"tls://10.1.2.3:6514\"\n"), "{text}");
        assert!(text.ends_with("ca = '/etc/a\"b.pem'\n") && !text.contains("# pin"), "{text}");
        let to = To { host: "2001:db8::1", port: None, scheme: Some(Scheme::RelpTls), ca: None, pin: None };
        let text = Siem::SyslogNg.output(&to);
        assert!(text.contains("\"relp+tls://[2001:db8::1]:2514\"") && !text.contains("framing"), "{text}");
        let to = To { host: "h", port: Some(5140), scheme: Some(Scheme::Udp), ca: Some("x"), pin: None };
        let text = Siem::Qradar.output(&to);
        assert!(text.contains("\"udp://h:5140\"") && !text.contains("max_size") && !text.contains("ca ="), "{text}");
    }
}
