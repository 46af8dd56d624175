//! A snapshot as text: OpenMetrics, or the format of Prometheus before it.
use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text},
    metrics::MetricType,
    registry::{self, Registry},
};

use super::figures::{AGENT, AgentTotals, Figure, Kind, OUTPUT, SOURCE, Unit};
use crate::{
    agent::totals::{OutputTotals, SourceTotals},
    encode::escape::printable,
};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4: what a file for node_exporter has.
    Prometheus,
}

impl Form {
    /// As HTTP calls it.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Form::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }

    /// What somebody is given who accepts this.
    pub fn accepted(accept: &str) -> Form {
        let is_wanted =
            |kind: &str| kind.trim_start().starts_with("application/openmetrics-text") && !kind.ends_with(";q=0");
        if accept.split(',').any(is_wanted) { Form::OpenMetrics } else { Form::Prometheus }
    }
}

/// The text. Nothing of it fails but memory.
pub fn text(snapshot: AgentTotals, form: Form) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot));
    let mut out = String::new();
    match form {
        Form::OpenMetrics => text::encode(&mut out, &registry)?,
        Form::Prometheus => prometheus_text::encode(&mut out, &registry)?,
    }
    Ok(out)
}

impl Collector for AgentTotals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Version, commit, and the hash of the configuration in force";
        let labels = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("commit", env!("QAUDJRN_BUILT_FROM").to_owned()),
            ("configuration", self.configuration.clone()),
        ];
        encoder.encode_descriptor("qaudjrn", help, None, MetricType::Info)?.encode_info(&labels)?;
        for figure in &AGENT {
            let mut name = String::new();
            let mut family = describe(&mut encoder, "", figure, &mut name)?;
            number(&mut family, figure.kind, (figure.value)(self))?;
        }
        let sources: Vec<(String, bool, &SourceTotals)> =
            self.totals.sources.iter().map(|(name, s)| (label(name), s.is_current, s)).collect();
        for figure in &SOURCE {
            each(&mut encoder, "source", figure, &sources)?;
        }
        by_rule(&mut encoder, &sources)?;
        let outputs: Vec<(String, bool, &OutputTotals)> =
            self.totals.outputs.iter().map(|(name, o)| (label(name), o.is_current, o)).collect();
        // Of what nobody starts only what waits is known.
        let orphans = self.totals.orphans.iter().map(|(name, o)| (label(name), false, o));
        let with_orphans: Vec<(String, bool, &OutputTotals)> = outputs.iter().cloned().chain(orphans).collect();
        for figure in &OUTPUT {
            each(&mut encoder, "output", figure, if figure.kind == Kind::Gauge { &with_orphans } else { &outputs })?;
        }
        Ok(())
    }
}

/// Nothing in a label is obeyed by a terminal.
fn label(name: &str) -> String {
    printable(name).to_string()
}

/// Entries dropped, by source and rule.
fn by_rule(encoder: &mut DescriptorEncoder<'_>, sources: &[(String, bool, &SourceTotals)]) -> fmt::Result {
    let help = "Entries dropped, by the rule that dropped them";
    let mut family = encoder.encode_descriptor("qaudjrn_source_filtered_by_rule", help, None, MetricType::Counter)?;
    for (source, _, totals) in sources {
        for (rule, n) in &totals.filtered_by {
            let labels = [("source", source.clone()), ("rule", label(rule))];
            number(&mut family.encode_family(&labels)?, Kind::Counter, *n)?;
        }
    }
    Ok(())
}

fn each<T>(
    encoder: &mut DescriptorEncoder<'_>,
    of: &'static str,
    figure: &Figure<T>,
    all: &[(String, bool, &T)],
) -> fmt::Result {
    let mut full = String::new();
    let mut family = describe(encoder, of, figure, &mut full)?;
    for (name, is_current, totals) in all {
        if *is_current || figure.kind != Kind::State {
            let labels = [(of, name.as_str())];
            number(&mut family.encode_family(&labels)?, figure.kind, (figure.value)(totals))?;
        }
    }
    Ok(())
}

fn describe<'e, T>(
    encoder: &'e mut DescriptorEncoder<'_>,
    of: &str,
    figure: &'e Figure<T>,
    name: &'e mut String,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    let unit = match figure.unit {
        Unit::Count => None,
        Unit::Seconds => Some(&registry::Unit::Seconds),
        Unit::Bytes => Some(&registry::Unit::Bytes),
    };
    let kind = if figure.kind == Kind::Counter { MetricType::Counter } else { MetricType::Gauge };
    let between = if of.is_empty() { "" } else { "_" };
    *name = format!("qaudjrn{between}{of}_{}", figure.name);
    encoder.encode_descriptor(name, figure.help, unit, kind)
}

fn number(encoder: &mut MetricEncoder<'_>, kind: Kind, n: u64) -> fmt::Result {
    match kind {
        Kind::Counter => encoder.encode_counter::<NoLabelSet, u64, f64>(&n, None),
        Kind::Gauge | Kind::State => encoder.encode_gauge(&n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::totals::Totals;

    fn snapshot() -> AgentTotals {
        let source = SourceTotals {
            read: 7,
            gaps: 1,
            up: true,
            is_current: true,
            filtered_by: [("filter.users.exclude \"BILL\"".to_owned(), 2)].into(),
            ..SourceTotals::default()
        };
        let gone = SourceTotals { read: 3, ..SourceTotals::default() };
        let waits = |waiting, is_current| OutputTotals { waiting, is_current, ..OutputTotals::default() };
        AgentTotals {
            totals: Totals {
                sources: vec![("a\"b\n\u{1b}".into(), source), ("gone".into(), gone)],
                outputs: vec![("qradar".into(), waits(3, true))],
                orphans: vec![("old".into(), waits(9, false))],
                ..Totals::default()
            },
            configuration: "abc".to_owned(),
            uptime: 5,
            commits: 4,
            ..AgentTotals::default()
        }
    }

    #[test]
    fn every_figure_has_its_kind_and_a_line_for_each_source_and_output() {
        let text = text(snapshot(), Form::Prometheus).unwrap();
        for line in [
            "# TYPE qaudjrn_source_gaps_total counter",
            r#"qaudjrn_source_gaps_total{source="a\"b\\x0a\\x1b"} 1"#,
            r#"qaudjrn_source_read_total{source="a\"b\\x0a\\x1b"} 7"#,
            r#"qaudjrn_source_filtered_by_rule_total{source="a\"b\\x0a\\x1b",rule="filter.users.exclude \"BILL\""} 2"#,
            "qaudjrn_output_waiting{output=\"qradar\"} 3",
            "qaudjrn_output_waiting{output=\"old\"} 9",
            "qaudjrn_source_read_total{source=\"gone\"} 3",
            "qaudjrn_uptime_seconds 5",
            "qaudjrn_spool_commits_total 4",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} is not in\n{text}");
        }
        // What nobody starts has no state.
        for line in [
            "qaudjrn_source_up{source=\"gone\"}",
            "qaudjrn_output_up{output=\"old\"}",
            "qaudjrn_output_sent_total{output=\"old\"}",
        ] {
            assert!(!text.contains(line), "{line} is in\n{text}");
        }
    }

    #[test]
    fn open_metrics_names_counters_without_their_end_and_says_the_units() {
        let text = text(snapshot(), Form::OpenMetrics).unwrap();
        for line in [
            "# TYPE qaudjrn info",
            "# TYPE qaudjrn_source_read counter",
            "# UNIT qaudjrn_uptime_seconds seconds",
            "qaudjrn_uptime_seconds 5",
            "# UNIT qaudjrn_spool_used_bytes bytes",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} is not in\n{text}");
        }
    }

    #[test]
    fn who_accepts_open_metrics_is_given_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, form) in [
            (prometheus, Form::OpenMetrics),
            ("text/plain, application/openmetrics-text", Form::OpenMetrics),
            ("text/plain, application/openmetrics-text;q=0", Form::Prometheus),
            ("text/html,*/*", Form::Prometheus),
            ("", Form::Prometheus),
        ] {
            assert_eq!(Form::accepted(accept), form, "{accept}");
        }
    }
}
