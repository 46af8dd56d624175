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

/// Everything that is in force of a configuration: also what presets, credentials and certificates hold, which its hash does not cover.
pub fn whole(setup: &Setup) -> String {
    let c = &setup.config;
    let sources = c.every_source().map(|s| source(s, setup));
    let all: Vec<_> =
        sources.chain(c.listeners.iter().map(listener)).chain(c.outputs.iter().map(|o| output(o, setup))).collect();
    digest(&format!("{} {all:?}", c.hash))
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
        config::{Config, model::model_options, shown::document},
        encode::{Format, HeadingDefaults, Profile},
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
    fn n12_what_a_profile_holds_is_part_of_an_output_and_leaves_the_lanes_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        let said = |vendor: &str, more: &str| {
            std::fs::write(&file, format!("[cef]\nvendor = \"{vendor}\"\nproduct = \"p\"\nversion = \"1\"\n")).unwrap();
            prints(&format!("{OUTPUT}profile = \"{}\"\n{more}", file.display()))
        };
        let (first, second) = (said("a", ""), said("b", ""));
        assert!(first.0 != second.0 && first.1 == second.1 && first.1 == prints(OUTPUT).1);
        assert_eq!(said("a", "").0, first.0);
        assert_ne!(said("a", "fields.site = \"x\"\n").0, first.0);
        assert_ne!(said("a", "version = \"2\"\n").0, first.0);
    }

    #[test]
    fn c8_another_source_changes_nothing_of_an_output() {
        let more = format!("{OUTPUT}[[source]]\nname = \"s\"\npath = \"day\"\nsystem = \"PROD09\"\n");
        assert_eq!(prints(OUTPUT), prints(&more));
    }

    /// Everything that an agent does by it, as texts.
    fn effect(setup: &Setup, catalog: &Catalog) -> Vec<String> {
        let c = &setup.config;
        let line = c.line.settings(Format::Cef, &Profile::native().unwrap(), HeadingDefaults::default());
        let agent = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {line:?}",
            c.state_dir,
            c.stop_timeout,
            c.heartbeat,
            c.gaps,
            c.agent_events,
            c.spool_max_size,
            c.when_full,
            c.severity,
            c.doctor,
            c.filter.unnumbered(),
            c.off.names().collect::<Vec<_>>(),
        );
        let mut all = vec![agent];
        all.extend(c.sources.iter().chain(&c.off.sources).map(|s| source(s, setup)));
        for l in c.listeners.iter().chain(&c.off.listeners) {
            all.push(format!("{} {:?} {}", listener(l), l.template, l.max_senders));
            all.extend(l.contents().map(|s| source(s, setup)));
        }
        // What a line is like is in `effect` of the agent; that it is said or not makes no difference.
        let quiet = |o: &OutputConfig| digest(&format!("{:?} {:?}", unnumbered(o), o.heartbeat.unwrap_or(c.heartbeat)));
        all.extend(c.outputs.iter().chain(&c.off.outputs).flat_map(|o| [quiet(o), lanes(o, setup, catalog)]));
        all
    }

    #[test]
    fn what_config_show_prints_is_a_configuration_with_the_same_effect() {
        let catalog = Catalog::shipped().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        let all = "state_dir = \"state\"\nheartbeat = 5\n[filter]\ntypes.exclude = [\"SF\"]\nprotect_audit_changes = false\nusers.match = \"job\"\n\
            [severity]\n\"PW-P\" = 3\nZR = 1\n[line]\nvendor = \"$${x}\"\n[doctor]\nlibraries = [\"PAYLIB\"]\n\
            [[source]]\nname = \"a\"\npath = \"day\"\nsystem = \"S1\"\nfilter.types.exclude = [\"ZC\"]\n\
            [[source]]\nname = \"b\"\nkind = \"directory\"\npath = \"in\"\nafter = \"move\"\nstable_seconds = 0.5\ntimezone = \"Europe/Berlin\"\n\
            [[source]]\nname = \"c\"\nkind = \"stream\"\nlisten = \"unix:s\"\ninput = \"type5\"\nenabled = false\n\
            [[source]]\nname = \"d\"\nkind = \"mapepire\"\naddress = \"prod01\"\nuser = \"U\"\npassword = \"credential:pw\"\npoll_interval = 3\n\
            [[listener]]\nname = \"l\"\nlisten = \"unix:t\"\ninput = \"type5\"\nccsid = 273\nsource = \"x-{name}\"\n\
            [[listener.sender]]\nmatch = \"one\"\ntimezone = \"Asia/Tokyo\"\nfilter.users.exclude = [\"BILL\"]\n[[listener.sender]]\nmatch = \"two\"\nname = \"zwei\"\n\
            [[output]]\nname = \"o\"\naddress = \"tls://h:1\"\nformat = \"leef\"\nfailover = [\"tls://i:1\"]\npin = \"sha256:abababababababababababababababababababababababababababababababab\"\n\
            meter = { events_per_second = 2.5, bytes_per_day = \"1GB\", pass_types = [\"PW\"] }\nfilter.ifs.exclude = ['/tmp/\"\\u']\n\
            [[output]]\nname = \"p\"\naddress = \"file:out\"\nenabled = false\nheartbeat = 0\n";
        for text in [all, "", OUTPUT, include_str!("../../agent.toml.example")] {
            std::fs::write(&path, text).unwrap();
            let (config, shown) = Config::load_with_keys(&path, &catalog).unwrap();
            let given_back = document(&shown);
            std::fs::write(&path, &given_back).unwrap();
            let again = Config::load(&path, &catalog).unwrap();
            let of = |c: Config| {
                let c = c.into_valid(false).unwrap_or_else(|e| panic!("{e}\n{given_back}"));
                let warnings: Vec<String> = c.problems.iter().map(|p| p.text.clone()).collect();
                let setup = Setup::new(model_options(&Profile::native().unwrap(), &c, false), c);
                (effect(&setup, &catalog), warnings)
            };
            let (before, after) = (of(config), of(again));
            assert_eq!(before, after, "{given_back}");
        }
    }
}
