//! Fingerprints: a hash over everything that a task, or the lanes of an output, depend on. The same fingerprint, the same work.
//!
//! It is made of the description that `{:?}` gives, in which texts are quoted and escaped: two configurations have the same
//! one only when they are equal in all of it. Numbers of rules and places in files are left out: they move with what is written
//! above them.
use super::Setup;
use crate::{
    config::{ListenerConfig, OutputConfig, SourceConfig},
    decode::journal::Catalog,
    digest::{checksum, hex},
    filter::RuleId,
};

/// Everything that a source depends on.
pub fn source(source: &SourceConfig, setup: &Setup) -> String {
    let c = &setup.config;
    let mut source = source.clone();
    source.filter = source.filter.unnumbered();
    digest(&format!("{source:?} {:?} {:?} {:?} {:?}", c.filter.unnumbered(), c.when_full, c.severity, c.gaps))
}

/// Everything that the socket of a listener depends on. What its senders do is looked at for each of them ([`source`]), while it listens.
pub fn listener(listener: &ListenerConfig) -> String {
    digest(&format!("{:?} {:?}", listener.name, listener.options))
}

/// Everything that an output depends on, what is in the files of its certificates too. Not the sources: what of them shapes
/// lines stands in the batches.
pub fn output(output: &OutputConfig, setup: &Setup) -> String {
    let c = &setup.config;
    let output = unnumbered(output);
    let heartbeat = output.heartbeat.unwrap_or(c.heartbeat);
    let pems = [&output.tls.ca, &output.tls.cert, &output.tls.key];
    // As they were read with the configuration: nobody waits here for a disk.
    let pems: Vec<_> = pems.into_iter().flatten().filter_map(|p| setup.pems.get(&p.path().ok()?)).collect();
    digest(&format!("{output:?} {:?} {:?} {heartbeat:?} {pems:?}", c.line, c.severity))
}

/// Everything that says which lane of an output an event is in: what the output asks for, what its filter drops and raises,
/// which severity an event has, and the tables and the program that all of this is read with.
pub fn lanes(output: &OutputConfig, setup: &Setup, catalog: &Catalog) -> String {
    let OutputConfig { filter, priority_types, pass, limits, include_guesses, .. } = unnumbered(output);
    let budget = limits.bytes_per_day.is_some();
    let tables = catalog.hash();
    let program = env!("CARGO_PKG_VERSION");
    let text = format!(
        "{filter:?} {priority_types:?} {pass:?} {budget} {include_guesses} {:?} {:?} {tables} {program} {FORM}",
        setup.config.severity, setup.model_options
    );
    digest(&text)
}

/// Another number with every change of what a lane means within a version of the program.
const FORM: u32 = 2;

/// An output without numbers of rules and places.
fn unnumbered(output: &OutputConfig) -> OutputConfig {
    let mut output = OutputConfig { named_types: Vec::new(), filter: output.filter.unnumbered(), ..output.clone() };
    output.priority_types.renumber(RuleId(0));
    output.pass.types.renumber(RuleId(0));
    output
}

/// A hash of a description.
fn digest(text: &str) -> String {
    hex(&checksum(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        config::{Config, model::model_options},
        encode::Profile,
    };

    fn setup(text: &str) -> (Setup, Catalog) {
        let catalog = Catalog::shipped().unwrap();
        let config = Config::parse(text, "agent.toml", Path::new("/"), &catalog).into_valid(false).unwrap();
        (Setup::new(model_options(&Profile::native().unwrap(), &config, false), config), catalog)
    }

    const OUTPUT: &str = "[[output]]\nname = \"a\"\naddress = \"tcp://127.0.0.1:1\"\n";

    fn prints(text: &str) -> (String, String) {
        let (setup, catalog) = setup(text);
        let output_config = setup.config.outputs.first().unwrap();
        (output(output_config, &setup), lanes(output_config, &setup, &catalog))
    }

    #[test]
    fn a2_everything_that_says_which_lane_an_event_is_in_changes_the_print_of_the_lanes() {
        let usual = prints(OUTPUT).1;
        for changed in [
            format!("[filter]\naudit_change_severity = 3\n{OUTPUT}"),
            format!("{OUTPUT}filter.audit_change_severity = 3\n"),
            format!("{OUTPUT}filter.types.exclude = [\"SF\"]\n"),
            format!("{OUTPUT}priority_types = [\"PW\"]\n"),
            format!("{OUTPUT}meter.bytes_per_day = \"1MiB\"\n"),
            format!("{OUTPUT}include_guesses = true\n"),
            format!("severity.PW = 1\n{OUTPUT}"),
        ] {
            assert_ne!(prints(&changed).1, usual, "{changed}");
        }
        // What shapes nothing but the connection and the line leaves the lanes alone.
        assert_eq!(prints(&format!("{OUTPUT}format = \"json\"\nstall_timeout = 5\n")).1, usual);
    }

    #[test]
    fn a_print_changes_with_every_text_of_a_rule_and_not_with_the_numbers_of_rules() {
        let ruled = |path: &str| format!("{OUTPUT}filter.ifs.exclude = [\"/{path}\"]\n");
        let above = format!("[filter]\nobjects.exclude = [\"QGPL/X\"]\n{}", ruled("tmp/a"));
        assert_eq!(prints(&ruled("tmp/a")), prints(&above));
        assert_ne!(prints(&ruled("tmp/RuleId(7")), prints(&ruled("tmp/RuleId(8")));
        assert_ne!(prints(&ruled("tmp/RuleId(7")), prints(&ruled("tmp/RuleId(")));
    }

    #[test]
    fn the_encoding_of_its_lines_is_part_of_an_output_and_leaves_the_lanes_alone() {
        let (usual, lanes) = prints(OUTPUT);
        let encoded = prints(&format!("{OUTPUT}encoding = \"windows-1252\"\n"));
        assert!(encoded.0 != usual && encoded.1 == lanes);
        assert_ne!(prints(&format!("{OUTPUT}encoding = \"gbk\"\n")).0, encoded.0);
        // Lines are UTF-8 where nothing is said.
        assert_eq!(prints(&format!("{OUTPUT}encoding = \"UTF-8\"\n")).0, usual);
    }

    #[test]
    fn c8_another_source_changes_nothing_of_an_output() {
        let more = format!("{OUTPUT}[[source]]\nname = \"s\"\npath = \"day\"\nsystem = \"PROD09\"\n");
        assert_eq!(prints(OUTPUT), prints(&more));
    }
}
